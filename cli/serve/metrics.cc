#include "cli/serve/metrics.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <iterator>
#include <new>

#include "core/check.h"
#include "core/text.h"
#include "core/types.h"
#include "sandbox/sandbox.h"

namespace assay {
namespace {

// The last is for all others.
constexpr int kStatuses[] = {200, 400, 401, 403, 404, 405, 408, 413, 415, 422, 431, 500, 503, 0};
static_assert(std::size(kStatuses) <= kStatusesMax);
// Upper ends in seconds; what is above the last is in the bucket behind it.
constexpr double kBuckets[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                               0.25,  0.5,    1,     2.5,  5,     10};
static_assert(std::size(kBuckets) + 1 == kBucketsMax);
constexpr int kCauses = static_cast<int>(Cause::kFault) + 1;
static_assert(kCauses <= static_cast<int>(kCausesMax));

void Head(std::string* out, const char* name, const char* type, const char* help) {
  StrAppend(out, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
}

void One(std::string* out, const char* name, const char* type, const char* help, int64_t value) {
  Head(out, name, type, help);
  StrAppend(out, name, " ", value, "\n");
}

void Histogram(std::string* out, std::string_view route, const ServeMetrics::Route& counts) {
  int64_t sum = 0;
  for (size_t b = 0; b < kBucketsMax; ++b) {
    sum += counts.buckets[b].load();
    StrAppend(out, "assay_request_seconds_bucket{route=\"", route, "\",le=\"",
              b + 1 < kBucketsMax ? StrCat(kBuckets[b]) : std::string("+Inf"), "\"} ", sum, "\n");
  }
  StrAppend(out, "assay_request_seconds_sum{route=\"", route, "\"} ",
            static_cast<double>(counts.microseconds.load()) / 1e6, "\n");
  StrAppend(out, "assay_request_seconds_count{route=\"", route, "\"} ", counts.count.load(), "\n");
}

void Requests(const ServeMetrics& metrics, size_t routes, std::string_view (*name)(size_t),
              std::string* out) {
  Head(out, "assay_requests_total", "counter", "Requests answered, by route and status.");
  for (size_t r = 0; r <= routes; ++r) {
    for (size_t s = 0; s < std::size(kStatuses); ++s) {
      const int64_t count = metrics.routes[r].by_status[s].load();
      if (count == 0 && kStatuses[s] != 200) continue;
      StrAppend(out, "assay_requests_total{route=\"", name(r), "\",status=\"",
                kStatuses[s] == 0 ? std::string("other") : StrCat(kStatuses[s]), "\"} ", count,
                "\n");
    }
  }
  Head(out, "assay_request_seconds", "histogram", "From the whole request to its response.");
  for (size_t r = 0; r <= routes; ++r) Histogram(out, name(r), metrics.routes[r]);
}

int64_t Sum(const ServeMetrics& metrics, std::atomic<int64_t> ServeGauges::*gauge) {
  int64_t sum = 0;
  for (const ServeGauges& process : metrics.gauges) sum += (process.*gauge).load();
  return sum;
}

}  // namespace

void ServeMetrics::CountRequest(size_t route, int status, double seconds) {
  Route& counts = routes[std::min(route, kRoutesMax - 1)];
  const auto* found = std::find(std::begin(kStatuses), std::end(kStatuses) - 1, status);
  counts.by_status[found - std::begin(kStatuses)].fetch_add(1);
  const auto* bucket = std::lower_bound(std::begin(kBuckets), std::end(kBuckets), seconds);
  counts.buckets[bucket - std::begin(kBuckets)].fetch_add(1);
  counts.microseconds.fetch_add(static_cast<int64_t>(seconds * 1e6));
  counts.count.fetch_add(1);
}

ServeMetrics* NewServeMetrics() {
  void* memory = mmap(nullptr, sizeof(ServeMetrics), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  auto* metrics = new (memory) ServeMetrics();
  metrics->started_unix = static_cast<int64_t>(time(nullptr));
  return metrics;
}

std::string MetricsText(const ServeMetrics& metrics, size_t routes,
                        std::string_view (*route_name)(size_t), const std::string& version) {
  std::string out;
  Head(&out, "assay_build_info", "gauge", "Always 1.");
  StrAppend(&out, "assay_build_info{version=\"", version, "\"} 1\n");
  One(&out, "process_start_time_seconds", "gauge", "When the server was started.",
      metrics.started_unix);
  Requests(metrics, routes, route_name, &out);
  Head(&out, "assay_runs_total", "counter", "Programs run for a client, by how they ended.");
  for (int cause = 0; cause < kCauses; ++cause) {
    StrAppend(&out, "assay_runs_total{cause=\"", CauseName(static_cast<Cause>(cause)), "\"} ",
              metrics.runs[cause].load(), "\n");
  }
  Head(&out, "assay_verdicts_total", "counter", "Verdicts of verifiers, by outcome.");
  for (size_t o = 0; o < kOutcomesMax; ++o) {
    StrAppend(&out, "assay_verdicts_total{outcome=\"", OutcomeName(static_cast<Outcome>(o)), "\"} ",
              metrics.samples[o].load(), "\n");
  }
  One(&out, "assay_rewards_null_total", "counter", "Samples that could not be scored.",
      metrics.rewards_null);
  One(&out, "assay_rejected_total", "counter", "Requests turned away because the queue was full.",
      metrics.rejected);
  One(&out, "assay_timed_out_total", "counter", "Connections cut because they were too slow.",
      metrics.timed_out);
  One(&out, "assay_malformed_total", "counter", "Requests that were no HTTP or over a bound.",
      metrics.malformed);
  One(&out, "assay_abandoned_total", "counter", "Requests whose client went before the response.",
      metrics.abandoned);
  One(&out, "assay_evicted_total", "counter", "Idle connections closed to make room.",
      metrics.evicted);
  One(&out, "assay_connections_total", "counter", "Connections accepted.", metrics.accepted);
  One(&out, "assay_process_restarts_total", "counter", "Server processes started again.",
      metrics.restarts);
  One(&out, "assay_connections", "gauge", "Connections now.",
      Sum(metrics, &ServeGauges::connections));
  One(&out, "assay_queue_length", "gauge", "Requests that wait now.",
      Sum(metrics, &ServeGauges::waiting));
  One(&out, "assay_running", "gauge", "Pieces of work that run now.",
      Sum(metrics, &ServeGauges::running));
  One(&out, "assay_threads", "gauge", "Pieces of work that can run at once.",
      Sum(metrics, &ServeGauges::threads));
  One(&out, "assay_body_bytes", "gauge", "Bytes of request bodies held now.",
      Sum(metrics, &ServeGauges::body_bytes));
  return out;
}

}  // namespace assay
