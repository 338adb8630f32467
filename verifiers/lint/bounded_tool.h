// Runs a program of this machine that we trust on text that we do not: a linter. It parses and executes nothing of what it reads, so it
// needs no box; it may run away on it, so its time, memory and output are bounded, and it sees a folder of its own and an empty
// environment. What runs what a model wrote, or is written in C and reads it (compilers), belongs into the sandbox. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace assay::lint {

struct ToolLimits {
  int64_t cpu_s = 10;
  int64_t wall_ms = 30'000;
  int64_t memory_mib = 2048;  // of addresses
  size_t output_bytes = size_t{16} << 20;
};

struct ToolRun {
  bool ended = false;  // by itself, within all limits
  int exit_code = -1;
  std::string output;  // what it wrote to standard output
};

struct ToolFile {
  std::string name;
  std::string bytes;
};

// The file of that name in PATH that may be started; "" if there is none.
std::string FindInPath(const std::string& name);

// `argv[0]`: a path. The files lie in the folder in which it starts, and are gone afterwards. Errors: kUnavailable, where this machine
// lets no process or folder be made.
Result<ToolRun> RunBounded(const std::vector<std::string>& argv, const std::vector<ToolFile>& files,
                           const ToolLimits& limits);

}  // namespace assay::lint
