// RateLimit: so many starts a minute, evenly spaced, over all threads. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>

#include "datagen/generate/generator.h"

namespace assay {

class RateLimit {
 public:
  explicit RateLimit(int64_t per_minute) : per_minute_(per_minute) {}

  // Waits for this caller's turn; false if `cancelled` was set meanwhile.
  bool Wait(const std::atomic<bool>* cancelled) {
    using Clock = std::chrono::steady_clock;
    Clock::time_point turn = Clock::now();
    if (per_minute_ > 0) {
      const std::lock_guard<std::mutex> lock(mutex_);
      turn = std::max(turn, next_);
      next_ = turn + std::chrono::milliseconds(60'000 / per_minute_);
    }
    while (Clock::now() < turn) {
      if (cancelled != nullptr && *cancelled) return false;
      std::this_thread::sleep_for(
          std::min<Clock::duration>(turn - Clock::now(), std::chrono::milliseconds(100)));
    }
    return cancelled == nullptr || !*cancelled;
  }

 private:
  const int64_t per_minute_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace assay
