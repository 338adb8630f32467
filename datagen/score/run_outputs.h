// RunOutputs: the last of a scoring run's three stations. What the run writes, opened and closed together: the output's lines in input
// order, the journal beside it from which an interrupted run is resumed, and the store. Before the first row it says how far the
// interrupted run came. One thread, CompareWithDone aside, which the reader calls meanwhile.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/result.h"
#include "datagen/score/held_lines.h"
#include "datagen/score/line_order.h"
#include "datagen/score/resume_journal.h"
#include "datagen/score/score_options.h"
#include "datagen/score/score_row.h"
#include "datagen/score/store_writer.h"
#include "verifiers/rubric.h"

namespace assay {

class RunOutputs {
 public:
  // `gathers`: rows come in the order of their first lines (GatherGroups), their lines go where the input's were. For a file they wait in
  // OUT.gathered, with its journal, until the run is done; then OUT takes the place of what was there, whole. A pipe gets all lines again
  // from a run that is resumed. What is packed (.gz, .zst) and not gathered has no journal: --resume begins again, with the same bytes as
  // result.
  static Result<std::unique_ptr<RunOutputs>> Open(const ScoreRunOptions& options,
                                                  const RubricSpec& rubric, bool gathers);

  // Rows of the interrupted run.
  int64_t rows_done() const { return rows_done_; }
  // A gathered run had come to its end: rows are compared with it, more of them are an error.
  bool was_finished() const { return was_finished_; }
  // What the interrupted run wrote, line by line, in the order of its rows; `begins`: the first line of one. Of a finished run once all rows
  // were compared. Nothing where the lines went where they cannot be read back.
  Status ReadWritten(const std::function<void(const Json&, bool begins)>& take) const;
  // The same of a run that has nothing but its store: its rows, with verdicts and rewards but without texts.
  Status ReadStored(const std::function<void(const ScoreRow&)>& take);
  bool has_store() const { return store_ != nullptr; }

  // An error if the row, `index`-th of the input, is not what the interrupted run scored there. Indices come in increasing order.
  Status CompareWithDone(const ScoreRow& row, int64_t index);
  // The input ends after `rows` of them.
  Error TooShort(int64_t rows) const;

  Status Write(const ScoreRow& row);
  // Rows that were all written, for the store.
  Status Keep(std::unique_ptr<RowBatch> batch);
  // Once a second it flushes: slow rows must not wait in buffers, and a killed run loses at most a second's work.
  Status FlushNowAndThen();
  // Makes all that was written to the store durable, for a run that ends in an error of its input.
  Status CommitStore();

  // How the run ended. kFailed may be an error of the store itself, after which only its destructor may be called; that keeps what
  // was committed. A run is finished in its store only when its output is whole.
  enum class End { kFinished, kInterrupted, kFailed };
  // kFinished becomes kInterrupted where the user said so before all was in its place.
  Status Close(End* end);

 private:
  RunOutputs(const ScoreRunOptions& options, bool gathers);
  Status OpenStore(const RubricSpec& rubric, const std::string& config);
  Status OpenJournal(const std::string& config);
  Status OpenFinished(const std::string& config);
  Status WriteInPlace(const ScoreRow& row);
  // The file that lines go to while the run goes on.
  std::string Growing() const;
  // What the interrupted run's rows are known by.
  std::string KnownBy() const;
  Result<bool> PutInPlace() const;
  void RemoveJournals() const;

  const ScoreRunOptions& options_;
  const bool gathers_;
  const bool reorders_;  // lines are put in order at the end, and not as they come
  bool was_finished_ = false;
  std::chrono::steady_clock::time_point last_flush_;
  int64_t rows_done_ = 0;

  std::unique_ptr<StoreWriter> store_;
  int64_t store_rows_ = -1;  // rows in the store; -1: no store
  std::unique_ptr<ResumeJournal> journal_;
  std::unique_ptr<LineWriter> writer_;  // null: was_finished_

  HeldLines held_;   // WriteInPlace: lines before them are not written
  LineOrder order_;  // of what stands in OUT.gathered
};

}  // namespace assay
