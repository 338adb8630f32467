// What a box cannot do, one property a test. Each program tries something and prints what it got; docs/sandbox.md names the layer
// that each test stands for. The programs are Python: system calls are made through ctypes.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/sandbox/sandbox_fixture.h"

namespace assay {
namespace {

class EscapeTest : public SandboxTest {
 protected:
  // Runs a Python program with `sc(number, args..)` = the system call's (result, errno); returns its stdout.
  static std::string Try(const std::string& program) {
    RunResult result = Python(
        "import ctypes, os, sys, errno\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "def sc(nr, *args):\n  ctypes.set_errno(0)\n  r = libc.syscall(ctypes.c_long(nr), "
        "*[ctypes.c_long(a) if isinstance(a, int) "
        "else a for a in args])\n  return r, errno.errorcode.get(ctypes.get_errno(), 'OK')\n" +
        program);
    EXPECT_EQ(result.cause, Cause::kOk) << Show(result);
    return result.stdout_bytes;
  }
  // True if the call is refused by the filter: EPERM whatever its arguments are.
  static void ExpectRefused(const std::string& name, int number) {
    EXPECT_EQ(Try("print(sc(" + std::to_string(number) + ", 0, 0, 0, 0, 0)[1])"), "EPERM\n")
        << name;
  }
};

// ---------------------------------------------------------------------------------------------------------- identity

TEST_F(EscapeTest, HasNoCapabilitiesAndCannotGainAny) {
  std::string out =
      Try("print([l.split()[1] for l in open('/proc/self/status') if l.startswith(('Cap', "
          "'NoNewPrivs', 'Seccomp:'))])");
  EXPECT_EQ(out,
            "['0000000000000000', '0000000000000000', '0000000000000000', '0000000000000000', "
            "'0000000000000000', '1', '2']\n");
}

TEST_F(EscapeTest, IsNotAUserOfThisMachine) {
  // Inside it is 1000; the kernel's own view is outside of all users of the machine (shown by what it may read).
  EXPECT_EQ(Try("print(os.getuid(), os.getgid(), os.getgroups())"), "1000 1000 []\n");
}

TEST_F(EscapeTest, CannotBecomeAnotherUser) {
  EXPECT_EQ(Try("for f in (os.setuid, os.setgid):\n  try: f(0); print('became root')\n  except "
                "OSError as e: print(e.errno)"),
            "1\n1\n");
}

TEST_F(EscapeTest, SeesNoEnvironmentOfOurs) {
  setenv("ASSAY_TEST_SECRET", "canary", 1);
  EXPECT_EQ(Try("print('ASSAY_TEST_SECRET' in os.environ, b'canary' in open('/proc/self/environ', "
                "'rb').read(), os.environ['TZ'], "
                "os.environ['PYTHONHASHSEED'])"),
            "False False UTC 0\n");
}

// --------------------------------------------------------------------------------------------------------- processes

TEST_F(EscapeTest, SeesOnlyItsOwnProcesses) {
  EXPECT_EQ(Try("print([p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()])"),
            "[]\n");
}

TEST_F(EscapeTest, CannotSignalItsZygote) {
  EXPECT_EQ(Try("for s in (9, 15, 19, 0):\n  try: os.kill(1, s); print('sent')\n  except OSError "
                "as e: print(e.errno)"),
            "1\n1\n1\n1\n");
}

TEST_F(EscapeTest, CannotReadItsZygotesMemory) {
  EXPECT_EQ(Try("for n in ('mem', 'maps', 'environ', 'fd', 'root', 'cmdline'):\n"
                "  try: (os.listdir if n in ('fd', 'root') else open)('/proc/1/' + n); "
                "print('open', n)\n  except OSError as e: print(e.errno)"),
            "2\n2\n2\n2\n2\n2\n");
}

TEST_F(EscapeTest, PythonMayNotStartPrograms) {
  EXPECT_EQ(Try("import subprocess\ntry: subprocess.run(['/bin/true']); print('ran')\nexcept "
                "OSError as e: print(e.errno)"),
            "1\n");
}

TEST_F(EscapeTest, MayStartProgramsWhereAllowed) {
  Job job;
  job.source =
      "import subprocess\nprint(subprocess.run(['echo', 'hello'], capture_output=True).stdout)";
  job.allow = {"subprocess"};
  EXPECT_EQ(sandbox_->Run(job).stdout_bytes, "b'hello\\n'\n");
}

TEST_F(EscapeTest, DaemonsDieWithTheBox) {
  // A grandchild in its own session, deaf to SIGTERM, whose parent ends at once.
  RunResult result = Python(
      "import os, signal, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    "
      "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
      "    time.sleep(300)\n  os._exit(0)\nprint('gone')");
  EXPECT_EQ(result.cause, Cause::kOk) << Show(result);
  EXPECT_LT(result.wall_ms, 10'000);
  EXPECT_EQ(Try("print(len([p for p in os.listdir('/proc') if p.isdigit()]))"), "1\n");
}

// -------------------------------------------------------------------------------------------------------------- files

TEST_F(EscapeTest, SeesAnAllowListOfFolders) {
  EXPECT_EQ(Try("print(sorted(set(os.listdir('/')) - {'usr', 'lib', 'lib32', 'lib64', 'libx32', "
                "'bin', 'sbin'}))"),
            "['dev', 'etc', 'proc', 'tmp']\n");
}

TEST_F(EscapeTest, SeesNoFileOfTheHost) {
  std::string canary = ::testing::TempDir() + "assay_escape_canary";
  int fd = open(canary.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0666);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(write(fd, "secret", 6), 6);
  close(fd);
  char folder[4096];
  ASSERT_NE(getcwd(folder, sizeof(folder)), nullptr);
  std::string out = Try("for p in ('" + canary + "', '" + folder +
                        "', '/root', '/home', '/proc/1/root', '../../../.." + canary +
                        "'):\n  print(os.path.exists(p))");
  EXPECT_EQ(out, "False\nFalse\nFalse\nFalse\nFalse\nFalse\n");
  unlink(canary.c_str());
}

TEST_F(EscapeTest, CanWriteOnlyInItsTemporaryFolder) {
  EXPECT_EQ(Try("bad = []\nfor d, ds, fs in os.walk('/'):\n  if d.startswith(('/tmp', '/proc', "
                "'/dev/fd')): continue\n"
                "  for p in [d] + [os.path.join(d, f) for f in fs[:20]]:\n"
                "    if not os.path.islink(p) and os.access(p, os.W_OK) and not "
                "p.startswith('/dev/'): bad.append(p)\nprint(bad[:5])"),
            "[]\n");
}

TEST_F(EscapeTest, FilesDoNotSurviveTheJob) {
  Try("open('/tmp/marker', 'w').write('x')\nos.mkdir('/tmp/d')\nos.chmod('/tmp/d', "
      "0)\nopen('/dev/shm/marker', 'w').close()");
  EXPECT_EQ(Try("print(os.listdir('/tmp'), os.listdir('/dev/shm'), os.stat('/tmp').st_mtime)"),
            "[] [] 0.0\n");
}

TEST_F(EscapeTest, HasFourDevices) {
  EXPECT_EQ(Try("import stat\nprint(sorted(n for n in os.listdir('/dev') if "
                "stat.S_ISCHR(os.stat('/dev/' + n).st_mode) or "
                "stat.S_ISBLK(os.stat('/dev/' + n).st_mode)))"),
            "['null', 'random', 'urandom', 'zero']\n");
}

TEST_F(EscapeTest, InheritsThreeDescriptors) {
  EXPECT_EQ(Try("ok = []\nfor fd in range(3, 256):\n  try: os.fstat(fd); ok.append(fd)\n  except "
                "OSError: pass\nprint(ok)"),
            "[]\n");
}

// ------------------------------------------------------------------------------------------------------------ network

TEST_F(EscapeTest, CannotOpenASocket) {
  EXPECT_EQ(
      Try("import socket\nfor f in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, 40, 16, 17):\n"
          "  try: socket.socket(f, socket.SOCK_STREAM if f != 16 else socket.SOCK_RAW); "
          "print('open')\n  except OSError as e: print(e.errno)"),
      "1\n1\n1\n1\n1\n1\n");
}

TEST_F(EscapeTest, HasASocketPairOfItsOwn) {
  EXPECT_EQ(Try("import socket\na, b = socket.socketpair()\na.send(b'x')\nprint(b.recv(1))\nimport "
                "asyncio\n"
                "async def f():\n  await asyncio.sleep(0)\n  return 5\nprint(asyncio.run(f()))"),
            "b'x'\n5\n");
}

// ------------------------------------------------------------------------------------------------------------- kernel

struct Call {
  const char* name;
  int number;  // x86-64
};

// A zygote's filter lets it; a box may not, whatever stands in the half of the argument that the kernel does not read.
TEST_F(EscapeTest, CannotMakeItselfUnreadable) {
#ifndef __x86_64__
  GTEST_SKIP() << "numbers of x86-64";
#endif
  EXPECT_EQ(Try("print(sc(157, 4, 0)[1], sc(157, 4 | 1 << 32, 0)[1], sc(157, 3)[0])"),
            "EPERM EPERM 1\n");
}

TEST_F(EscapeTest, DangerousCallsAreRefused) {
#ifndef __x86_64__
  GTEST_SKIP() << "numbers of x86-64";
#endif
  const Call calls[] = {{"ptrace", 101},
                        {"syslog", 103},
                        {"personality", 135},
                        {"pivot_root", 155},
                        {"chroot", 161},
                        {"mount", 165},
                        {"umount2", 166},
                        {"swapon", 167},
                        {"sethostname", 170},
                        {"iopl", 172},
                        {"init_module", 175},
                        {"quotactl", 179},
                        {"modify_ldt", 154},
                        {"setxattr", 188},
                        {"add_key", 248},
                        {"request_key", 249},
                        {"keyctl", 250},
                        {"mbind", 237},
                        {"kexec_load", 246},
                        {"inotify_init1", 294},
                        {"unshare", 272},
                        {"perf_event_open", 298},
                        {"fanotify_init", 300},
                        {"open_by_handle_at", 304},
                        {"setns", 308},
                        {"process_vm_readv", 310},
                        {"process_vm_writev", 311},
                        {"kcmp", 312},
                        {"finit_module", 313},
                        {"seccomp", 317},
                        {"memfd_create", 319},
                        {"bpf", 321},
                        {"userfaultfd", 323},
                        {"io_uring_setup", 425},
                        {"open_tree", 428},
                        {"move_mount", 429},
                        {"fsopen", 430},
                        {"pidfd_open", 434},
                        {"pidfd_getfd", 438},
                        {"mount_setattr", 442},
                        {"landlock_create_ruleset", 444},
                        {"landlock_add_rule", 445},
                        {"landlock_restrict_self", 446},
                        {"capset", 126},
                        {"openat2", 437},
                        {"shmget", 29},
                        {"semget", 64},
                        {"msgget", 68},
                        {"mq_open", 240},
                        {"socket", 41},
                        {"vmsplice", 278},
                        {"settimeofday", 164},
                        {"reboot", 169},
                        {"acct", 163},
                        {"nfsservctl", 180},
                        {"lookup_dcookie", 212}};
  std::string program = "for n in (";
  std::string expected;
  for (const Call& call : calls) {
    program += std::to_string(call.number) + ",";
    expected += std::to_string(call.number) + " EPERM\n";
  }
  EXPECT_EQ(Try(program + "): print(n, sc(n, -1, -1, -1, -1, -1)[1])"), expected);
}

TEST_F(EscapeTest, CloneMakesNoNamespace) {
#ifndef __x86_64__
  GTEST_SKIP() << "numbers of x86-64";
#endif
  EXPECT_EQ(Try("for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, "
                "0x40000000, 0x80):\n"
                "  r = sc(56, flag | 17, 0, 0, 0, 0)\n  if r[0] == 0: os._exit(0)\n  "
                "print(r[1])\nprint(sc(435, 0, 0)[1])"),
            "EPERM\nEPERM\nEPERM\nEPERM\nEPERM\nEPERM\nEPERM\nEPERM\nENOSYS\n");
}

TEST_F(EscapeTest, MknodMakesPipesOnly) {
  EXPECT_EQ(Try("import stat\nos.mkfifo('/tmp/p')\nfor t in (stat.S_IFCHR, stat.S_IFBLK):\n  try: "
                "os.mknod('/tmp/dev', t | 0o666, "
                "os.makedev(1, 3)); print('made')\n  except OSError as e: print(e.errno)"),
            "1\n1\n");
}

TEST_F(EscapeTest, ForeignArchitectureIsKilled) {
#ifndef __x86_64__
  GTEST_SKIP() << "int 0x80 is of x86";
#endif
  RunResult result = In("c",
                        "int main(void) { int r; __asm__ volatile(\"int $0x80\" : \"=a\"(r) : "
                        "\"a\"(20)); return r > 0; }");
  EXPECT_EQ(result.cause, Cause::kPolicy) << Show(result);
}

TEST_F(EscapeTest, TerminalsCannotBeFedInput) {
  EXPECT_EQ(Try("print(sc(16, 0, 0x5412, b'x')[1])"), "EPERM\n");
}

TEST_F(EscapeTest, StaysMeasurable) {
  EXPECT_EQ(Try("print(sc(157, 4, 0, 0, 0, 0)[1])"), "EPERM\n");
}

TEST_F(EscapeTest, LimitsCannotBeRaised) {
  EXPECT_EQ(Try("import resource\nbad = []\nfor n in ('CPU', 'FSIZE', 'DATA', 'STACK', 'NOFILE', "
                "'NPROC', 'CORE'):\n  r = getattr(resource, "
                "'RLIMIT_' + n)\n  soft, hard = resource.getrlimit(r)\n  if hard == "
                "resource.RLIM_INFINITY: bad.append(n)\n"
                "  try: resource.setrlimit(r, (hard + 1, hard + 1)); bad.append(n)\n  except "
                "(OSError, ValueError): pass\nprint(bad)"),
            "[]\n");
}

// -------------------------------------------------------------------------------------------------- between jobs

TEST_F(EscapeTest, ABoxThatWaitsIsNeverBesideAJob) {
  SandboxConfig config;
  config.jail_path = JailPath();
  auto one = Sandbox::Create(config);
  ASSERT_TRUE(one.ok());
  Job job;
  // What each sees, kills and leaves is the same whether its box waited for it or not.
  job.source =
      "import os\nbefore = sorted(os.listdir('.'))\nopen('left', 'w').close()\n"
      "seen = [p for p in range(2, 400) if p != os.getpid() and os.path.exists(f'/proc/{p}')]\n"
      "fds = sorted(int(f) for f in os.listdir('/proc/self/fd'))\n"
      "def kill_all():\n  try: os.kill(-1, 0)\n  except OSError as e: return e.errno\n  return 0\n"
      "print(before, seen, fds[:3], len(fds), input(), kill_all())";
  std::string first;
  for (int round = 0; round < 6; ++round) {
    job.stdin_bytes = "same\n";
    RunResult result = (*one)->Run(job);
    ASSERT_EQ(result.cause, Cause::kOk) << Show(result);
    if (round == 0) first = result.stdout_bytes;
    EXPECT_EQ(result.stdout_bytes, first) << round;
    usleep(30'000);  // time to make the next box
  }
  EXPECT_EQ(first.rfind("[] [] [0, 1, 2] 4 same", 0), 0u) << first;
}

TEST_F(EscapeTest, NoTextOfAnEarlierJobIsInMemory) {
  // The marker is built at run time in the second job, so that only the first job's own copy could be found.
  SandboxConfig config;
  config.jail_path = JailPath();
  auto one = Sandbox::Create(config);
  ASSERT_TRUE(one.ok());
  Job first;
  first.source = "x = 'marker_of_' 'the_first'\n# marker_of_the_first_job_0123456789\nprint(1)";
  first.stdin_bytes = "marker_of_the_first_job_0123456789";
  EXPECT_TRUE((*one)->Run(first).ok());
  Job second;
  second.source =
      "m = b'0123456789'\nm = b'first_job_' + m\nm = b'marker_of_the_' + m\nseen = 0\nfor line in "
      "open('/proc/self/maps'):\n"
      "  r, perms = line.split()[:2]\n  if 'r' not in perms or 'vvar' in line or 'vsyscall' in "
      "line: continue\n  a, b = (int(x, 16) for x in "
      "r.split('-'))\n  if b - a > 1 << 30: continue\n  with open('/proc/self/mem', 'rb') as f:\n  "
      "  f.seek(a)\n    try: data = "
      "f.read(b - a)\n    except OSError: continue\n"
      "    at = data.find(m)\n    while at >= 0:\n      seen += a + at != id(m) + 32\n      at = "
      "data.find(m, at + 1)\n    del data\nprint(seen)";
  RunResult result = (*one)->Run(second);
  EXPECT_EQ(result.stdout_bytes, "0\n") << Show(result);
}

TEST_F(EscapeTest, CandidatesHaveTheirOwnPidAndUserNamespace) {
  std::string inside =
      Try("print(*[os.readlink('/proc/self/ns/' + n) for n in ('user', 'pid', 'mnt', 'net', 'ipc', "
          "'uts', 'cgroup')])");
  for (const char* name : {"user", "pid", "mnt", "net", "ipc", "uts", "cgroup"}) {
    char target[64];
    ssize_t n = readlink((std::string("/proc/self/ns/") + name).c_str(), target, sizeof(target));
    ASSERT_GT(n, 0);
    EXPECT_EQ(inside.find(std::string(target, static_cast<size_t>(n))), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace assay
