#include "sandbox/jail/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string_view>
#include <vector>

#include "core/text.h"

namespace assay::jail {

using sandbox::Fd;

namespace {

// Where this process is in the memory hierarchy, as a folder; empty if there is none.
struct Place {
  std::string folder;
  bool version_1 = false;
};

// The mount point of a cgroup file system: version 1 with the memory controller, or version 2.
std::string MountPoint(bool version_1) {
  std::ifstream mounts("/proc/self/mountinfo");
  std::string line;
  while (std::getline(mounts, line)) {
    size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::vector<std::string_view> left = SplitChar(std::string_view(line).substr(0, dash), ' ');
    std::vector<std::string_view> right = SplitChar(std::string_view(line).substr(dash + 3), ' ');
    if (left.size() < 5 || right.size() < 3) continue;
    if (!version_1 && right[0] == "cgroup2") return std::string(left[4]);
    if (version_1 && right[0] == "cgroup") {
      for (std::string_view option : SplitChar(right[2], ',')) {
        if (option == "memory") return std::string(left[4]);
      }
    }
  }
  return "";
}

Place FindPlace() {
  std::ifstream groups("/proc/self/cgroup");
  std::string line;
  Place second;
  while (std::getline(groups, line)) {
    std::vector<std::string_view> parts = SplitChar(line, ':');
    if (parts.size() < 3) continue;
    std::string path = line.substr(parts[0].size() + parts[1].size() + 2);
    if (path == "/") path.clear();
    bool memory = false;
    for (std::string_view controller : SplitChar(parts[1], ','))
      memory = memory || controller == "memory";
    if (memory) {
      std::string mount = MountPoint(true);
      if (!mount.empty()) return Place{mount + path, true};
    }
    if (parts[1].empty()) {
      std::string mount = MountPoint(false);
      if (!mount.empty()) second = Place{mount + path, false};
    }
  }
  return second;
}

bool WriteText(int fd, std::string_view text) {
  return pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

// Groups whose worker was killed together with its parent.
void RemoveStale(const std::string& folder) {
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return;
  while (dirent* entry = readdir(dir)) {
    if (strncmp(entry->d_name, "assay-", 6) != 0) continue;
    pid_t pid = static_cast<pid_t>(atoi(entry->d_name + 6));
    if (pid > 0 && kill(pid, 0) != 0 && errno == ESRCH)
      rmdir(StrCat(folder, "/", entry->d_name).c_str());
  }
  closedir(dir);
}

}  // namespace

void MemoryGroup::Create() {
  Place place = FindPlace();
  if (place.folder.empty()) {
    why_not_ = "no control groups are mounted here";
    return;
  }
  RemoveStale(place.folder);
  if (!place.version_1) {
    // Refused where processes live in our own group (the kernel allows them in leaves only), unless somebody did it before.
    Fd control(open((place.folder + "/cgroup.subtree_control").c_str(), O_WRONLY | O_CLOEXEC));
    (void)WriteText(control.get(), "+memory");
  }
  folder_ = StrCat(place.folder, "/assay-", static_cast<int64_t>(getpid()));
  if (mkdir(folder_.c_str(), 0755) != 0) {
    why_not_ = StrCat("no group can be made in ", place.folder, ": ", strerror(errno));
    folder_.clear();
    return;
  }
  if (!Open(place.version_1)) {
    why_not_ = StrCat("the memory controller is not delegated to ", place.folder);
    limit_.Reset();
    Remove();
  }
}

bool MemoryGroup::Open(bool version_1) {
  auto file = [&](const char* name, int flags) {
    return Fd(open(StrCat(folder_, "/", name).c_str(), flags | O_CLOEXEC));
  };
  procs_ = file("cgroup.procs", O_WRONLY);
  limit_ = file(version_1 ? "memory.limit_in_bytes" : "memory.max", O_RDWR);
  events_ = file(version_1 ? "memory.oom_control" : "memory.events", O_RDONLY);
  usage_ = file(version_1 ? "memory.usage_in_bytes" : "memory.current", O_RDONLY);
  return procs_.valid() && limit_.valid() && events_.valid() && usage_.valid();
}

bool MemoryGroup::Add(pid_t pid) { return !on() || WriteText(procs_.get(), std::to_string(pid)); }

void MemoryGroup::Remove() {
  // The last process may still be on its way out.
  for (int i = 0; i < 100 && !folder_.empty(); ++i) {
    if (rmdir(folder_.c_str()) == 0 || errno != EBUSY) break;
    usleep(5000);
  }
  folder_.clear();
}

bool MemoryGroup::SetLimit(int64_t memory_mib) {
  if (!on()) return true;
  if (memory_mib == memory_mib_) return true;
  if (base_bytes_ < 0) {
    char text[32] = {};
    base_bytes_ = pread(usage_.get(), text, sizeof(text) - 1, 0) > 0 ? atoll(text) : 0;
    kills_ = ReadKills();
  }
  if (!WriteText(limit_.get(), std::to_string((memory_mib << 20) + base_bytes_))) return false;
  memory_mib_ = memory_mib;
  return true;
}

int64_t MemoryGroup::ReadKills() {
  char text[512] = {};
  if (pread(events_.get(), text, sizeof(text) - 1, 0) <= 0) return 0;
  const char* found = strstr(text, "oom_kill ");
  return found != nullptr ? atoll(found + 9) : 0;
}

bool MemoryGroup::KilledForMemory() {
  if (!on()) return false;
  int64_t before = kills_;
  kills_ = ReadKills();
  return kills_ > before;
}

}  // namespace assay::jail
