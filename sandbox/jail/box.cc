// Theory of operation
//
// A job is untrusted from its first instruction, so everything that holds it is in place before that instruction, and nothing
// that holds it can be undone by it. Two layers are entered at two times:
//
//  - The worker's world (world.cc), once: user, pid, mount, network, ipc, uts and cgroup namespaces; a root that is an
//    allow-list of read-only mounts; the worker is pid 1 of its pid namespace. Shared between a worker's jobs, because
//    nothing can survive in it: after each job pid 1 kills every process of the namespace and waits until none is left;
//    the only writable place is a tmpfs that is empty before each job; the network namespace has no interface and
//    socket() is forbidden; System V and POSIX ipc calls, keyrings and mount calls are forbidden by the filter; the uts,
//    user and cgroup namespaces can only be changed with capabilities, and the box has none.
//  - The box (this file), for each job, in the child that will run it. The order of its steps is the argument:
//     1 own session         no terminal, no process group shared with the zygote
//     2 out of memory       of a memory group's members the box is killed first, not its zygote; needs the zygote's /proc
//     3 Landlock            only in the tier that has no mounts of its own: needs its descriptor, which the next step closes
//     4 descriptors         exactly 0, 1, 2 and, for a judge, 3; all others are closed before any id changes
//     5 signals             default dispositions, nothing blocked: no inherited immunity
//     6 limits              while still privileged: afterwards hard limits can only fall
//     7 box user            a user id that owns nothing: not the zygote's, not a tester's
//     8 no capabilities     after the change of user (which keeps them: neither id is 0); the bounding set is empty already
//     9 no new privileges   inherited from the zygote; asserted, because the next step stands on it
//    10 dumpable            so that a job can read its own /proc/self (its own only: hidepid and the user see to that);
//                           a tester stays undumpable
//    11 working folder      the tmpfs
//    12 filter              last, because every step above needs calls that it forbids; from here on nothing can be regained. The
//                           allow-list itself is in force already, in the zygote: what is loaded here takes away the rest
//
// Whatever fails ends the child with kBoxFailedExit before untrusted code: a fault of ours, never a verdict.
#include "sandbox/jail/box.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "sandbox/jail/landlock.h"
#include "sandbox/jail/measure.h"
#include "sandbox/weakened.h"

namespace assay::jail {
namespace {

bool OwnSession(const BoxSpec&) { return setsid() >= 0; }

// The zygote is in the same memory group and must not be the one that is killed for a box's memory. A process that nobody may
// look into cannot write its own score, so it is dumpable for that moment; the change of user takes it away again.
bool OomVictim(const BoxSpec& spec) {
  if (!spec.world->groups->limits_memory() || spec.trusted) return true;
  return prctl(PR_SET_DUMPABLE, 1) == 0 && BecomeOomVictim() && prctl(PR_SET_DUMPABLE, 0) == 0;
}

bool Landlock(const BoxSpec& spec) {
  return !spec.world->landlock || EnterRuleset(spec.ruleset_fd);
}

bool PlaceDescriptors(const BoxSpec& spec) {
  const int wanted[] = {spec.stdin_fd, spec.stdout_fd, spec.stderr_fd, spec.channel_fd,
                        spec.answer_fd};
  const int count = spec.channel_fd < 0 ? 3 : spec.answer_fd < 0 ? 4 : 5;
  // The zygote keeps 0..3 filled, so a source is never a target that an earlier round has overwritten.
  for (int target = 0; target < count; ++target) {
    if (dup2(wanted[target], target) < 0) return false;
  }
  if ((spec.world->without & kWithoutDescriptors) != 0) return true;
  return syscall(SYS_close_range, static_cast<unsigned>(count), ~0U, 0) == 0;
}

bool DefaultSignals(const BoxSpec&) {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  // SIGPIPE, SIGXFSZ and SIGINT belong to the interpreter: it reports them as exceptions.
  for (int number : {SIGHUP, SIGTERM, SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2, SIGQUIT, SIGXCPU}) {
    if (sigaction(number, &action, nullptr) != 0) return false;
  }
  sigset_t none;
  sigemptyset(&none);
  return sigprocmask(SIG_SETMASK, &none, nullptr) == 0;
}

bool Limit(decltype(RLIMIT_CPU) resource, int64_t soft, int64_t hard) {
  rlimit now;
  if (getrlimit(resource, &now) != 0) return false;
  rlimit wanted;
  wanted.rlim_max = std::min<rlim_t>(static_cast<rlim_t>(hard), now.rlim_max);
  wanted.rlim_cur = std::min<rlim_t>(static_cast<rlim_t>(soft), wanted.rlim_max);
  return setrlimit(resource, &wanted) == 0;
}

bool SetLimits(const BoxSpec& spec) {
  const Limits& limits = *spec.limits;
  constexpr int64_t kMib = 1 << 20;
  // The zygote watches CPU to the millisecond; the kernel's seconds are the net below it.
  int64_t cpu_s = limits.cpu_ms / 1000 + 2;
  // Address space that threads and runtimes reserve without touching is not memory: a coarse net over the watched figure.
  int64_t stacks = std::min<int64_t>(limits.processes, 64) * std::max<int64_t>(limits.stack_mib, 8);
  int64_t data_mib = limits.memory_mib + stacks + 256;
  const int64_t processes = limits.processes + spec.other_tasks;
#ifdef __SANITIZE_ADDRESS__
  data_mib = int64_t{1} << 30;  // its shadow is reserved as data
#endif
  return Limit(RLIMIT_CPU, cpu_s, cpu_s + 1) && Limit(RLIMIT_CORE, 0, 0) &&
         Limit(RLIMIT_FSIZE, limits.disk_mib * kMib, limits.disk_mib * kMib) &&
         Limit(RLIMIT_DATA, data_mib * kMib, data_mib * kMib) &&
         Limit(RLIMIT_STACK, limits.stack_mib * kMib, limits.stack_mib * kMib) &&
         Limit(RLIMIT_NOFILE, limits.open_files, limits.open_files) &&
         Limit(RLIMIT_NPROC, processes, processes) && Limit(RLIMIT_MEMLOCK, 0, 0) &&
         Limit(RLIMIT_MSGQUEUE, 0, 0) && Limit(RLIMIT_RTPRIO, 0, 0) && Limit(RLIMIT_NICE, 0, 0) &&
         Limit(RLIMIT_SIGPENDING, 256, 256);
}

// The system calls themselves: libc's wrappers would look for other threads to tell.
bool BecomeBoxUser(const BoxSpec& spec) {
  if (!spec.world->separate_user) return true;
  uid_t id = spec.world->box_uid;
  return syscall(SYS_setresgid, id, id, id) == 0 && syscall(SYS_setresuid, id, id, id) == 0 &&
         getuid() == id && geteuid() == id;
}

bool DropCapabilities(const BoxSpec&) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  return syscall(SYS_capset, &header, none) == 0;
}

bool NoNewPrivileges(const BoxSpec&) {
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

bool Dumpable(const BoxSpec& spec) { return prctl(PR_SET_DUMPABLE, spec.trusted ? 0 : 1) == 0; }

bool WorkingFolder(const BoxSpec& spec) { return chdir(spec.world->scratch.c_str()) == 0; }

bool Filter(const BoxSpec& spec) { return LoadProgram(*spec.filter); }

struct Step {
  const char* name;
  bool (*run)(const BoxSpec&);
  uint32_t layer = 0;  // of WeakLayer: left out where the red team switches it off
};

constexpr Step kSteps[] = {
    {"own session", OwnSession},
    {"out of memory", OomVictim},
    {"Landlock", Landlock},
    {"descriptors", PlaceDescriptors},
    {"signals", DefaultSignals},
    {"limits", SetLimits, kWithoutRlimits},
    {"box user", BecomeBoxUser, kWithoutUsers},
    {"no capabilities", DropCapabilities, kWithoutCapabilities},
    {"no new privileges", NoNewPrivileges},
    {"dumpable", Dumpable},
    {"working folder", WorkingFolder},
    {"filter", Filter, kWithoutFilter},
};

}  // namespace

const char* BoxStepName(int step) {
  return step >= 0 && step < static_cast<int>(std::size(kSteps)) ? kSteps[step].name : "start";
}

void EnterBox(const BoxSpec& spec, BoxProgress* progress) {
  int index = 0;
  for (const Step& step : kSteps) {
    progress->step = index++;
    if ((spec.world->without & step.layer) != 0) continue;
    if (!step.run(spec)) {
      progress->error = errno;
      _exit(kBoxFailedExit);
    }
  }
  progress->entered = true;
}

}  // namespace assay::jail
