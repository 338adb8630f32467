#include "sandbox/placement.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace assay::sandbox {
namespace {

// So much time of jobs is looked at together, at least and at most.
constexpr double kLookMs = 100;
constexpr double kLookMaxMs = 20'000;
// Making a box and ending it, which no report counts.
constexpr double kUncountedMs = 2;

}  // namespace

Placement::Placement(std::vector<int64_t> cpus, size_t slots, size_t first)
    : cpus_(std::move(cpus)), places_(slots) {
  for (size_t i = 0; i < slots && !cpus_.empty(); ++i) places_[i].at = (first + i) % cpus_.size();
}

Placement Placement::OfThisProcess(size_t slots) {
  std::vector<int64_t> cpus;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(static_cast<size_t>(cpu), &set)) cpus.push_back(cpu);
    }
  }
  return {std::move(cpus), slots, static_cast<size_t>(getpid())};
}

int64_t Placement::CpuOf(size_t slot) const {
  return cpus_.size() < 2 || slot >= places_.size() ? -1 : cpus_[places_[slot].at];
}

void Placement::Note(size_t slot, double wall_ms, double cpu_ms) {
  if (slot >= places_.size()) return;
  Place& place = places_[slot];
  place.worked_ms += cpu_ms + kUncountedMs;
  place.waited_ms += std::max(wall_ms - cpu_ms - kUncountedMs, 0.0);
  if (place.worked_ms + place.waited_ms < std::max(place.patience_ms, kLookMs)) return;
  const bool crowded = place.waited_ms > place.worked_ms;
  if (crowded) Move(&place);
  place.patience_ms = crowded ? std::min(2 * std::max(place.patience_ms, kLookMs), kLookMaxMs) : 0;
  place.worked_ms = place.waited_ms = 0;
}

void Placement::Move(Place* place) {
  for (size_t step = 1; step < cpus_.size(); ++step) {
    const size_t next = (place->at + step) % cpus_.size();
    const bool taken = std::any_of(places_.begin(), places_.end(),
                                   [&](const Place& other) { return other.at == next; });
    if (taken) continue;
    place->at = next;
    return;
  }
}

}  // namespace assay::sandbox
