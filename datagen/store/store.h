// Store: one SQLite file that keeps scored runs and the data sets selected from them, so that every kept row can be traced
// back to its problem, sample, verdicts, filter decision and tool version. Runs are append-only. The schema is
// described in docs/store.md; it is versioned, older stores are migrated when they are opened for writing.
//
// Deterministic: the same rows added in the same order give the same `sqlite3 FILE .dump`, byte for byte, also when
// the process was killed at any point and the run resumed: ids follow input order, no clock is read, and a transaction
// holds whole input rows together with the run's progress counters.
//
// Durable: WAL with synchronous=NORMAL. What Commit() returned success for survives a killed process; after a power
// cut the file is whole, and a resumed run scores again what was lost. One writer at a time (BEGIN IMMEDIATE: a second one
// waits, then gets an error), any number of readers beside it, each with a Store of its own.
//
// Not thread-safe: one Store a thread. It is not a cache of verdicts and it does not score.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/result.h"
#include "core/types.h"
#include "verifiers/rubric.h"

namespace assay {

using RunId = int64_t;
using DatasetId = int64_t;

enum class OpenMode {
  kReadOnly,   // must exist; an older schema is an error
  kReadWrite,  // must exist; an older schema is migrated
  kCreate,     // made if missing
};

struct StoreOptions {
  int busy_timeout_ms = 10'000;  // how long to wait for another writer
  int64_t max_pages = 0;  // upper bound of the file in pages (a simulated full disk); 0: none
};

struct RunInfo {
  std::string name;         // unique in the store
  std::string rubric_json;  // RubricSpec::ToJson
  std::string config_hash;  // of all that decides a reward; --resume compares it
  std::string tool_version;
  uint64_t seed = 0;
  std::string created;  // a time stamp if the caller wants one kept; it is part of the dump
};

struct RunRecord : RunInfo {
  RunId id = 0;
  bool finished = false;
};

// Which input row a group came from. A row of several lines (--group-by) is named by its first line and the hash of all.
struct RowKey {
  std::string file;  // as the user wrote it
  int64_t line = 0;  // 1-based; unique and increasing within a file of a run
  Hash128 line_hash;
};

// By what AddGroup finds texts and problems that it has already. Costs as much as a good part of writing the row, and any thread can do it.
struct GroupHashes {
  Hash128 prompt;
  std::optional<Hash128> problem;  // none: nothing says that another row is about the same
  std::vector<Hash128> texts;      // of the samples
};
GroupHashes HashesOf(const Group& group);

// A sample as it was stored. `sample.text` is empty where texts were not asked for.
struct StoredSample {
  int64_t id = 0;
  int64_t index = 0;  // place in its group
  int64_t text_id = 0;
  int64_t text_bytes = 0;
  Sample sample;
  SampleScore score;  // a verdict's ms is 0 if times were not stored
};

struct StoredGroup {
  int64_t row_id = 0;
  int64_t problem_id = 0;
  int64_t prompt_id = 0;  // problems of one prompt share it
  RowKey key;
  bool flat = false;
  int64_t sample_count = 0;  // of the input row, also where only some of its samples are here
  std::string error;         // not empty: a bad row; there is nothing else in it
  Problem problem;           // as it was read: options and extra are the row's own
  std::vector<std::string> labels;  // of the verdicts, in order
  std::vector<StoredSample> samples;
};

struct DatasetInfo {
  std::string name;      // unique in the store
  std::string strategy;  // "all-correct", "best-of-n", "import"
  std::string params_json;
  std::string tool_version;
  std::optional<RunId> run;   // the first of `runs`; empty for imported ones
  std::string created;        // as in RunInfo
  std::vector<RunId> runs{};  // that it was made from; may be left out where there is one
};

// A file that a data set was written to.
struct ExportInfo {
  DatasetId dataset = 0;
  std::string file, format, params_json;
  int64_t lines = 0, bytes = 0;
  std::string hash;  // SHA-256 of the file
  std::string tool_version;
};

struct DatasetRecord : DatasetInfo {
  DatasetId id = 0;
  int64_t rows = 0;
  std::vector<std::pair<std::string, int64_t>>
      decisions;  // decision -> number of samples, in the order given
};

// A row of a data set with where it came from.
struct DatasetRow {
  int64_t position = 0;  // 0-based
  std::string decision;  // why it was kept, JSON
  std::string run;       // the run's name
  std::string run_tool_version;
  std::string split;  // "train", ...; empty: none
  StoredGroup group;  // with exactly one sample
  std::optional<StoredSample>
      rejected{};  // of a preference pair: the one that loses, of the same problem
};

// A sample that a data set left out.
struct DatasetDrop {
  int64_t sample_id = 0;
  int64_t place = 0;  // of the reason among the data set's decisions
  std::string
      detail;  // what it is near to, the n-gram it shares with a test set, ...; may be empty
};

class Store {
 public:
  // Errors: kInput (no database, no store of ours, a newer schema), kIo (missing, unreadable, read-only, locked, full).
  static Result<std::unique_ptr<Store>> Open(const std::string& path, OpenMode mode,
                                             const StoreOptions& options = {});
  ~Store();  // rolls back what was not committed
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // --- Writing a run. Any error rolls back to the last Commit; after it only the destructor may be called.

  // Makes the run and commits it. A run of that name: kUsage, unless `resume`, the configuration hash is the same
  // and nothing else differs; then it is continued. `resume` with no such run starts it.
  Result<RunId> BeginRun(const RunInfo& info, bool resume);
  // Input rows of `file` that are in the store, bad ones included; pending ones count.
  Result<int64_t> RowsDone(RunId run, const std::string& file);
  // True if the row is in the store. kInput if that line is there with another hash (the file changed since).
  Result<bool> HasRow(RunId run, const RowKey& key);
  // Adds one input row to the open transaction. A row that HasRow is skipped: adding twice is harmless, which is what
  // resuming relies on. `with_times` false leaves the verdicts' ms out. `hashes`: HashesOf(group), by the caller.
  Status AddGroup(RunId run, const RowKey& key, const Group& group, const GroupScore& score,
                  bool with_times, const GroupHashes* hashes = nullptr);
  // Fetches from memory what AddGroup will look up: worth it for some dozens of rows at once.
  void Prefetch(const GroupHashes& hashes) const;
  // A row that could not be read: recorded, so that resuming knows it.
  Status AddBadRow(RunId run, const RowKey& key, const std::string& message);
  // True when so much is pending (rows or bytes) that the caller should Commit.
  bool ShouldCommit() const;
  // Makes all that was added durable. No-op if nothing is pending.
  Status Commit();
  // Commits, and marks the run as finished.
  Status FinishRun(RunId run);

  // --- Writing a data set, in one transaction: Begin, Add in order, Finish. Without Finish nothing is kept.

  // kUsage if there is one of that name, unless `replace`.
  Result<DatasetId> BeginDataset(const DatasetInfo& info, bool replace);
  // `rejected_id`: 0 unless the row is a preference pair. `split`: empty for none.
  Status AddDatasetRow(DatasetId dataset, int64_t sample_id, const std::string& decision_json,
                       int64_t rejected_id = 0, const std::string& split = "");
  // In increasing order of samples; each at most once.
  Status AddDatasetDrop(DatasetId dataset, const DatasetDrop& drop);
  // `decisions`: how many samples were kept and dropped, by reason.
  Status FinishDataset(DatasetId dataset,
                       const std::vector<std::pair<std::string, int64_t>>& decisions);
  // Notes that a data set left the store, in a transaction of its own. The same file again replaces the note.
  Status AddExport(const ExportInfo& info);

  // --- Reading. Names not found are kUsage with a hint.

  Result<std::vector<RunRecord>> Runs();
  Result<RunRecord> FindRun(const std::string& name);
  Result<std::vector<DatasetRecord>> Datasets();
  Result<DatasetRecord> FindDataset(const std::string& name);
  // Every input row of a run in input order, bad rows included. Stops at the visitor's first error. Memory: one group.
  Status ForEachGroup(RunId run, bool with_texts,
                      const std::function<Status(const StoredGroup&)>& visit);
  // Every row of a data set in order. `positions`: these rows instead, in this order.
  Status ForEachDatasetRow(DatasetId dataset, bool with_texts,
                           const std::function<Status(const DatasetRow&)>& visit,
                           const std::vector<int64_t>* positions = nullptr);
  // What a data set left out, by sample.
  Status ForEachDatasetDrop(DatasetId dataset,
                            const std::function<Status(const DatasetDrop&)>& visit);

  // Runs `read`, all of whose reading sees the store as it was at its first look, whatever others write meanwhile. Not while
  // this Store has something to commit.
  Status WithSnapshot(const std::function<Status()>& read);

  static int SchemaVersion();  // of this program

 private:
  Store();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
