// What Store's source files share: its state and transactions (store.cc), and what is written (store_runs.cc, store_datasets.cc) and
// read (store_read.cc) through them. Not for anyone else.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "datagen/store/checkpointer.h"
#include "datagen/store/hash_index.h"
#include "datagen/store/sqlite.h"
#include "datagen/store/store.h"

namespace assay {

inline Error UsageError(std::string message, std::string hint) {
  return {ErrorCode::kUsage, std::move(message), std::move(hint)};
}

// A row's id says which line of which input it is, so that no index is needed to find it.
inline constexpr int kLineBits = 32;
inline constexpr int64_t kMostLine = (int64_t{1} << kLineBits) - 1;
inline constexpr int64_t kMostInput = (int64_t{1} << 30) - 1;

struct Store::Impl {
  using Database = sqlite::Database;
  using Statement = sqlite::Statement;
  using BatchInsert = sqlite::BatchInsert;

  // One input file of one run, as committed plus what is pending.
  struct Input {
    int64_t id = 0;
    int64_t rows_done = 0;
    int64_t last_line = 0;
    bool dirty = false;
  };
  struct NextIds {
    int64_t text = 1, problem = 1, sample = 1, input = 1;
  };
  // One insert batch a table, in the order in which foreign keys want them flushed.
  struct Batches {
    BatchInsert texts, problems, rows, samples;
  };

  std::unique_ptr<Database> db;
  std::optional<sqlite::Checkpointer> checkpointer;  // of a writing Store; ends before db closes
  std::optional<Error> failed;  // the error after which nothing more is written

  // --- store.cc: transactions
  Status Fail(Error error);
  Status PrepareWriting();
  // Starts a write transaction if none is open, and learns what other processes wrote meanwhile.
  Status Begin();
  Status Refresh();
  Status RefreshInputs();
  Status FlushRows();
  Status FlushIfFull();
  Status CommitAll();
  // --- store_runs.cc
  Result<Input*> FindInput(RunId run, const std::string& file);
  // kLimit: such a line cannot be stored.
  Result<int64_t> RowIdOf(const Input& input, int64_t line) const;
  // The input that a new row is for, null where the row is in the store.
  Result<Input*> InputForNewRow(RunId run, const RowKey& key);
  Result<bool> HasRow(Input* input, const RowKey& key);
  // `hash`: the text's.
  Result<int64_t> TextId(std::string_view text, const Hash128& hash);
  Result<int64_t> ProblemId(const Problem& problem, const GroupHashes& hashes);
  // `group` and its hashes are null for a bad row.
  Status AddRow(Input* input, int64_t row_id, const RowKey& key, const Group* group,
                const GroupHashes* hashes, const std::string& error);
  Status AddSamples(int64_t row_id, const Group& group, const GroupHashes& hashes,
                    const GroupScore& score, bool with_times);

  using Inputs = std::map<std::pair<RunId, std::string>, Input>;
  Inputs inputs;
  Inputs::value_type* last_input = nullptr;  // that FindInput found
  NextIds next;
  int64_t data_version = -1;  // of the last Refresh; -1: never
  int64_t pending_rows = 0;   // samples and rows since the last commit
  int64_t pending_bytes = 0;
  sqlite::HashIndex texts, problems;
  std::optional<Batches> batches;
  Statement find_row, insert_input, update_input, read_data_version;
  Statement insert_dataset_row, insert_dataset_drop;
  int64_t dataset_position = 0;

  // --- store_read.cc
  struct Reader;
};

}  // namespace assay
