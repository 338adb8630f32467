// Every limit stops what it is for, names itself, and lets honest use pass.
#include <sys/resource.h>

#include <string>

#include "tests/sandbox/sandbox_fixture.h"

namespace assay {
namespace {

using LimitsTest = SandboxTest;

// Little CPU time, and a wall clock that no busy machine reaches before it.
Limits Short() {
  Limits limits;
  limits.cpu_ms = 300;
  limits.wall_ms = 30'000;
  return limits;
}

// Workers that are lost for want of them would be blamed on a program.
TEST_F(LimitsTest, TooFewFilesAreAnErrorBeforeTheFirstProgram) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = 40;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  SandboxConfig config;
  config.slots = 4;
  const auto made = Sandbox::Create(config);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(made.error().hint.find("ulimit -n"), std::string::npos);
}

TEST_F(LimitsTest, AProgramThatEndsIsOk) {
  RunResult result = Python("print(int(input()) + 1)", {}, "41\n");
  EXPECT_EQ(result.cause, Cause::kOk) << Show(result);
  EXPECT_EQ(result.stdout_bytes, "42\n");
  EXPECT_EQ(result.exit_code, 0);
}

TEST_F(LimitsTest, ExitCodesAndSignalsAreKept) {
  RunResult exited = Python("import sys; sys.exit(7)");
  EXPECT_EQ(exited.cause, Cause::kNonzeroExit);
  EXPECT_EQ(exited.exit_code, 7);
  RunResult killed = Python("import os; os.kill(os.getpid(), 9)");
  EXPECT_EQ(killed.cause, Cause::kSignal) << Show(killed);
  EXPECT_EQ(killed.signal, 9);
  RunResult raised = Python("1/0");
  EXPECT_EQ(raised.cause, Cause::kNonzeroExit);
  EXPECT_NE(raised.stderr_bytes.find("ZeroDivisionError"), std::string::npos)
      << raised.stderr_bytes;
}

TEST_F(LimitsTest, CpuLimit) {
  RunResult result = Python("while True: pass", Short());
  EXPECT_EQ(result.cause, Cause::kCpuLimit) << Show(result);
  EXPECT_LT(result.cpu_ms, 1000);
}

// Children of a parent that ignores their end are reaped by nobody: only a control group's clock has seen them.
TEST_F(LimitsTest, CpuOfChildrenThatNobodyReapsCounts) {
  for (const auto& [name, state] : sandbox_->Describe().layers) {
    if (name == "cpu control group" && state.rfind("off", 0) == 0)
      GTEST_SKIP() << "no CPU control group on this machine: " << state;
  }
  RunResult result = Python(
      "import os, signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nfor _ in "
      "range(200):\n  if os.fork() == 0:\n    t = time.process_time()\n    while "
      "time.process_time() - t < 0.01: pass\n    os._exit(0)\n  try: os.wait()\n  except OSError: "
      "pass\n",
      Short());
  EXPECT_EQ(result.cause, Cause::kCpuLimit) << Show(result);
}

TEST_F(LimitsTest, CpuOfChildrenAndThreadsCounts) {
  RunResult child =
      Python("import os\npid = os.fork()\nif pid == 0:\n  while True: pass\nos.wait()", Short());
  EXPECT_EQ(child.cause, Cause::kCpuLimit) << Show(child);
  RunResult reaped = Python(
      "import os, time\nfor _ in range(20):\n  pid = os.fork()\n  if pid == 0:\n    t = "
      "time.process_time()\n"
      "    while time.process_time() - t < 0.05: pass\n    os._exit(0)\n  os.wait()\n",
      Short());
  EXPECT_EQ(reaped.cause, Cause::kCpuLimit) << Show(reaped);
  RunResult thread = Python(
      "import threading\ndef f():\n  while True: pass\nt = "
      "threading.Thread(target=f)\nt.start()\nt.join()",
      Short());
  EXPECT_EQ(thread.cause, Cause::kCpuLimit) << Show(thread);
}

TEST_F(LimitsTest, WallLimit) {
  Limits limits;
  limits.wall_ms = 1000;
  RunResult result = Python("import time; time.sleep(60)", limits);
  EXPECT_EQ(result.cause, Cause::kWallLimit) << Show(result);
  RunResult stopped = Python("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", limits);
  EXPECT_EQ(stopped.cause, Cause::kWallLimit) << Show(stopped);
  RunResult at_exit = Python("import atexit, time; atexit.register(time.sleep, 60)", limits);
  EXPECT_EQ(at_exit.cause, Cause::kWallLimit) << Show(at_exit);
}

TEST_F(LimitsTest, MemoryLimit) {
  Limits limits;
  limits.memory_mib = 128;
  for (const char* bomb :
       {"x = b'x' * (64 << 30)", "x = []\nwhile True: x.append(bytearray(1 << 20))",
        "s = 'x'\nwhile True: s += s",
        "import mmap\nm = []\nwhile True:\n  m.append(mmap.mmap(-1, 1 << 24))\n  m[-1].write(b'x' "
        "* (1 << 24))",
        "x = bytearray(10 ** 9)"}) {
    RunResult result = Python(bomb, limits);
    EXPECT_EQ(result.cause, Cause::kMemoryLimit) << bomb << "\n" << Show(result);
  }
}

TEST_F(LimitsTest, MemoryOfManyProcessesIsOneSum) {
  Limits limits;
  limits.memory_mib = 128;
  RunResult result = Python(
      "import os, time\nfor _ in range(8):\n  if os.fork() == 0:\n    x = bytearray(40 << 20)\n    "
      "time.sleep(30)\n    os._exit(0)\n"
      "time.sleep(30)",
      limits);
  EXPECT_EQ(result.cause, Cause::kMemoryLimit) << Show(result);
}

TEST_F(LimitsTest, LimitsChangeFromJobToJob) {
  Limits large, small;
  small.memory_mib = 48;
  for (int round = 0; round < 3; ++round) {
    RunResult filled =
        Python("open('big', 'wb').write(b'x' * (60 << 20))\nx = bytearray(200 << 20)", large);
    EXPECT_EQ(filled.cause, Cause::kOk) << Show(filled);
    RunResult honest = Python("print(1)", small);
    EXPECT_EQ(honest.cause, Cause::kOk) << Show(honest);
    RunResult bomb = Python("x = bytearray(100 << 20)", small);
    EXPECT_EQ(bomb.cause, Cause::kMemoryLimit) << Show(bomb);
  }
}

TEST_F(LimitsTest, HonestMemoryAndThreadsPass) {
  RunResult memory = Python("x = [0] * (8 << 20)\nprint(len(x))");
  EXPECT_EQ(memory.cause, Cause::kOk) << Show(memory);
  RunResult threads = Python(
      "import threading, time\nb = threading.Barrier(65)\nts = [threading.Thread(target=b.wait) "
      "for _ in range(64)]\n"
      "for t in ts: t.start()\nb.wait()\nfor t in ts: t.join()\nprint('all')");
  EXPECT_EQ(threads.cause, Cause::kOk) << Show(threads);
  EXPECT_EQ(threads.stdout_bytes, "all\n");
}

TEST_F(LimitsTest, ProcessLimit) {
  Limits limits = Short();
  limits.processes = 8;
  RunResult forks = Python(
      "import os, time\nfor _ in range(60):\n  if os.fork() == 0:\n    time.sleep(20)\n    "
      "os._exit(0)\n",
      limits);
  EXPECT_EQ(forks.cause, Cause::kProcessLimit) << Show(forks);
  EXPECT_LE(forks.process_peak, 8);
  RunResult bomb =
      Python("import os\nwhile True:\n  try: os.fork()\n  except OSError: pass\n", limits);
  EXPECT_NE(bomb.cause, Cause::kOk) << Show(bomb);
  EXPECT_NE(bomb.cause, Cause::kFault) << Show(bomb);
  RunResult threads = Python(
      "import threading, time\nfor _ in range(60): threading.Thread(target=time.sleep, "
      "args=(25,), daemon=True).start()\n",
      limits);
  EXPECT_EQ(threads.cause, Cause::kProcessLimit) << Show(threads);
}

TEST_F(LimitsTest, OutputLimitIsVisible) {
  Limits limits;
  limits.output_bytes = 100'000;
  for (const char* stream : {"stdout", "stderr"}) {
    RunResult result = Python(
        std::string("import sys\nwhile True: sys.") + stream + ".write('x' * 10000)", limits);
    EXPECT_EQ(result.cause, Cause::kOutputLimit) << stream;
    bool out = std::string(stream) == "stdout";
    EXPECT_EQ(out ? result.stdout_bytes.size() : result.stderr_bytes.size(), 100'000u);
    EXPECT_EQ(result.stdout_truncated, out);
    EXPECT_EQ(result.stderr_truncated, !out);
  }
  RunResult once = Python("import os\nos.write(1, b'y' * 100001)", limits);
  EXPECT_EQ(once.cause, Cause::kOutputLimit) << once.stdout_bytes.size();
}

TEST_F(LimitsTest, OutputIsDrainedAndKeptAsBytes) {
  RunResult big =
      Python("import sys\nsys.stderr.write('e' * 2_000_000)\nsys.stdout.write('o' * 2_000_000)");
  EXPECT_EQ(big.cause, Cause::kOk);
  EXPECT_EQ(big.stdout_bytes.size(), 2'000'000u);
  EXPECT_EQ(big.stderr_bytes.size(), 2'000'000u);
  RunResult raw = Python("import os\nos.write(1, bytes(range(256)))");
  ASSERT_EQ(raw.stdout_bytes.size(), 256u);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(static_cast<unsigned char>(raw.stdout_bytes[i]), i);
}

TEST_F(LimitsTest, LargeInputArrivesAndNeedNotBeRead) {
  std::string input(3'000'000, 'a');
  RunResult read = Python("import sys\nprint(len(sys.stdin.read()))", {}, input);
  EXPECT_EQ(read.stdout_bytes, "3000000\n") << Show(read);
  RunResult ignored = Python("print('done')", {}, input);
  EXPECT_EQ(ignored.stdout_bytes, "done\n") << Show(ignored);
}

TEST_F(LimitsTest, DiskLimits) {
  Limits limits;
  limits.disk_mib = 4;
  limits.files = 50;
  RunResult bytes = Python(
      "with open('big', 'wb') as f:\n  for _ in range(99): f.write(b'x' * (1 << 20))", limits);
  EXPECT_EQ(bytes.cause, Cause::kDiskLimit) << Show(bytes);
  RunResult many = Python("for i in range(9999): open(str(i), 'w').close()", limits);
  EXPECT_EQ(many.cause, Cause::kDiskLimit) << Show(many);
  RunResult sparse = Python("f = open('sparse', 'wb')\nf.truncate(32 << 40)", limits);
  EXPECT_NE(sparse.cause, Cause::kOk) << Show(sparse);
  RunResult honest = Python(
      "import tempfile\nwith tempfile.TemporaryFile() as f:\n  f.write(b'x' * 1000)\nprint('ok')",
      limits);
  EXPECT_EQ(honest.cause, Cause::kOk) << Show(honest);
}

TEST_F(LimitsTest, OpenFilesAndStack) {
  Limits limits;
  limits.open_files = 20;
  RunResult files = Python("import os\nfds = [os.dup(0) for _ in range(40)]", limits);
  EXPECT_EQ(files.cause, Cause::kNonzeroExit) << Show(files);
  RunResult stack = Python(
      "import sys\nsys.setrecursionlimit(10**9)\nclass A:\n  def __repr__(self): return "
      "repr(self)\nrepr(A())");
  EXPECT_EQ(stack.cause, Cause::kSignal) << Show(stack);
  EXPECT_EQ(stack.signal, 11);
}

TEST_F(LimitsTest, SyntaxErrorsNameTheLine) {
  RunResult result = Python("x = 1\ndef f(:\n");
  EXPECT_EQ(result.cause, Cause::kNonzeroExit);
  EXPECT_NE(result.stderr_bytes.find("line 2"), std::string::npos) << result.stderr_bytes;
}

}  // namespace
}  // namespace assay
