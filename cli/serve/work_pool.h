// WorkPool: the threads on which requests are worked on, and the bounded queue before them. A request is first read (its Start), and
// may then fall into pieces that different threads run side by side; the last one makes the response. Clients take turns, and so do
// the requests of one client, piece by piece: neither many requests nor a long batch of one client hold up another's. Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "cli/serve/http.h"

namespace assay {

// What a request asks for, once it is read.
struct WorkPlan {
  size_t pieces = 0;
  std::function<void(size_t piece)> run;  // once for each, from any thread
  std::function<HttpResponse()> finish;   // once, after all of them
};
using PlanOrResponse = std::variant<HttpResponse, WorkPlan>;

struct WorkItem {
  std::string client;                      // whose turn it takes
  std::function<PlanOrResponse()> start;   // from any thread of the pool
  std::function<void(HttpResponse)> done;  // once, from any thread of the pool
  // Set by somebody else when nobody waits for the response any longer: what has not begun is left out. `done` is called all the same.
  std::shared_ptr<const std::atomic<bool>> gone;
};

struct WorkLoad {
  int64_t waiting = 0;  // requests of which nothing has begun
  int64_t running = 0;  // pieces that are running
  int threads = 0;
  double seconds_per_request = 0;  // lately, of a thread's time
};

class WorkPool {
 public:
  WorkPool(int threads, int64_t waiting_max);
  ~WorkPool();  // lets what runs finish; what waits is dropped, its `done` not called
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  // False: as many requests wait as may.
  bool Push(WorkItem item);
  WorkLoad Load() const;
  // For how many seconds a client that was turned away should stay away: about half of what the queue takes, at least 1.
  int RetryAfterSeconds() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
