#include "grpo/run/memory.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

#include "core/text.h"

namespace assay {
namespace {

// The number behind `key` in a file of the kernel's; -1 without one ("max").
double KernelNumber(const char* file, const std::string& key) {
  std::ifstream in(file);
  std::string word;
  if (key.empty()) in >> word;
  while (!key.empty() && in >> word && word != key) {
  }
  if (!key.empty() && word == key) in >> word;
  return in && !word.empty() && word[0] >= '0' && word[0] <= '9' ? std::atof(word.c_str()) : -1;
}

}  // namespace

double AvailableBytes() {
  const double free_kib = KernelNumber("/proc/meminfo", "MemAvailable:");
  if (free_kib < 0) return -1;
  const double bytes =
      1024 * (free_kib + std::max(0.0, KernelNumber("/proc/meminfo", "SwapFree:")));
  const double limit = KernelNumber("/sys/fs/cgroup/memory.max", "");
  const double used = KernelNumber("/sys/fs/cgroup/memory.current", "");
  if (limit < 0 || used < 0) return bytes;
  // Pages of files count as used there, but go when memory is wanted.
  double pages = 0;
  for (const char* key : {"active_file", "inactive_file"})
    pages += std::max(0.0, KernelNumber("/sys/fs/cgroup/memory.stat", key));
  return std::min(bytes, std::max(0.0, limit - used + pages));
}

Status CheckMemory(int64_t parameters, double available_bytes) {
  const double needed = 12.0 * static_cast<double>(parameters);
  if (available_bytes < 0 || needed <= available_bytes) return {};
  const auto mib = [](double bytes) { return static_cast<int64_t>(bytes / (1 << 20)); };
  return Error{
      ErrorCode::kUnavailable,
      StrCat("not enough memory: training ", WithThousands(parameters), " parameters takes ",
             WithThousands(mib(needed)), " MiB more for gradients and Adam's moments, ",
             WithThousands(mib(available_bytes)), " MiB are free"),
      "use a smaller model or a machine with more memory"};
}

}  // namespace assay
