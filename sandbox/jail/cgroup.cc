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
#include "sandbox/jail/measure.h"

namespace assay::jail {

using sandbox::Fd;

namespace {

// Room above a job's limit for what the kernel can take back at any time: pages of programs and libraries. With too little of it
// a job at its limit does not fail, it crawls: every page of its program is thrown out and read again.
constexpr int64_t kReclaimableBytes = int64_t{64} << 20;
// So near to the kernel's own limit, with nothing left to take back, only a kill can follow.
constexpr int64_t kLastBytes = int64_t{4} << 20;

// Where this process is in the hierarchy of a controller, as a folder; empty if there is none.
struct Place {
  std::string folder;
  bool version_1 = false;
};

bool HasPart(std::string_view list, std::string_view part) {
  for (std::string_view one : SplitChar(list, ',')) {
    if (one == part) return true;
  }
  return false;
}

// The mount point of a control group file system: version 1 with this controller, or with "" version 2.
std::string MountPoint(const std::string& self, std::string_view controller) {
  std::ifstream mounts(self + "/mountinfo");
  std::string line;
  while (std::getline(mounts, line)) {
    size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::vector<std::string_view> left = SplitChar(std::string_view(line).substr(0, dash), ' ');
    std::vector<std::string_view> right = SplitChar(std::string_view(line).substr(dash + 3), ' ');
    if (left.size() < 5 || right.size() < 3) continue;
    if (controller.empty() ? right[0] == "cgroup2"
                           : right[0] == "cgroup" && HasPart(right[2], controller))
      return std::string(left[4]);
  }
  return "";
}

// Version 1 where the controller is bound to it, else version 2 (where the controller's files may still be missing).
Place FindPlace(const std::string& self, std::string_view controller) {
  std::ifstream groups(self + "/cgroup");
  std::string line;
  Place second;
  while (std::getline(groups, line)) {
    std::vector<std::string_view> parts = SplitChar(line, ':');
    if (parts.size() < 3) continue;
    std::string path = line.substr(parts[0].size() + parts[1].size() + 2);
    if (path == "/") path.clear();
    if (HasPart(parts[1], controller)) {
      std::string mount = MountPoint(self, controller);
      if (!mount.empty()) return Place{mount + path, true};
    }
    if (parts[1].empty()) {
      std::string mount = MountPoint(self, "");
      if (!mount.empty()) second = Place{mount + path, false};
    }
  }
  return second;
}

bool WriteText(int fd, std::string_view text) {
  return pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

// The number after `key` at the start of a line ("" : at the start of the file); 0 where there is none.
int64_t ReadNumber(const Fd& fd, std::string_view key) {
  char text[4096];
  ssize_t n = pread(fd.get(), text, sizeof(text) - 1, 0);
  if (n <= 0) return 0;
  text[n] = '\0';
  if (key.empty()) return atoll(text);
  for (const char* line = text; line != nullptr;) {
    if (strncmp(line, key.data(), key.size()) == 0 && line[key.size()] == ' ')
      return atoll(line + key.size());
    line = strchr(line, '\n');
    if (line != nullptr) ++line;
  }
  return 0;
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

void TryWrite(const std::string& path, std::string_view text) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.valid()) (void)WriteText(fd.get(), text);
}

// The last process may still be on its way out.
void RemoveFolder(std::string* folder) {
  for (int i = 0; i < 100 && !folder->empty(); ++i) {
    if (rmdir(folder->c_str()) == 0 || errno != EBUSY) break;
    usleep(5000);
  }
  folder->clear();
}

}  // namespace

void ControlGroups::Create() {
  for (Controller* controller : {&memory_, &pids_, &cpu_}) Make(controller);
  for (Controller* controller : {&memory_, &pids_, &cpu_}) {
    if (controller->limit.valid() || controller->folder.empty()) continue;
    // In version 2 one folder serves all three.
    bool used = false;
    for (const Controller* other : {&memory_, &pids_, &cpu_})
      used = used || (other->limit.valid() && other->folder == controller->folder);
    if (!used) rmdir(controller->folder.c_str());
    controller->folder.clear();
  }
}

void ControlGroups::Make(Controller* controller) {
  const bool is_cpu = controller == &cpu_;
  Place place = FindPlace(self_, is_cpu ? "cpuacct" : controller->name);
  if (place.folder.empty()) {
    controller->why_not = "no control groups are mounted here";
    return;
  }
  RemoveStale(place.folder);
  // Refused where processes live in our own group (the kernel allows them in leaves only), unless somebody did it before.
  // Version 2 has a clock in every group.
  if (!place.version_1 && !is_cpu)
    TryWrite(place.folder + "/cgroup.subtree_control", StrCat("+", controller->name));
  controller->version_1 = place.version_1;
  controller->folder = StrCat(place.folder, "/assay-", static_cast<int64_t>(getpid()));
  // One that is there already was left by a worker of the same number, or made for another of the three.
  if (mkdir(controller->folder.c_str(), 0755) != 0 && errno != EEXIST) {
    controller->why_not = StrCat("no group can be made in ", place.folder, ": ", strerror(errno));
    controller->folder.clear();
    return;
  }
  if (Open(controller)) return;
  controller->why_not = StrCat("the controller is not delegated to ", place.folder);
  controller->limit.Reset();
}

bool ControlGroups::Open(Controller* controller) {
  const bool old = controller->version_1;
  auto file = [&](const char* name, int flags) {
    return Fd(open(StrCat(controller->folder, "/", name).c_str(), flags | O_CLOEXEC));
  };
  controller->procs = file("cgroup.procs", O_WRONLY);
  if (controller == &cpu_) {
    controller->limit = file(old ? "cpuacct.usage" : "cpu.stat", O_RDONLY);
    return controller->procs.valid() && controller->limit.valid();
  }
  if (controller == &pids_) {
    controller->limit = file("pids.max", O_RDWR);
    controller->events = file("pids.events", O_RDONLY);
    return controller->procs.valid() && controller->limit.valid() && controller->events.valid();
  }
  controller->limit = file(old ? "memory.limit_in_bytes" : "memory.max", O_RDWR);
  controller->events = file(old ? "memory.oom_control" : "memory.events", O_RDONLY);
  controller->usage = file(old ? "memory.usage_in_bytes" : "memory.current", O_RDONLY);
  controller->stat = file("memory.stat", O_RDONLY);
  // What is swapped out is not resident, and would not count.
  TryWrite(StrCat(controller->folder, old ? "/memory.swappiness" : "/memory.swap.max"), "0");
  return controller->procs.valid() && controller->limit.valid() && controller->events.valid() &&
         controller->usage.valid() && controller->stat.valid();
}

std::vector<std::string> ControlGroups::Layers() const {
  std::vector<std::string> list;
  for (const Controller* controller : {&memory_, &pids_, &cpu_}) {
    list.push_back(StrCat(controller->name, " control group=",
                          controller->limit.valid() ? StrCat("on: ", controller->folder)
                                                    : StrCat("off: ", controller->why_not)));
  }
  return list;
}

bool ControlGroups::Add(pid_t pid) {
  for (const Controller* controller : {&memory_, &pids_, &cpu_}) {
    if (controller->limit.valid() && !WriteText(controller->procs.get(), std::to_string(pid)))
      return false;
  }
  return true;
}

void ControlGroups::Remove() {
  for (Controller* controller : {&memory_, &pids_, &cpu_}) {
    if (!controller->folder.empty()) RemoveFolder(&controller->folder);
  }
}

bool ControlGroups::Prepare(const Limits& limits) {
  // An event of the last job may have come after the last look.
  if (memory_.limit.valid()) kills_ = ReadNumber(memory_.events, "oom_kill");
  if (pids_.limit.valid()) refusals_ = ReadNumber(pids_.events, "max");
  if (memory_.limit.valid() && limits.memory_mib != memory_mib_) {
    if (base_bytes_ < 0) {
      base_bytes_ = ReadNumber(memory_.usage, "");
      base_resident_ = ResidentBytes();
    }
    const int64_t bytes = limits.memory_mib << 20;
    hard_bytes_ = bytes + base_bytes_ + kReclaimableBytes + bytes / 8;
    if (!WriteText(memory_.limit.get(), std::to_string(hard_bytes_))) return false;
    memory_mib_ = limits.memory_mib;
  }
  if (pids_.limit.valid() && limits.processes != processes_) {
    // One more: the zygote.
    if (!WriteText(pids_.limit.get(), std::to_string(limits.processes + 1))) return false;
    processes_ = limits.processes;
  }
  return true;
}

bool ControlGroups::KilledForMemory() {
  return memory_.limit.valid() && ReadNumber(memory_.events, "oom_kill") > kills_;
}

int64_t ControlGroups::ResidentBytes() const {
  return ReadNumber(memory_.stat, memory_.version_1 ? "rss" : "anon") +
         ReadNumber(memory_.stat, "shmem");
}

bool ControlGroups::OutOfMemory() {
  if (!memory_.limit.valid()) return false;
  if (KilledForMemory()) return true;
  const int64_t limit = memory_mib_ << 20;
  const int64_t used = ReadNumber(memory_.usage, "");
  if (used - base_bytes_ <= limit) return false;
  const int64_t reclaimable =
      ReadNumber(memory_.stat, "inactive_file") + ReadNumber(memory_.stat, "active_file");
  return ResidentBytes() - base_resident_ > limit || used - reclaimable > hard_bytes_ - kLastBytes;
}

bool ControlGroups::RefusedProcess() {
  return pids_.limit.valid() && ReadNumber(pids_.events, "max") > refusals_;
}

double ControlGroups::CpuMs() {
  if (!cpu_.limit.valid()) return -1;
  const double all_ms = cpu_.version_1
                            ? static_cast<double>(ReadNumber(cpu_.limit, "")) / 1e6
                            : static_cast<double>(ReadNumber(cpu_.limit, "usage_usec")) / 1e3;
  return all_ms - ProcessCpuMs(0);
}

}  // namespace assay::jail
