// HostPool: so many hosts of one kind, each started when all others are at work, and again when it has died. What it is for and what
// is asked is its users' business. Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "verifiers/own/host.h"

namespace assay::own {

struct HostPoolOptions {
  std::vector<std::string> argv;
  std::string
      hello;  // the first request to each process; its answer is {"ok": {..}} or {"error": ".."}
  int processes = 1;
  double start_s = 120;  // until `hello` is answered: imports may take their time
  double quiet_s = 60;   // until a request is answered, or the next sample is begun
  const std::atomic<bool>* interrupted = nullptr;
};

class HostPool {
 public:
  // Starts the first process, so that what it cannot load is an error at once (kUsage: it says so itself; kUnavailable).
  static Result<std::unique_ptr<HostPool>> Open(HostPoolOptions options);

  struct Reply {
    enum class Kind { kAnswer, kDied, kTimedOut, kInterrupted, kNoHost };
    Kind kind = Kind::kNoHost;
    Json answer;
    std::string words;  // not kAnswer: what there is to say of it
    uint64_t at = 0;    // kDied, kTimedOut: the sample that it was at, counted from 1; 0: unknown
  };
  // Waits for a free process. At most `processes` callers are served at a time.
  Reply Ask(std::string_view request);

  // What `hello` was answered with.
  const Json& greeting() const { return greeting_; }
  int processes() const { return options_.processes; }

 private:
  explicit HostPool(HostPoolOptions options) : options_(std::move(options)) {}
  Result<std::unique_ptr<Host>> StartHost(Json* greeting) const;
  bool Interrupted() const { return options_.interrupted != nullptr && *options_.interrupted; }

  const HostPoolOptions options_;
  Json greeting_;
  std::mutex mutex_;
  std::condition_variable freed_;
  int busy_ = 0;
  std::vector<std::unique_ptr<Host>> idle_;
};

}  // namespace assay::own
