#include "core/cores.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/text.h"

namespace assay {
namespace {

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "200000 100000" (version 2) or the two files of version 1, as cores; 0: no limit.
double CoresOfGroup(const std::string& folder) {
  std::istringstream both(FirstLine(folder + "/cpu.max"));
  double quota = 0, period = 0;
  if (both >> quota >> period) return quota > 0 && period > 0 ? quota / period : 0;
  std::istringstream first(FirstLine(folder + "/cpu.cfs_quota_us"));
  std::istringstream second(FirstLine(folder + "/cpu.cfs_period_us"));
  return first >> quota && second >> period && quota > 0 && period > 0 ? quota / period : 0;
}

// The tightest of a group and all above it.
double CoresOfPath(const std::string& mount, std::string path) {
  double least = 0;
  for (;;) {
    const double cores = CoresOfGroup(mount + path);
    if (cores > 0 && (least == 0 || cores < least)) least = cores;
    const size_t up = path.rfind('/');
    if (path.empty() || up == std::string::npos) return least;
    path.resize(up);
  }
}

}  // namespace

int QuotaCores(const std::string& root, const std::string& membership) {
  double least = 0;
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool version2 = controllers == ",,";
    if (!version2 && controllers.find(",cpu,") == std::string::npos) continue;
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    for (const char* mount : {"", "/cpu", "/cpu,cpuacct"}) {
      const double cores = CoresOfPath(root + mount, path);
      if (cores > 0 && (least == 0 || cores < least)) least = cores;
    }
  }
  return static_cast<int>(std::ceil(least));
}

int UsableCores() {
  cpu_set_t set;
  int cores = sched_getaffinity(0, sizeof(set), &set) == 0
                  ? CPU_COUNT(&set)
                  : static_cast<int>(std::thread::hardware_concurrency());
  std::ifstream file("/proc/self/cgroup");
  std::stringstream membership;
  membership << file.rdbuf();
  const int quota = QuotaCores("/sys/fs/cgroup", membership.str());
  if (quota > 0) cores = std::min(cores, quota);
  return std::max(cores, 1);
}

}  // namespace assay
