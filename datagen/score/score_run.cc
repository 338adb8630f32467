// The scoring run from top to bottom: options checked, outputs opened, then three stations with a bounded queue between them: one reader
// thread (RowReader), worker threads (RowScorer), and the calling thread, which writes (RunOutputs) and counts (ScoreRunSummary). What goes
// into a store is written behind it, on a thread of its own (StoreWriter).
#include "datagen/score/score_run.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/progress.h"
#include "core/text.h"
#include "datagen/score/group_gatherer.h"
#include "datagen/score/row_queue.h"
#include "datagen/score/row_reader.h"
#include "datagen/score/row_scorer.h"
#include "datagen/score/run_outputs.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;

class ScoreRun {
 public:
  ScoreRun(const ScoreRunOptions& options, const Rubric& rubric)
      : options_(options),
        rubric_(rubric),
        group_field_(options.group_by, options.input_format),
        start_(Clock::now()),
        progress_("score", 100, options.progress) {}

  Result<ScoreRunSummary> Run() {
    if (Status status = CheckScoreRunOptions(options_); !status.ok()) return status.error();
    Result<bool> split = !options_.from_store.empty() && !options_.group_by.empty();
    if (options_.from_store.empty() && !options_.adjacent)
      split =
          GroupsAreSplit(options_.files, group_field_, [this] { return options_.Interrupted(); });
    if (!split.ok()) return split.error();
    // Whoever interrupts that look does not know how the run would have written.
    summary_.interrupted = options_.Interrupted();
    if (summary_.interrupted) return summary_;
    Result<std::unique_ptr<RunOutputs>> outputs =
        RunOutputs::Open(options_, rubric_.spec(), /*gathers=*/*split);
    if (!outputs.ok()) return outputs.error();
    const Status status = RunStations(outputs->get(), /*gathers=*/*split);
    RunOutputs::End end = !status.ok()           ? RunOutputs::End::kFailed
                          : summary_.interrupted ? RunOutputs::End::kInterrupted
                                                 : RunOutputs::End::kFinished;
    const Status closed = (*outputs)->Close(&end);
    if (!status.ok()) return status.error();
    if (!closed.ok()) return closed.error();
    summary_.interrupted = end == RunOutputs::End::kInterrupted;
    summary_.seconds = Seconds();
    for (std::string& note : rubric_.Notes()) summary_.notes.push_back(std::move(note));
    return summary_;
  }

 private:
  Status RunStations(RunOutputs* outputs, bool gathers) {
    summary_.resumed = outputs->rows_done();
    const auto count = [this](const Json& line, bool begins) { summary_.AddWritten(line, begins); };
    Status counted = outputs->was_finished() ? Status() : outputs->ReadWritten(count);
    if (!counted.ok()) return counted;
    Status stored = outputs->ReadStored([this](const ScoreRow& row) { summary_.AddStored(row); });
    if (!stored.ok()) return stored;
    RowQueue queue;
    RowReader reader(options_, group_field_,
                     {.gathers = gathers,
                      .batch_samples = rubric_.BatchSamples(),
                      .rows_done = outputs->rows_done(),
                      .compare_with_done =
                          [outputs](const ScoreRow& row, int64_t index) {
                            return outputs->CompareWithDone(row, index);
                          },
                      .too_short = [outputs](int64_t rows) { return outputs->TooShort(rows); }},
                     &queue);
    const RowScorer scorer(options_, rubric_, /*keep_samples=*/outputs->has_store());

    std::vector<std::thread> workers;
    std::thread reading;
    const Status started =
        StartThreads([&] { reading = std::thread([&] { reader.Run(); }); },
                     [&] { workers.emplace_back([&] { Work(scorer, &queue); }); });
    Status status = started.ok() ? WriteAll(reader, &queue, outputs) : started;
    progress_.Done();
    queue.Stop();
    if ((summary_.interrupted || !status.ok()) && options_.cancel) options_.cancel();
    if (reading.joinable()) reading.join();
    for (std::thread& worker : workers) worker.join();
    if (reader.filters().repeats() > 0) summary_.notes.push_back(reader.filters().Note());
    if (status.ok() && !summary_.interrupted && outputs->was_finished())
      status = outputs->ReadWritten(count);
    return status;
  }

  // Fewer workers than were asked for will do; none, or no reader, will not.
  Status StartThreads(const std::function<void()>& start_reader,
                      const std::function<void()>& start_worker) const {
    const int wanted = std::max(1, options_.jobs);
    int workers = 0;
    try {
      for (; workers < wanted; ++workers) start_worker();
    } catch (const std::system_error&) {
      if (workers > 0 && options_.warn)
        options_.warn(StrCat("the system gives only ", workers, " of ", wanted, " threads"));
    }
    try {
      if (workers > 0) start_reader();
    } catch (const std::system_error&) {
      workers = 0;
    }
    if (workers > 0) return {};
    return Error{ErrorCode::kUnavailable, "the system gives no more threads",
                 "give a smaller -j, or raise the limits of processes and memory (ulimit -u, -v)"};
  }

  // A worker thread.
  void Work(const RowScorer& scorer, RowQueue* queue) const {
    while (RowBatch* batch = queue->TakeWork()) {
      scorer.Score(&batch->rows);
      queue->Scored(batch, rubric_.failure());
    }
  }

  // The calling thread.
  Status WriteAll(const RowReader& reader, RowQueue* queue, RunOutputs* outputs) {
    const auto interrupted = [this] { return options_.Interrupted(); };
    const auto now_and_then = [&] {
      ShowProgress(reader);
      return outputs->FlushNowAndThen();
    };
    for (;;) {
      Result<std::unique_ptr<RowBatch>> batch = queue->NextScored(interrupted, now_and_then);
      if (!batch.ok()) return batch.error();
      if (*batch == nullptr) break;
      for (const ScoreRow& row : (*batch)->rows) {
        if (Status status = WriteRow(row, outputs); !status.ok()) return status;
      }
      if (Status status = outputs->Keep(std::move(*batch)); !status.ok()) return status;
      if (Status status = now_and_then(); !status.ok()) return status;
    }
    summary_.interrupted = options_.Interrupted();
    const std::optional<Error> reading_error = queue->reading_error();
    if (reading_error && !summary_.interrupted) {
      (void)outputs->CommitStore();  // what was read before is done
      return *reading_error;
    }
    WarnOfSplitGroups(reader.split_groups());
    return {};
  }

  Status WriteRow(const ScoreRow& row, RunOutputs* outputs) {
    summary_.Add(row);
    Status status = outputs->Write(row);
    if (!status.ok() || !row.bad || !options_.strict) return status;
    return Error{
        ErrorCode::kInput,
        StrCat(options_.files[row.file], ":", row.lines[0].number, ": ", row.error_message),
        "without --strict, bad lines are reported in their place and the rest is scored"};
  }

  void WarnOfSplitGroups(int64_t groups) const {
    if (groups == 0 || !options_.warn) return;
    options_.warn(StrCat(
        groups, " groups of '", options_.group_by,
        "' were split: their lines do not stand together. Leave out --adjacent, or sort the lines "
        "by that field"));
  }

  double Seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  void ShowProgress(const RowReader& reader) {
    if (!options_.progress) return;
    const double seconds = Seconds();
    const auto new_samples = static_cast<double>(summary_.samples - summary_.resumed_samples);
    const double rate = seconds > 0 ? new_samples / seconds : 0;
    const int64_t total = reader.bytes_total();
    progress_.Update(total > 0 ? 100 * reader.bytes_read() / total : 0,
                     StrCat("pass ", FixedDigits(100 * summary_.PassShare(), 1), " %, ",
                            WithThousands(static_cast<int64_t>(rate)), " samples/s"));
  }

  const ScoreRunOptions& options_;
  const Rubric& rubric_;
  const GroupField group_field_;
  const Clock::time_point start_;
  Progress progress_;
  ScoreRunSummary summary_;
};

}  // namespace

Result<ScoreRunSummary> ScoreFiles(const ScoreRunOptions& options, const Rubric& rubric) {
  return ScoreRun(options, rubric).Run();
}

}  // namespace assay
