#include "datagen/score/store_writer.h"

#include <system_error>
#include <utility>

namespace assay {
namespace {

// Enough for the thread never to wait for lines, little enough to be written soon after an interrupt.
constexpr int64_t kQueuedBytes = int64_t{16} << 20;

}  // namespace

StoreWriter::~StoreWriter() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  work_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Result<bool> StoreWriter::HasRow(const ScoreRow& row) {
  std::lock_guard<std::mutex> lock(store_mutex_);
  return store_->HasRow(run_, KeyOf(row));
}

Status StoreWriter::Add(std::unique_ptr<RowBatch> batch) {
  if (!thread_.joinable() && !alone_) {
    try {
      thread_ = std::thread([this] { Run(); });
    } catch (const std::system_error&) {
      alone_ = true;
    }
  }
  if (alone_) return Write(*batch);
  std::vector<std::unique_ptr<RowBatch>> stored;  // freed when the lock is given back
  std::unique_lock<std::mutex> lock(mutex_);
  stored.swap(stored_);
  // Never waits when nothing is queued: one giant row must be able to pass.
  room_.wait(lock, [&] {
    return failed_ || queue_.empty() || queued_bytes_ + batch->bytes <= kQueuedBytes;
  });
  if (failed_) return *failed_;
  queued_bytes_ += batch->bytes;
  queue_.push_back(std::move(batch));
  work_.notify_one();
  return {};
}

Status StoreWriter::CommitSoon() {
  if (!thread_.joinable()) return Commit();
  std::lock_guard<std::mutex> lock(mutex_);
  if (failed_) return *failed_;
  commit_wanted_ = true;
  work_.notify_one();
  return {};
}

Status StoreWriter::Drain() {
  if (!thread_.joinable()) return {};
  std::unique_lock<std::mutex> lock(mutex_);
  room_.wait(lock, [&] { return failed_ || (queue_.empty() && !busy_); });
  return failed_ ? Status(*failed_) : Status();
}

Status StoreWriter::Commit() {
  if (Status status = Drain(); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(store_mutex_);
  return store_->Commit();
}

Status StoreWriter::FinishRun() {
  if (Status status = Drain(); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(store_mutex_);
  return store_->FinishRun(run_);
}

void StoreWriter::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    work_.wait(lock, [&] { return stopping_ || !queue_.empty() || commit_wanted_; });
    if (stopping_) return;
    std::unique_ptr<RowBatch> batch;
    if (!queue_.empty()) {
      batch = std::move(queue_.front());
      queue_.pop_front();
    }
    const bool commits = std::exchange(commit_wanted_, false);
    busy_ = true;
    lock.unlock();
    Status status = batch ? Write(*batch) : Status();
    if (status.ok() && commits) {
      std::lock_guard<std::mutex> store_lock(store_mutex_);
      status = store_->Commit();
    }
    lock.lock();
    if (batch) {
      queued_bytes_ -= batch->bytes;
      stored_.push_back(std::move(batch));
    }
    busy_ = false;
    if (!status.ok()) failed_ = status.error();
    room_.notify_all();
    if (failed_) return;
  }
}

Status StoreWriter::Write(const RowBatch& batch) {
  std::lock_guard<std::mutex> lock(store_mutex_);
  for (const ScoreRow& row : batch.rows) store_->Prefetch(row.hashes);
  for (const ScoreRow& row : batch.rows) {
    Status status = row.bad ? store_->AddBadRow(run_, KeyOf(row), row.error_message)
                            : store_->AddGroup(run_, KeyOf(row), row.group, row.score,
                                               options_.with_times, &row.hashes);
    if (status.ok() && store_->ShouldCommit()) status = store_->Commit();
    if (!status.ok()) return status;
  }
  return {};
}

}  // namespace assay
