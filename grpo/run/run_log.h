// RunLog: what a training run says while it goes on: DIR/metrics.jsonl (one line a logged step, TRL's names), TensorBoard
// event files in DIR/tensorboard, and a progress line on stderr. One thread. It does not know what the numbers mean.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/jsonl.h"
#include "core/progress.h"
#include "core/result.h"

namespace assay {

using NamedValues = std::vector<std::pair<std::string, double>>;

class RunLog {
 public:
  struct Options {
    std::string folder;
    int64_t keep_bytes = -1;  // resuming: cut metrics.jsonl to so many bytes; -1: start afresh
    int64_t first_step = 0;   // resuming: the step that goes on
    int64_t total_steps = 0;
    std::string label = "training";
    bool progress = false;
  };
  static Result<std::unique_ptr<RunLog>> Open(const Options& options);
  ~RunLog();

  // One line of metrics.jsonl ({"step": .., name: value, ..}; not-a-number as null) and its TensorBoard event.
  Status Write(int64_t step, const NamedValues& values);
  // The progress line.
  void Show(int64_t step, const std::string& note);
  // Bytes of metrics.jsonl after a flush: what a checkpoint remembers.
  Result<int64_t> SyncedBytes();
  Status Close();

 private:
  RunLog() = default;
  std::unique_ptr<LineWriter> metrics_;
  std::unique_ptr<Progress> progress_;
  int64_t start_bytes_ = 0;
  std::FILE* events_ = nullptr;
};

// One TensorBoard record (length, masked CRC-32C, payload, masked CRC-32C) of a scalar summary event.
std::string TensorBoardRecord(double wall_time, int64_t step, const NamedValues& values);
// The first record of an event file.
std::string TensorBoardHeader(double wall_time);

}  // namespace assay
