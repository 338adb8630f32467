#include "datagen/score/row_queue.h"

#include <chrono>
#include <utility>

namespace assay {

void RowQueue::Push(RowBatch pushed) {
  auto batch = std::make_unique<RowBatch>(std::move(pushed));
  std::unique_lock<std::mutex> lock(mutex_);
  // Never waits when nothing is on its way: one giant row must be able to pass.
  room_.wait(lock, [&] {
    return stopped_ || in_flight_.empty() || in_flight_bytes_ + batch->bytes <= kInFlightBytes;
  });
  if (stopped_) return;
  in_flight_bytes_ += batch->bytes;
  to_do_.push_back(batch.get());
  in_flight_.push_back(std::move(batch));
  work_ready_.notify_one();
}

void RowQueue::EndOfInput(const Status& reading) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!reading.ok()) reading_error_ = reading.error();
  reading_done_ = true;
  work_ready_.notify_all();
  row_ready_.notify_all();
}

RowBatch* RowQueue::TakeWork() {
  std::unique_lock<std::mutex> lock(mutex_);
  work_ready_.wait(lock, [&] { return stopped_ || !to_do_.empty() || reading_done_; });
  if (stopped_ || to_do_.empty()) return nullptr;
  RowBatch* batch = to_do_.front();
  to_do_.pop_front();
  return batch;
}

void RowQueue::Scored(RowBatch* batch, const std::optional<Error>& failure) {
  int64_t grown = 0;
  for (const ScoreRow& row : batch->rows) grown += static_cast<int64_t>(row.output.size());
  std::lock_guard<std::mutex> lock(mutex_);
  in_flight_bytes_ += grown;
  batch->bytes += grown;
  batch->done = true;
  if (failure && !failure_) failure_ = failure;
  if (batch == in_flight_.front().get()) row_ready_.notify_one();
}

Result<std::unique_ptr<RowBatch>> RowQueue::NextScored(const std::function<bool()>& interrupted,
                                                       const std::function<Status()>& meanwhile) {
  const auto ready = [&] { return !in_flight_.empty() && in_flight_.front()->done; };
  std::unique_lock<std::mutex> lock(mutex_);
  while (!ready() && !failure_ && !interrupted() && !(in_flight_.empty() && reading_done_)) {
    row_ready_.wait_for(lock, std::chrono::milliseconds(100));
    lock.unlock();
    if (Status status = meanwhile(); !status.ok()) return status.error();
    lock.lock();
  }
  if (!ready() && failure_) return *failure_;
  // With a writer that is slower than the workers there is always one that is ready.
  if (!ready() || interrupted()) return std::unique_ptr<RowBatch>();
  std::unique_ptr<RowBatch> batch = std::move(in_flight_.front());
  in_flight_.pop_front();
  in_flight_bytes_ -= batch->bytes;
  room_.notify_one();
  return batch;
}

std::optional<Error> RowQueue::reading_error() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return reading_error_;
}

void RowQueue::Stop() {
  std::lock_guard<std::mutex> lock(mutex_);
  stopped_ = true;
  work_ready_.notify_all();
  room_.notify_all();
}

}  // namespace assay
