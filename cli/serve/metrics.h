// What the server counts, in memory that all processes of one server share, and its text for Prometheus. Counters only ever grow;
// every process adds to the same ones. Lock-free; safe from any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace assay {

inline constexpr size_t kRoutesMax = 40;
inline constexpr size_t kStatusesMax = 20;
inline constexpr size_t kBucketsMax = 14;
inline constexpr size_t kCausesMax = 16;
inline constexpr size_t kOutcomesMax = 4;
inline constexpr size_t kProcessesMax = 256;

// What one process says of itself now.
struct ServeGauges {
  std::atomic<int64_t> connections, waiting, running, threads, body_bytes;
};

// Zeroed memory is a valid one.
struct ServeMetrics {
  struct Route {
    std::atomic<int64_t> by_status[kStatusesMax];
    std::atomic<int64_t> buckets[kBucketsMax];  // of the time that a request took, not cumulative
    std::atomic<int64_t> microseconds;
    std::atomic<int64_t> count;
  };
  Route routes[kRoutesMax];  // as the table of routes; behind the last: everything else
  std::atomic<int64_t> runs[kCausesMax];       // programs, by Cause
  std::atomic<int64_t> samples[kOutcomesMax];  // verdicts, by Outcome
  std::atomic<int64_t> rewards_null;
  std::atomic<int64_t> timed_out, malformed, abandoned, evicted, accepted, rejected;
  std::atomic<int64_t> restarts;  // processes of the server that ended and were started again
  std::atomic<int64_t> started_unix;
  ServeGauges gauges[kProcessesMax];

  void CountRequest(size_t route, int status, double seconds);
};

// In memory that children of this process share. Never freed.
ServeMetrics* NewServeMetrics();

// Version 0.0.4 of the text format. `route_name(i)` is the path of the i-th route.
std::string MetricsText(const ServeMetrics& metrics, size_t routes,
                        std::string_view (*route_name)(size_t), const std::string& version);

}  // namespace assay
