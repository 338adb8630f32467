// RowReader: the first of a scoring run's three stations. Turns the input files into rows (with --group-by, groups of lines) and pushes
// them in batches; rows of an interrupted run are only compared with what it has done. Run() belongs to one thread, the counters to any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "core/result.h"
#include "core/rows/lm_eval_filters.h"
#include "datagen/score/group_gatherer.h"
#include "datagen/score/row_queue.h"
#include "datagen/score/score_options.h"
#include "datagen/score/score_row.h"

namespace assay {

class RowReader {
 public:
  struct Plan {
    bool gathers = false;  // GatherGroups instead of AdjacentLines
    // Rubric::BatchSamples(). 1: a batch for each row, since every worker wants one.
    int64_t batch_samples = 0;
    int64_t rows_done = 0;  // rows of the interrupted run, which come first
    // An error if the row, `index`-th of the input, is not what the interrupted run scored there.
    std::function<Status(const ScoreRow& row, int64_t index)> compare_with_done;
    // The error for an input that ends after `rows`, before all that the interrupted run had scored.
    std::function<Error(int64_t rows)> too_short;
  };
  RowReader(const ScoreRunOptions& options, const GroupField& group_field, Plan plan,
            RowQueue* queue)
      : options_(options), group_field_(group_field), plan_(std::move(plan)), queue_(queue) {}

  // Reads everything, then says EndOfInput.
  void Run();

  // Bytes read so far, of how many (those of the files that were opened; 0: unknown).
  int64_t bytes_read() const { return bytes_read_; }
  int64_t bytes_total() const { return bytes_total_; }
  // Groups that were split because they do not stand together.
  int64_t split_groups() const { return split_groups_; }
  // Lines that were left out; when Run() is done.
  const LmEvalFilters& filters() const { return filters_; }

 private:
  Status ReadAll();
  Status ReadGathered();
  Status ReadStored();
  Status ReadFileInOrder(size_t file);
  Status Emit(ScoreRow row);
  bool IsFull(const RowBatch& batch) const;
  void PushPending();

  const ScoreRunOptions& options_;
  const GroupField& group_field_;
  const Plan plan_;
  RowQueue* queue_;
  RowBatch pending_;
  int64_t rows_read_ = 0;
  LmEvalFilters filters_;
  FieldUse use_;
  std::atomic<int64_t> bytes_read_{0}, bytes_total_{0}, split_groups_{0};
};

}  // namespace assay
