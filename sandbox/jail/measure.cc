#include "sandbox/jail/measure.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace assay::jail {
namespace {

double ToMs(const timespec& time) {
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

int g_proc = AT_FDCWD;
bool g_own_pids = false;

// A small file of /proc, zero-terminated; empty when it cannot be read.
template <size_t kSize>
bool ReadProc(pid_t pid, const char* name, char (&buffer)[kSize]) {
  char path[64];
  const char* root = g_proc == AT_FDCWD ? "/proc/" : "";
  if (pid > 0) {
    snprintf(path, sizeof(path), "%s%d/%s", root, static_cast<int>(pid), name);
  } else {
    snprintf(path, sizeof(path), "%sself/%s", root, name);
  }
  int fd = openat(g_proc, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, buffer, kSize - 1);
  close(fd);
  buffer[n > 0 ? n : 0] = '\0';
  return n > 0;
}

struct Stat {
  pid_t pid = 0;
  char state = '?';
  pid_t parent = 0;
  long long child_ticks = 0;
  long long threads = 0;
  long long rss_pages = 0;
};

// Fields of /proc/PID/stat after the command in parentheses (which may hold anything): 3, 4, 16, 17, 20 and 24 of proc(5).
bool ReadStat(pid_t pid, Stat* out) {
  char text[1024];
  if (!ReadProc(pid, "stat", text)) return false;
  const char* rest = strrchr(text, ')');
  if (rest == nullptr) return false;
  ++rest;
  out->pid = pid;
  for (int field = 3; field <= 24 && rest != nullptr; ++field) {
    while (*rest == ' ') ++rest;
    if (field == 3) out->state = *rest;
    if (field == 4) out->parent = static_cast<pid_t>(atoll(rest));
    if (field == 16 || field == 17) out->child_ticks += atoll(rest);
    if (field == 20) out->threads = atoll(rest);
    if (field == 24) out->rss_pages = atoll(rest);
    rest = strchr(rest, ' ');
  }
  return true;
}

struct Rollup {
  int64_t proportional_kib = -1;  // not known
  int64_t shared_file_kib = 0;
};

Rollup ReadRollup(pid_t pid) {
  char text[2048];
  Rollup rollup;
  if (!ReadProc(pid, "smaps_rollup", text)) return rollup;
  const char* all = strstr(text, "\nPss:");
  const char* files = strstr(text, "\nPss_Shmem:");
  if (all != nullptr) rollup.proportional_kib = atoll(all + 5);
  if (files != nullptr) rollup.shared_file_kib = atoll(files + 11);
  return rollup;
}

std::vector<Stat> AllProcesses() {
  std::vector<Stat> list;
  int fd = g_proc == AT_FDCWD ? open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                              : openat(g_proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* folder = fd >= 0 ? fdopendir(fd) : nullptr;
  if (folder == nullptr) return list;
  while (dirent* entry = readdir(folder)) {
    pid_t pid = static_cast<pid_t>(atoi(entry->d_name));
    Stat stat;
    if (pid > 1 && ReadStat(pid, &stat)) list.push_back(stat);
  }
  closedir(folder);
  return list;
}

// What descends from the caller, never anything else, whatever the folder shows.
std::vector<Stat> Descendants(const std::vector<Stat>& all) {
  std::vector<Stat> found;
  std::vector<pid_t> parents = {getpid()};
  for (size_t i = 0; i < parents.size(); ++i) {
    for (const Stat& stat : all) {
      if (stat.parent != parents[i]) continue;
      parents.push_back(stat.pid);
      found.push_back(stat);
    }
  }
  return found;
}

std::vector<Stat> BoxProcesses() {
  return g_own_pids ? AllProcesses() : Descendants(AllProcesses());
}

// Whether these are the same processes, alive and dead alike.
bool SameMembers(const std::vector<Stat>& before, const std::vector<Stat>& after) {
  if (before.size() != after.size()) return false;
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i].pid != after[i].pid || (before[i].rss_pages > 0) != (after[i].rss_pages > 0))
      return false;
  }
  return true;
}

}  // namespace

void SetProcFolder(int fd) { g_proc = fd; }
void SetOwnPids(bool own) { g_own_pids = own; }

double NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return ToMs(now);
}

double ProcessCpuMs(pid_t pid) {
  clockid_t clock;
  timespec used;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
  return ToMs(used);
}

int64_t ResidentKib(pid_t pid) {
  Stat stat;
  static const long page_kib = sysconf(_SC_PAGESIZE) / 1024;
  return ReadStat(pid, &stat) ? stat.rss_pages * page_kib : 0;
}

RunTimes ReadRunTimes(pid_t pid) {
  char text[128];
  if (!ReadProc(pid, "schedstat", text)) return {};
  const char* second = strchr(text, ' ');
  if (second == nullptr) return {};
  return {static_cast<double>(atoll(text)) / 1e6, static_cast<double>(atoll(second)) / 1e6};
}

double WaitMeter::Look(double cpu_ms) {
  const double now = NowMs();
  double waited = waited_ms_;
  bool one_could_run = false;
  std::vector<Process> processes;
  for (const Stat& stat : BoxProcesses()) {
    // Whoever steps back of its own will is not kept waiting.
    if (getpriority(PRIO_PROCESS, static_cast<id_t>(stat.pid)) > getpriority(PRIO_PROCESS, 0))
      continue;
    one_could_run = one_could_run || stat.state == 'R';
    Process process = {stat.pid, cpu_ms_, waited_ms_};
    for (const Process& known : processes_) {
      if (known.pid == stat.pid) process = known;
    }
    processes.push_back(process);
    const RunTimes times = ReadRunTimes(stat.pid);
    // What ran meanwhile beside this one and belongs to the same box kept it waiting by itself.
    const double beside = std::max(cpu_ms - process.cpu_before_ms - times.cpu_ms, 0.0);
    waited = std::max(waited, process.waited_before_ms + times.delay_ms - beside);
  }
  // A wait is put down when it ends: since the last look all of the time was one if one of the box could run and none has.
  waits_ms_ = one_could_run && cpu_ms <= cpu_ms_ ? waits_ms_ + now - looked_ms_ : 0;
  processes_ = std::move(processes);
  looked_ms_ = now;
  cpu_ms_ = cpu_ms;
  waited_ms_ = waited;
  return std::min(waited_ms_ + waits_ms_, now - start_ms_);
}

bool BecomeOomVictim() {
  int fd = openat(g_proc, g_proc == AT_FDCWD ? "/proc/self/oom_score_adj" : "self/oom_score_adj",
                  O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool ok = write(fd, "1000", 4) == 4;
  close(fd);
  return ok;
}

void KillDescendants() {
  for (const Stat& stat : Descendants(AllProcesses())) kill(stat.pid, SIGKILL);
}

int64_t TasksOfUser(uid_t user) {
  int64_t tasks = 0;
  for (const Stat& stat : AllProcesses()) {
    char text[2048];
    const char* line = ReadProc(stat.pid, "status", text) ? strstr(text, "\nUid:") : nullptr;
    if (line != nullptr && static_cast<uid_t>(atoll(line + 5)) == user) tasks += stat.threads;
  }
  return tasks;
}

Sample MeasureAll(bool proportional) {
  Sample total;
  static const long page_kib = sysconf(_SC_PAGESIZE) / 1024;
  static const double tick_ms = 1000.0 / static_cast<double>(sysconf(_SC_CLK_TCK));
  int64_t proportional_kib = 0;
  const std::vector<Stat> found = BoxProcesses();
  for (const Stat& stat : found) {
    const int64_t resident_kib = stat.rss_pages * page_kib;
    total.cpu_ms += ProcessCpuMs(stat.pid) + static_cast<double>(stat.child_ticks) * tick_ms;
    total.memory_kib += resident_kib;
    total.tasks += stat.threads;
    ++total.processes;
    if (!proportional) continue;
    const Rollup rollup = ReadRollup(stat.pid);
    // One that hides is taken for all that it has.
    proportional_kib += rollup.proportional_kib >= 0 ? rollup.proportional_kib : resident_kib;
    total.shared_file_kib += rollup.shared_file_kib;
  }
  if (proportional) total.steady = SameMembers(found, BoxProcesses());
  if (proportional && total.processes > 1) total.memory_kib = proportional_kib;
  return total;
}

}  // namespace assay::jail
