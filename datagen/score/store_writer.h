// StoreWriter: the store's end of a scoring run. Batches whose lines are written go in, and a thread of its own puts their rows into the
// store, so that writing lines need not wait for the database. Bounded in bytes. What is handed over is in the store, in order, once Commit
// has returned; what goes wrong on the thread is the next call's error, after which nothing more is written. One thread calls, HasRow aside,
// which the reader asks meanwhile. Where the system gives no thread, the calls do the work.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/result.h"
#include "datagen/score/score_options.h"
#include "datagen/score/score_row.h"
#include "datagen/store/store.h"

namespace assay {

class StoreWriter {
 public:
  StoreWriter(const ScoreRunOptions& options, std::unique_ptr<Store> store, RunId run)
      : options_(options), run_(run), store_(std::move(store)) {}
  // What was not committed is not kept.
  ~StoreWriter();
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;

  // By what the store has of it. Errors: Store::HasRow's.
  Result<bool> HasRow(const ScoreRow& row);
  // For reading the run, before the first Add.
  Store* store() { return store_.get(); }
  RunId run() const { return run_; }

  // Waits for room.
  Status Add(std::unique_ptr<RowBatch> batch);
  // Asks for what has come into the store to be made durable, and does not wait for it.
  Status CommitSoon();
  // Makes it durable.
  Status Commit();
  // Commits, and marks the run as finished.
  Status FinishRun();

 private:
  void Run();
  Status Write(const RowBatch& batch);
  RowKey KeyOf(const ScoreRow& row) const {
    return {options_.files[row.file], row.lines[0].number, row.hash};
  }
  // Until the thread has nothing left to do.
  Status Drain();

  const ScoreRunOptions& options_;
  const RunId run_;
  std::mutex store_mutex_;  // the thread, and the reader while it resumes
  std::unique_ptr<Store> store_;

  std::mutex mutex_;  // of all that follows
  std::condition_variable work_, room_;
  std::deque<std::unique_ptr<RowBatch>> queue_;
  std::vector<std::unique_ptr<RowBatch>> stored_;  // to be freed by the caller, who has more time
  int64_t queued_bytes_ = 0;
  bool busy_ = false;  // the thread is at a batch or at a commit
  bool commit_wanted_ = false;
  bool stopping_ = false;
  bool alone_ = false;  // no thread is to be had
  std::optional<Error> failed_;
  std::thread thread_;
};

}  // namespace assay
