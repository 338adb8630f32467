#include "cli/serve/run_request.h"

#include <signal.h>
#include <string.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

// Less time than this runs nothing, and less memory no interpreter.
constexpr double kSecondsMin = 0.01;
constexpr int64_t kMemoryMibMin = 8;

int64_t Milliseconds(double seconds, double most) {
  if (std::isnan(seconds)) seconds = 0;
  return static_cast<int64_t>(std::clamp(seconds, kSecondsMin, most) * 1000);
}

}  // namespace

bool StaysInside(std::string_view path) {
  if (path.empty() || path[0] == '/' || path.find('\0') != std::string_view::npos) return false;
  for (std::string_view part : SplitChar(path, '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

Limits LimitsFor(const ServeBounds& bounds, double run_seconds, double compile_seconds,
                 int64_t memory_mib) {
  Limits limits;
  limits.wall_ms = limits.cpu_ms = Milliseconds(run_seconds, bounds.run_seconds_max);
  limits.compile_cpu_ms = Milliseconds(compile_seconds, bounds.compile_seconds_max);
  limits.memory_mib = memory_mib < 1 ? bounds.memory_mib_max
                                     : std::clamp(memory_mib, kMemoryMibMin,
                                                  std::max(bounds.memory_mib_max, kMemoryMibMin));
  limits.output_bytes = bounds.output_bytes;
  return limits;
}

Group ProgramGroup(const std::string& program, Json verification_info) {
  size_t longest = 0, run = 0;
  for (char c : program) {
    run = c == '~' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(std::max<size_t>(longest + 1, 3), '~');
  Group group;
  group.problem.task = "code";
  group.flat = true;
  Sample& sample = group.samples.emplace_back();
  sample.text = StrCat(fence, verification_info.StringOr("language", "python"), "\n", program, "\n",
                       fence, "\n");
  group.problem.verification_info = std::move(verification_info);
  return group;
}

bool IsTimeout(Cause cause) { return cause == Cause::kCpuLimit || cause == Cause::kWallLimit; }

int SignalOf(const RunResult& result) {
  if (result.signal != 0) return result.signal;
  switch (result.cause) {
    case Cause::kPolicy:
      return SIGSYS;
    case Cause::kMemoryLimit:
    case Cause::kProcessLimit:
    case Cause::kOutputLimit:
    case Cause::kDiskLimit:
      return result.exit_code > 0 ? 0 : SIGKILL;  // it may have met the limit and ended by itself
    case Cause::kCpuLimit:
    case Cause::kWallLimit:
    case Cause::kWorkerLost:
      return SIGKILL;
    default:
      return 0;
  }
}

std::string SignalName(int number) {
  const char* name = sigabbrev_np(number);
  return name != nullptr ? StrCat("SIG", name) : StrCat("SIG", number);
}

std::string Remark(const RunResult& result, const Limits& limits) {
  if (result.cause == Cause::kOutputLimit || result.stdout_truncated || result.stderr_truncated) {
    return StrCat("the output was cut after ", limits.output_bytes,
                  " bytes, and the program ended there");
  }
  switch (result.cause) {
    case Cause::kMemoryLimit:
      return StrCat("the program met its memory limit of ", limits.memory_mib, " MiB");
    case Cause::kProcessLimit:
      return StrCat("the program met its limit of ", limits.processes, " processes and threads");
    case Cause::kDiskLimit:
      return StrCat("the program met its limit of ", limits.disk_mib, " MiB or ", limits.files,
                    " files");
    case Cause::kPolicy:
      return "the program made a system call that the sandbox forbids";
    case Cause::kWorkerLost:
      return "the program broke the sandbox that it ran in, twice";
    default:
      return "";
  }
}

}  // namespace assay
