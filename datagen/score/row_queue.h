// RowQueue: batches on their way from the reader through the workers to the writer, which gets them in the order in which the reader
// pushed them, whichever worker was first. Bounded in bytes, whatever the file's size and however slow a row is. One reader and one
// writer, any number of workers; thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "core/result.h"
#include "datagen/score/score_row.h"

namespace assay {

// Input text and results held at once, beyond the one row that comes next.
inline constexpr int64_t kInFlightBytes = int64_t{48} << 20;

class RowQueue {
 public:
  // --- The reader.

  // Waits for room; once the run is stopped the batch is dropped.
  void Push(RowBatch batch);
  // No more comes. An error is the writer's to tell once all that was read before it is written.
  void EndOfInput(const Status& reading);

  // --- A worker.

  // Waits for a batch to score, which stays the queue's. Null: there is nothing left to do.
  RowBatch* TakeWork();
  // Hands it back. `failure`: the verifiers are broken, and what is not scored yet will not be written.
  void Scored(RowBatch* batch, const std::optional<Error>& failure);

  // --- The writer.

  // Waits for the batch whose turn it is. Null: all is written, or `interrupted` said so. Calls
  // `meanwhile` every tenth of a second of waiting; its error ends the wait, as a worker's failure does.
  Result<std::unique_ptr<RowBatch>> NextScored(const std::function<bool()>& interrupted,
                                               const std::function<Status()>& meanwhile);
  // What the reader ended with.
  std::optional<Error> reading_error() const;

  // --- Anyone.

  // Ends all waiting; what is on its way is never written.
  void Stop();
  bool stopped() const { return stopped_; }

 private:
  mutable std::mutex mutex_;
  std::condition_variable work_ready_, row_ready_, room_;
  std::deque<std::unique_ptr<RowBatch>> in_flight_;  // in input order
  std::deque<RowBatch*> to_do_;
  int64_t in_flight_bytes_ = 0;
  bool reading_done_ = false;
  std::atomic<bool> stopped_{false};
  std::optional<Error> failure_, reading_error_;
};

}  // namespace assay
