#include "sandbox/jail/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>

#include "core/text.h"

namespace assay::jail {
namespace {

// Calls that act on the caller's own memory, descriptors, files it can already reach, children and clocks.
constexpr const char* kAllowed[] = {
    // files
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
    "pwritev2", "open", "openat", "creat", "close", "close_range", "stat", "fstat", "lstat",
    "newfstatat", "fstatat64", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2",
    "lseek", "_llseek", "getdents", "getdents64", "getcwd", "chdir", "fchdir", "rename", "renameat",
    "renameat2", "mkdir", "mkdirat", "rmdir", "link", "linkat", "unlink", "unlinkat", "symlink",
    "symlinkat", "readlink", "readlinkat", "chmod", "fchmod", "fchmodat", "chown", "fchown",
    "lchown", "fchownat", "umask", "utime", "utimes", "futimesat", "utimensat", "truncate",
    "ftruncate", "fallocate", "fadvise64", "fsync", "fdatasync", "sync_file_range", "flock", "dup",
    "dup2", "dup3", "fcntl", "pipe", "pipe2", "sendfile", "splice", "tee", "copy_file_range",
    "getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr", "readahead",
    // waiting
    "poll", "ppoll", "select", "_newselect", "pselect6", "epoll_create", "epoll_create1",
    "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2",
    "timerfd_create", "timerfd_settime", "timerfd_gettime", "signalfd", "signalfd4",
    // memory
    "brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "msync", "mincore", "mlock",
    "munlock", "mlockall", "munlockall", "membarrier",
    // processes and threads
    "fork", "vfork", "exit", "exit_group", "wait4", "waitid", "waitpid", "gettid", "getpid",
    "getppid", "getpgid", "getpgrp", "setpgid", "getsid", "setsid", "set_tid_address",
    "set_robust_list", "get_robust_list", "rseq", "futex", "futex_time64", "futex_waitv",
    "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler",
    "sched_get_priority_max", "sched_get_priority_min", "sched_rr_get_interval", "getpriority",
    "setpriority", "arch_prctl", "restart_syscall", "getcpu", "kill", "tkill", "tgkill",
    // signals and timers
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait",
    "rt_sigsuspend", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "sigaltstack", "sigreturn", "pause",
    "alarm", "setitimer", "getitimer", "timer_create", "timer_settime", "timer_gettime",
    "timer_getoverrun", "timer_delete", "nanosleep", "clock_nanosleep", "clock_gettime",
    "clock_getres", "gettimeofday", "time", "times",
    // who and what am I
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "capget",
    "uname", "sysinfo", "getrusage", "getrlimit", "setrlimit", "ugetrlimit", "getrandom",
    // ends of a socket pair (socket() itself is not here)
    "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "shutdown", "getsockname",
    "getpeername", "getsockopt", "setsockopt", "send", "recv"};

constexpr const char* kExec[] = {"execve", "execveat"};

// What a zygote calls to make a box, to watch it and to collect what it left. No box may: BuildBoxProgram takes them away. Also
// prctl(PR_SET_DUMPABLE).
constexpr const char* kOfZygote[] = {"mount",
                                     "umount2",
                                     "setresuid",
                                     "setresgid",
                                     "capset",
                                     "seccomp",
                                     "pidfd_open",
                                     "openat2",
                                     "landlock_create_ruleset",
                                     "landlock_add_rule",
                                     "landlock_restrict_self"};

// Every namespace flag of clone(2): none may be set.
constexpr uint64_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                     0x80 /* CLONE_NEWTIME */;

// ioctl requests of terminals and descriptors that libraries ask on files of their own.
constexpr unsigned long kIoctls[] = {0x5401 /* TCGETS */, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX,
                                     TIOCGWINSZ};

// Not PR_SET_DUMPABLE: a process that made itself unreadable could not be measured.
constexpr int kPrctls[] = {PR_SET_NAME,
                           PR_GET_NAME,
                           PR_GET_DUMPABLE,
                           PR_SET_PDEATHSIG,
                           PR_GET_PDEATHSIG,
                           PR_CAPBSET_READ,
                           PR_GET_NO_NEW_PRIVS,
                           PR_GET_SECCOMP,
                           PR_SET_NO_NEW_PRIVS,
                           PR_SET_THP_DISABLE,
                           0x53564d41 /* PR_SET_VMA */,
                           PR_GET_KEEPCAPS,
                           PR_GET_SECUREBITS,
                           PR_GET_TIMERSLACK,
                           PR_SET_TIMERSLACK};

struct Release {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;

Error SeccompError(const char* what, int rc) {
  return Error{ErrorCode::kUnavailable,
               StrCat("the system call filter cannot be built (", what, ": ", strerror(-rc), ")"),
               ""};
}

int Allow(scmp_filter_ctx context, const char* name) {
  int nr = seccomp_syscall_resolve_name(name);
  if (nr < 0) return 0;  // this architecture or library does not know it: stays forbidden
  return seccomp_rule_add(context, SCMP_ACT_ALLOW, nr, 0);
}

int Refuse(scmp_filter_ctx context, const char* name) {
  int nr = seccomp_syscall_resolve_name(name);
  if (nr < 0) return 0;
  return seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), nr, 0);
}

int AllowIf(scmp_filter_ctx context, const char* name, scmp_arg_cmp condition) {
  int nr = seccomp_syscall_resolve_name(name);
  if (nr < 0) return 0;
  return seccomp_rule_add_array(context, SCMP_ACT_ALLOW, nr, 1, &condition);
}

int AddFiltered(scmp_filter_ctx context) {
  int rc = AllowIf(context, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, kNamespaceFlags, 0));
  if (rc == 0) rc = seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  if (rc == 0) rc = AllowIf(context, "socketpair", SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
  // mknod makes pipes only; limits are read and lowered for oneself only.
  if (rc == 0) rc = AllowIf(context, "mknod", SCMP_A1(SCMP_CMP_MASKED_EQ, S_IFMT, S_IFIFO));
  if (rc == 0) rc = AllowIf(context, "mknodat", SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, S_IFIFO));
  if (rc == 0) rc = AllowIf(context, "prlimit64", SCMP_A0(SCMP_CMP_EQ, 0));
  if (rc == 0) rc = AllowIf(context, "personality", SCMP_A0(SCMP_CMP_EQ, 0xffffffff));
  for (unsigned long request : kIoctls) {
    if (rc == 0) rc = AllowIf(context, "ioctl", SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, request));
  }
  for (int option : kPrctls) {
    if (rc == 0)
      rc = AllowIf(context, "prctl", SCMP_A0(SCMP_CMP_EQ, static_cast<uint64_t>(option)));
  }
  return rc;
}

Result<Program> ExportProgram(scmp_filter_ctx context) {
  int fd = memfd_create("policy", MFD_CLOEXEC);
  if (fd < 0) return SeccompError("memfd_create", -errno);
  int rc = seccomp_export_bpf(context, fd);
  off_t size = lseek(fd, 0, SEEK_END);
  Program program(size > 0 ? static_cast<size_t>(size) / sizeof(sock_filter) : 0);
  ssize_t got = pread(fd, program.data(), program.size() * sizeof(sock_filter), 0);
  close(fd);
  if (rc != 0) return SeccompError("export", rc);
  if (got != size || program.empty()) return SeccompError("read", -EIO);
  return program;
}

}  // namespace

Result<Program> BuildZygoteProgram() {
  Context context(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (context == nullptr) return SeccompError("init", -ENOMEM);
  int rc = seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  // A binary tree over the call numbers: the kernel walks the whole filter once per call number at load time.
  if (rc == 0) rc = seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (rc != 0) return SeccompError("attributes", rc);
  for (const char* name : kAllowed) {
    if ((rc = Allow(context.get(), name)) != 0) return SeccompError(name, rc);
  }
  for (const char* name : kExec) {
    if ((rc = Allow(context.get(), name)) != 0) return SeccompError(name, rc);
  }
  for (const char* name : kOfZygote) {
    if ((rc = Allow(context.get(), name)) != 0) return SeccompError(name, rc);
  }
  rc = AllowIf(context.get(), "prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_DUMPABLE));
  if (rc == 0) rc = AddFiltered(context.get());
  if (rc != 0) return SeccompError("filtered calls", rc);
  return ExportProgram(context.get());
}

Result<Program> BuildBoxProgram(bool allow_exec) {
  Context context(seccomp_init(SCMP_ACT_ALLOW));
  if (context == nullptr) return SeccompError("init", -ENOMEM);
  int rc = seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  if (rc != 0) return SeccompError("attributes", rc);
  for (const char* name : kOfZygote) {
    if ((rc = Refuse(context.get(), name)) != 0) return SeccompError(name, rc);
  }
  for (const char* name : kExec) {
    if (!allow_exec && (rc = Refuse(context.get(), name)) != 0) return SeccompError(name, rc);
  }
  // The option is an int: the kernel looks at its lower half only.
  rc = seccomp_rule_add(context.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1,
                        SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, PR_SET_DUMPABLE));
  if (rc != 0) return SeccompError("filtered calls", rc);
  return ExportProgram(context.get());
}

bool LoadProgram(const Program& program) {
  sock_fprog prog = {static_cast<unsigned short>(program.size()),
                     const_cast<sock_filter*>(program.data())};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0;
}

std::string PolicyText() {
  std::string text = "# default: EPERM; another architecture: the process is killed\nallow:";
  for (const char* name : kAllowed) StrAppend(&text, " ", name);
  text +=
      "\nallow with conditions: clone (no namespace flag), socketpair (AF_UNIX), mknod (pipes), "
      "prlimit64 (own), "
      "personality (read), ioctl (TCGETS FIONREAD FIONBIO FIOCLEX FIONCLEX TIOCGWINSZ), prctl "
      "(names, "
      "death signal, reads)\nENOSYS: clone3\nallow where programs may be started: execve "
      "execveat\n";
  return text;
}

}  // namespace assay::jail
