// Limits: what one job may use, every one finite by default. Plain values; thread-safe to copy. They say nothing of
// how a limit is enforced: sandbox/jail/limits.h does, and docs/sandbox.md lists which layer enforces which.
#pragma once

#include <algorithm>
#include <cstdint>

namespace assay {

struct Limits {
  int64_t cpu_ms = 10'000;   // user + system time of the whole box
  int64_t wall_ms = 20'000;  // from the fork to the end, waiting included but for others
  int64_t memory_mib = 512;  // resident (proportional) memory of the whole box, its tmpfs included
  int64_t processes = 128;   // processes and threads alive at once
  int64_t output_bytes = 8 << 20;    // stdout and stderr together; more ends the program
  int64_t files = 1'024;             // inodes on the box's tmpfs
  int64_t disk_mib = 64;             // bytes on the box's tmpfs
  int64_t stack_mib = 64;            // main thread
  int64_t open_files = 256;          // descriptors per process
  int64_t tester_cpu_ms = 10'000;    // CPU of our own tester for one completion
  int64_t tester_memory_mib = 1024;  // resident memory of the tester
  int64_t compile_cpu_ms = 30'000;   // CPU and, twice that, wall clock of the compile step

  bool operator==(const Limits&) const = default;
};

// The wall clock stands still while other work on the machine keeps a job from running, but not for ever: so long after its start, of
// four times `wall_ms` and ten seconds more than it the longer, the job ends, and is not judged by that.
inline constexpr int64_t WallMaxMs(int64_t wall_ms) {
  return std::max(4 * wall_ms, wall_ms + 10'000);
}

}  // namespace assay
