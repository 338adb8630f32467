#include "sandbox/jail/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

#include "core/check.h"
#include "core/text.h"
#include "sandbox/jail/landlock.h"
#include "sandbox/jail/measure.h"
#include "sandbox/jail/py_runtime.h"
#include "sandbox/weakened.h"

namespace assay::jail {

using sandbox::EndReason;
using sandbox::RunReport;

namespace {

// A limit is looked at this often, at first and at most: short jobs are mostly over before the first look.
constexpr double kFirstTickMs = 4;
constexpr double kMaxTickMs = 20;
// So many looks in a row may find processes that come and go.
constexpr int kUnsteadyMax = 25;
// On a busy machine an end may be seen so late; up to here the doubt is the program's.
constexpr double kLateMs = 250;

double ToMs(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
}

void AddUsage(const rusage& usage, Reaped* out) {
  out->cpu_ms += ToMs(usage.ru_utime) + ToMs(usage.ru_stime);
  out->max_rss_kib = std::max<int64_t>(out->max_rss_kib, usage.ru_maxrss);
  ++out->processes;
}

// What lies in a tmpfs, KiB.
int64_t UsedKib(const std::string& folder) {
  struct statfs info;
  if (statfs(folder.c_str(), &info) != 0) return 0;
  return static_cast<int64_t>(info.f_blocks - info.f_bfree) * (info.f_bsize / 1024);
}

}  // namespace

bool Scratch::LeftNothing() const {
  struct statfs info;
  // The folder itself uses one inode and no block.
  return statfs(world_.scratch.c_str(), &info) == 0 && info.f_bfree == info.f_blocks &&
         info.f_ffree + 1 == info.f_files;
}

bool Scratch::IsFull() const {
  struct statfs info;
  return world_.private_tmp && statfs(world_.scratch.c_str(), &info) == 0 &&
         (info.f_bfree == 0 || info.f_ffree == 0);
}

bool Scratch::IsOver(const Limits& limits) const {
  namespace fs = std::filesystem;
  if (world_.private_tmp) return false;
  constexpr int kCountedDepth = 32;
  int64_t files = 0, blocks = 0;
  std::error_code error;
  auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator at(world_.scratch, options, error), end;
       !error && at != end; at.increment(error)) {
    struct stat info;
    if (lstat(at->path().c_str(), &info) == 0) blocks += info.st_blocks;
    // Each level holds a descriptor; what lies deeper is not counted.
    if (at.depth() >= kCountedDepth) at.disable_recursion_pending();
    if (++files > limits.files || blocks / 2048 > limits.disk_mib) return true;
  }
  return false;
}

bool Scratch::Prepare(const Limits& limits) {
  return world_.private_tmp ? PrepareMount(limits) : PrepareFolder();
}

bool Scratch::PrepareMount(const Limits& limits) {
  const char* folder = world_.scratch.c_str();
  if (mounted_ && (world_.without & kWithoutFreshFolder) != 0) return true;
  bool reusable =
      mounted_ && disk_mib_ == limits.disk_mib && files_ == limits.files && LeftNothing();
  if (!reusable) {
    if (mounted_ && umount2(folder, MNT_DETACH) != 0) return false;
    mounted_ = false;
    // Owned by the zygote, so that a box can neither change its mode nor hang attributes on it.
    std::string options =
        StrCat("mode=1777,size=", limits.disk_mib, "m,nr_inodes=", limits.files + 1);
    if (mount("assay-tmp", folder, "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
      return false;
    }
    mounted_ = true;
    disk_mib_ = limits.disk_mib;
    files_ = limits.files;
  }
  // A name made and removed again leaves only the folder's times behind: every job finds the same ones.
  timespec zero[2] = {};
  return utimensat(AT_FDCWD, folder, zero, 0) == 0;
}

// A new folder for each job: what the last job did to its own (mode, times) goes with it.
bool Scratch::PrepareFolder() {
  const std::string& folder = world_.scratch;
  chmod(folder.c_str(), 0700);
  if (access(folder.c_str(), F_OK) == 0 && (!EmptyFolder(folder) || rmdir(folder.c_str()) != 0))
    return false;
  if (mkdir(folder.c_str(), 0700) != 0) return false;
  if (world_.separate_user && chown(folder.c_str(), world_.box_uid, world_.box_uid) != 0)
    return false;
  if (!world_.landlock) return true;
  Result<sandbox::Fd> ruleset = BuildRuleset(ReadOnlyPaths(world_), folder);
  if (!ruleset.ok()) return false;
  ruleset_ = std::move(ruleset).value();
  return true;
}

namespace {

void KillAll(const World& world) {
  if (world.own_pids) {
    // As pid 1, "all processes" are the namespace's. A fork cannot slip through: it fails once the signal is pending.
    ASSAY_CHECK(getpid() == 1);
    kill(-1, SIGKILL);
  } else {
    // Never kill(-1) here: it would be the whole machine. What is killed cannot fork, so repeated passes come to an end.
    KillDescendants();
  }
}

}  // namespace

Reaped EndEverything(const World& world, bool killed) {
  Reaped reaped;
  for (;;) {
    // A pid namespace is empty for certain after one blow, which looks at every process of the machine; without one, look again
    // while anything is left.
    if (!killed || !world.own_pids) KillAll(world);
    killed = true;
    int status;
    rusage usage;
    pid_t pid = wait4(-1, &status, world.own_pids ? 0 : WNOHANG, &usage);
    if (pid < 0 && errno == ECHILD) return reaped;
    if (pid > 0) AddUsage(usage, &reaped);
    if (pid == 0) usleep(500);
  }
}

struct Supervisor::State {
  pid_t pid = -1;
  double start_ms = 0;
  double end_ms = 0;
  int status = 0;
  bool exited = false;
  bool parent_gone = false;
  bool judged = false;       // the parent ended it because the tester was done
  Cause cause = Cause::kOk;  // of an end that we brought about
  double cpu_before_ms = 0;  // what entering the box took
  double group_cpu_before_ms = -1;
  int64_t limit_kib =
      0;  // what the processes may have resident, with what they share with the zygote
  std::optional<WaitMeter> waits;
  double late_ms = 0;      // how long we were kept from looking
  double late_now_ms = 0;  // of it, since the last look
  double starved_ms = 0;   // of the time so far
  double run_delay_share = 0;
  int64_t peak_kib = 0;
  int unsteady = 0;  // looks in a row at processes that came and went
  int64_t process_peak = 1;
  rusage usage = {};
};

Supervisor::Supervisor(const World& world) : world_(world), base_rss_kib_(ResidentKib(0)) {
  void* page =
      mmap(nullptr, sizeof(BoxProgress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSAY_CHECK(page != MAP_FAILED);
  progress_ = static_cast<BoxProgress*>(page);
}

pid_t Supervisor::Fork(const BoxSpec& spec, const std::function<int()>& body) {
  *progress_ = BoxProgress{};
  pid_t child = ForkWithPython();
  if (child != 0) return child;
  EnterBox(spec, progress_);
  munmap(progress_, sizeof(BoxProgress));
  _exit(body());
}

bool Supervisor::Attend(pid_t child, const Limits& limits, bool own_image, int control_fd,
                        const std::function<void()>& settled, RunReport* report) {
  State state;
  state.pid = child;
  state.start_ms = NowMs();
  state.cpu_before_ms = ProcessCpuMs(child);
  state.group_cpu_before_ms = world_.groups->CpuMs();
  const int64_t memory_kib = limits.memory_mib * 1024;
  // Until it is another program, it has the zygote's pages too.
  state.limit_kib = own_image ? std::max(memory_kib, base_rss_kib_) : memory_kib + base_rss_kib_;
  Watch(limits, control_fd, &state);
  // The clock stops before the cleaning: that is ours.
  state.end_ms = NowMs();
  const bool ends = (world_.without & kWithoutEnd) == 0;
  // Without a pid namespace one blow may miss some.
  const bool early = state.judged && settled && world_.own_pids && ends;
  if (early) {
    KillAll(world_);
    Report(limits, state, Reaped{.cpu_ms = ProcessCpuMs(child)}, report);
    settled();
  }
  Reaped reaped = ends ? EndEverything(world_, early) : Reaped();
  if (state.exited) AddUsage(state.usage, &reaped);
  if (!early) Report(limits, state, reaped, report);
  return !state.parent_gone;
}

// Until the first process has ended or a limit was reached. Nothing is killed here but what EndEverything kills afterwards.
void Supervisor::Watch(const Limits& limits, int control_fd, State* state) {
  sandbox::Fd exit_fd(static_cast<int>(syscall(SYS_pidfd_open, state->pid, 0)));
  double tick = kFirstTickMs;
  double woke = NowMs(), used_then = ProcessCpuMs(0);
  for (;;) {
    pollfd waits[2] = {{exit_fd.get(), POLLIN, 0}, {control_fd, POLLIN, 0}};
    double left =
        static_cast<double>(limits.wall_ms) + state->starved_ms - (NowMs() - state->start_ms);
    const int pause = static_cast<int>(std::clamp(left, 0.0, tick) + 0.999);
    int ready = poll(waits, 2, pause);
    if (ready < 0 && errno != EINTR) return;
    // What was neither the pause nor our own work.
    const double now = NowMs(), used = ProcessCpuMs(0);
    state->late_now_ms = std::max(now - woke - pause - (used - used_then), 0.0);
    state->late_ms += state->late_now_ms;
    woke = now;
    used_then = used;
    if (waits[0].revents != 0) {
      state->exited = wait4(state->pid, &state->status, 0, &state->usage) == state->pid;
      return;
    }
    if (waits[1].revents != 0) {
      sandbox::Frame frame;
      if (!sandbox::ReceiveFrame(control_fd, &frame)) {
        state->parent_gone = true;
        return;
      }
      auto reason = static_cast<EndReason>(frame.payload.empty() ? 0 : frame.payload[0]);
      state->judged = reason == EndReason::kJudged;
      if (reason == EndReason::kOutputLimit) state->cause = Cause::kOutputLimit;
      if (reason == EndReason::kWallLimit) state->cause = Cause::kWallLimit;
      return;
    }
    if (CheckLimits(limits, state)) return;
    tick = std::min(tick * 1.5, kMaxTickMs);
  }
}

// Time that no process shows any more: of children that were reaped by nobody (their parent ignores SIGCHLD). The group's clock
// lags by a tick or two on each core, so small differences mean nothing.
double Supervisor::CpuMs(double of_processes, const State& state) {
  constexpr double kLagMs = 20;
  const double of_group = world_.groups->CpuMs() - state.group_cpu_before_ms;
  const bool known = state.group_cpu_before_ms >= 0;
  return known && of_group > of_processes + kLagMs ? of_group : of_processes;
}

// Resident memory and what lies in the temporary folder. Where the simple sum is over the limit, pages that several processes
// share count once, and so do mapped files of the folder: by the control group's own account, or by each process's share.
bool Supervisor::FitsMemory(Sample sample, State* state) {
  if (world_.groups->OutOfMemory()) return false;
  const int64_t folder_kib = world_.private_tmp ? UsedKib(world_.scratch) : 0;
  int64_t total_kib = sample.memory_kib + folder_kib;
  if (total_kib > state->limit_kib && (sample.processes > 1 || folder_kib > 0)) {
    if (world_.groups->limits_memory()) return true;
    sample = MeasureAll(true);
    // A sum over processes that come and go is too large. One that is never steady is believed in the end.
    if (!sample.steady && ++state->unsteady < kUnsteadyMax) return true;
    total_kib = sample.memory_kib + std::max<int64_t>(folder_kib - sample.shared_file_kib, 0);
  }
  state->unsteady = 0;
  state->peak_kib = std::max(state->peak_kib, total_kib);
  return total_kib <= state->limit_kib;
}

// What others keep from running has its time all the same, up to a point. A machine that kept us from looking was no better to the box.
void Supervisor::CheckWall(const Limits& limits, double wall, double cpu_ms, State* state) {
  const double limit = static_cast<double>(limits.wall_ms);
  if (!state->waits) state->waits.emplace(state->start_ms);
  state->starved_ms =
      std::max({state->starved_ms, state->waits->Look(cpu_ms), std::min(state->late_ms, wall)});
  if (wall - state->starved_ms >= limit) {
    state->cause = Cause::kWallLimit;
  } else if (wall >= static_cast<double>(WallMaxMs(limits.wall_ms))) {
    state->cause = Cause::kWallLimit;
    state->run_delay_share = std::min(1.0, state->starved_ms / wall);
  }
}

// Memory before CPU: a program that has no memory left often spends its last time on looking for some.
bool Supervisor::CheckLimits(const Limits& limits, State* state) {
  double wall = NowMs() - state->start_ms;
  Sample sample;
  if (world_.has_proc) {
    sample = MeasureAll(false);
  } else {
    sample.cpu_ms = ProcessCpuMs(state->pid);
  }
  sample.cpu_ms = CpuMs(sample.cpu_ms - state->cpu_before_ms, *state);
  state->process_peak = std::max(state->process_peak, sample.tasks);
  if (!FitsMemory(sample, state)) {
    state->cause = Cause::kMemoryLimit;
  } else if (sample.tasks > limits.processes) {
    state->cause = Cause::kProcessLimit;
  } else if (sample.cpu_ms > static_cast<double>(limits.cpu_ms)) {
    state->cause = Cause::kCpuLimit;
  } else if (wall >= static_cast<double>(limits.wall_ms) / 2) {
    CheckWall(limits, wall, sample.cpu_ms, state);
  }
  return state->cause != Cause::kOk;
}

namespace {

Cause CauseOfStatus(int status, RunReport* report) {
  if (!WIFSIGNALED(status)) {
    report->exit_code = WEXITSTATUS(status);
    return report->exit_code != 0 ? Cause::kNonzeroExit : Cause::kOk;
  }
  report->signal = WTERMSIG(status);
  return report->signal == SIGXCPU   ? Cause::kCpuLimit
         : report->signal == SIGSYS  ? Cause::kPolicy
         : report->signal == SIGXFSZ ? Cause::kDiskLimit
                                     : Cause::kSignal;
}

}  // namespace

void Supervisor::Report(const Limits& limits, const State& state, const Reaped& used,
                        RunReport* report) {
  report->wall_ms = state.end_ms - state.start_ms;
  report->cpu_ms = CpuMs(std::max(used.cpu_ms - state.cpu_before_ms, 0.0), state);
  report->peak_memory_kib = std::max(used.max_rss_kib, state.peak_kib);
  report->process_peak = std::max<int64_t>(state.process_peak, used.processes);
  report->run_delay_share = state.run_delay_share;
  Cause cause = state.cause;
  if (state.exited && !progress_->entered && WIFEXITED(state.status) &&
      WEXITSTATUS(state.status) == kBoxFailedExit) {
    report->fault = StrCat("entering the box: ", BoxStepName(progress_->step), ": ",
                           strerror(progress_->error));
    report->cause = static_cast<uint8_t>(Cause::kFault);
    return;
  }
  if (cause == Cause::kOk && state.exited) cause = CauseOfStatus(state.status, report);
  // What the samples were too slow to see. Whoever had too much memory at any time had it before its time was up; and where one
  // process was killed for memory, that is the first cause, however the others ended.
  const bool own_end =
      cause == Cause::kOk || cause == Cause::kNonzeroExit || cause == Cause::kSignal;
  const bool no_limit_yet = state.cause == Cause::kOk;
  const bool time_up = cause == Cause::kCpuLimit || cause == Cause::kWallLimit;
  if ((no_limit_yet || time_up) && world_.groups->KilledForMemory()) {
    cause = Cause::kMemoryLimit;
  } else if ((own_end || time_up) && report->peak_memory_kib > state.limit_kib) {
    cause = Cause::kMemoryLimit;
  } else if (own_end && report->cpu_ms > static_cast<double>(limits.cpu_ms)) {
    cause = Cause::kCpuLimit;
  } else if (own_end &&
             report->wall_ms - std::max(state.starved_ms + state.late_now_ms, state.late_ms) >
                 static_cast<double>(limits.wall_ms) + kLateMs) {
    cause = Cause::kWallLimit;
  }
  const bool failed = cause == Cause::kNonzeroExit || cause == Cause::kSignal;
  if (failed && (report->process_peak >= limits.processes || world_.groups->RefusedProcess()))
    cause = Cause::kProcessLimit;
  report->cause = static_cast<uint8_t>(cause);
  report->ended_by_us = state.judged;
}

}  // namespace assay::jail
