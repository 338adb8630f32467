// Where samples come from: an endpoint that speaks OpenAI's chat completions, or a command that answers JSON lines. A Generator is used by
// one thread; each worker has one of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "core/types.h"

namespace assay {

struct GeneratorOptions {
  std::string endpoint;  // "http://localhost:8000/v1"; the request goes to its /chat/completions
  std::string key;       // sent as a bearer token; never part of an error
  std::string command;   // run by the shell, once a worker
  std::string model;
  std::string system;             // a system prompt for problems without one
  std::vector<Message> examples;  // turns before each problem: few shots; an endpoint's alone
  int64_t samples = 1;            // of each problem
  double temperature = 1;
  double top_p = 1;
  int64_t max_tokens = 0;  // 0: the server's own
  std::vector<std::string> stop;
  Json extra;  // further keys of the request; an object or null
  uint64_t seed = 0;
  double timeout_s = 600;
  int64_t retries = 5;  // of a request that failed by itself, and of a command that ended
  int64_t requests_per_minute = 0;  // 0: as fast as the workers are
  const std::atomic<bool>* cancelled = nullptr;
};

struct Generated {
  std::vector<Sample> samples;
  int64_t prompt_tokens = 0,
          completion_tokens = 0;  // as the server counts them
  int64_t uncounted = 0;          // answers of which it says no count
};

class Generator {
 public:
  virtual ~Generator() = default;
  // `place`: of the problem in its file, for the seed: each request has its own, the same in every run. Errors: kInput where this request
  // is at fault, kUnavailable where whoever was asked is.
  virtual Result<Generated> Generate(const Problem& problem, uint64_t place) = 0;
};

// Shared by the workers: when the next request may start. Thread-safe.
class RateLimit;
std::shared_ptr<RateLimit> MakeRateLimit(int64_t requests_per_minute);

std::unique_ptr<Generator> MakeEndpointGenerator(const GeneratorOptions& options,
                                                 std::shared_ptr<RateLimit> limit);
// The command reads {"id", "prompt" (text or messages), "n", "seed"} on a line and answers {"completions": [..]} on a line, with
// "finish_reasons" if it likes. Error: kUnavailable if it cannot be started.
Result<std::unique_ptr<Generator>> MakeCommandGenerator(const GeneratorOptions& options,
                                                        std::shared_ptr<RateLimit> limit);

}  // namespace assay
