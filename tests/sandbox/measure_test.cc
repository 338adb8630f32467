// Counting bytecodes: the same number in every run, of every thread, and none at all where something could have run uncounted.
#include "core/text.h"
#include "tests/sandbox/sandbox_fixture.h"

namespace assay {
namespace {

class MeasureTest : public SandboxTest {
 protected:
  static RunResult Measured(const std::string& source, Sandbox* pool = nullptr) {
    Job job;
    job.source = source;
    job.measure_bytecodes = true;
    job.limits.cpu_ms = 20'000;
    return (pool != nullptr ? pool : sandbox_.get())->Run(job);
  }
};

constexpr char kHonest[] =
    "import random, re, collections, textwrap\n"
    "def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)\n"
    "def gen(n):\n    for i in range(n): yield i * i\n"
    "class A:\n    def __eq__(self, other): return True\n    def __hash__(self): return 1\n"
    "print(fib(15), sum(gen(1000)), len({A() for _ in range(50)}), random.random())\n"
    "print(sorted(range(1000), key=lambda x: -x)[0], re.sub('a', lambda m: 'b', 'a' * 100)[:3])\n"
    "exec('for i in range(100): pass')\n"
    "print(textwrap.fill('word ' * 40)[:9], collections.Counter('hello').most_common(1))\n";

TEST_F(MeasureTest, TheSameProgramDoesTheSameNumber) {
  SandboxConfig config;
  config.jail_path = JailPath();
  auto other = Sandbox::Create(config);
  ASSERT_TRUE(other.ok());
  RunResult first = Measured(kHonest);
  ASSERT_TRUE(first.ok()) << Show(first);
  EXPECT_GT(first.bytecodes, 30'000);
  for (int i = 0; i < 6; ++i) {
    RunResult again = Measured(kHonest, i % 2 == 0 ? other->get() : nullptr);
    EXPECT_EQ(again.bytecodes, first.bytecodes) << "run " << i;
    EXPECT_EQ(again.stdout_bytes, first.stdout_bytes);
  }
}

TEST_F(MeasureTest, WorkIsCountedWhereverItIsDone) {
  auto loop = [](int n) { return StrCat("for i in range(", n, "): x = i + 1\n"); };
  auto count = [](const std::string& source) {
    RunResult result = Measured(source);
    EXPECT_TRUE(result.ok()) << source << Show(result);
    return result.bytecodes;
  };
  const int64_t none = count("pass\n");
  const int64_t step = (count(loop(2000)) - count(loop(1000))) / 1000;
  EXPECT_GE(step, 4);
  EXPECT_LE(step, 12);
  const std::string function = "def f():\n    for i in range(50000): x = i + 1\n";
  for (const std::string& how :
       {std::string("f()\n"),
        std::string("import threading\nt = threading.Thread(target=f)\n"
                    "t.start()\nt.join()\n"),
        std::string("exec(f.__code__)\n"), std::string("list(map(lambda _: f(), [1]))\n"),
        std::string("class C:\n    def __del__(self): f()\nc = C()\ndel c\n"),
        std::string("import atexit\natexit.register(f)\n"),
        std::string("import sys\nsys.call_tracing(f, ())\n"),
        std::string("import contextvars\ncontextvars.copy_context().run(f)\n"),
        std::string("async def g(): f()\ntry: g().send(None)\nexcept StopIteration: pass\n")}) {
    int64_t executed = count(function + how);
    EXPECT_GE(executed - none, 50000 * 4) << how;
  }
}

TEST_F(MeasureTest, WhatIsWrittenInCIsBoundByCpuTime) {
  Job job;
  job.source = "print(sum(range(10 ** 6)))";
  job.measure_bytecodes = true;
  RunResult small = sandbox_->Run(job);
  EXPECT_LT(small.bytecodes, 200) << "few bytecodes, whatever it does";
  job.source = "print(sum(range(10 ** 11)))";
  job.limits.cpu_ms = 500;
  EXPECT_EQ(sandbox_->Run(job).cause, Cause::kCpuLimit);
}

// Each of these would run its loop uncounted; none gets a count for it.
TEST_F(MeasureTest, TamperingVoidsTheCount) {
  const std::string heavy = "def heavy(*a):\n    for i in range(20000): pass\n";
  for (const char* trick : {
           "import sys\nsys.settrace(None)\nheavy()\n",
           "import sys\nsys.settrace(lambda *a: None)\nheavy()\n",
           "import sys\nsys.setprofile(heavy)\nlen('')\n",
           "import threading\nthreading.setprofile(heavy)\nt = threading.Thread(target=len, "
           "args=('',))\nt.start()\nt.join()\n",
           "import sys\nsys.addaudithook(heavy)\nopen('/dev/null')\n",
           "import opcode\nc = heavy.__code__\nR = opcode.opmap['RESUME']\n"
           "heavy.__code__ = c.replace(co_code=bytes(opcode.opmap['NOP'] if i % 2 == 0 and b == R "
           "else b for i, b in enumerate(c.co_code)))\nheavy()\n",
           "import os\nif os.fork() == 0:\n    heavy()\n    os._exit(0)\nos.wait()\n",
           "import ctypes\nctypes.pythonapi.PyEval_SetTrace(None, None)\nheavy()\n",
           "import os\nf = os.open('/proc/self/mem', os.O_RDWR)\nheavy()\n",
           "import os\nos.chdir('/proc/self')\nf = open('mem', 'rb')\nheavy()\n",
           "import os\nos.symlink('/proc/self/mem', 'x')\nf = open('x', 'rb')\nheavy()\n",
           "import cProfile\np = cProfile.Profile(timer=lambda: heavy() or "
           "0)\np.enable()\nlen('')\n"
           "p.disable()\n",
       }) {
    RunResult result = Measured(heavy + trick);
    EXPECT_EQ(result.bytecodes, -1) << trick << Show(result);
  }
}

// The switches are not there: nothing is voided, everything is counted.
TEST_F(MeasureTest, FramesHaveNoSwitch) {
  const std::string program =
      "import sys, gc, types\n"
      "def heavy():\n"
      "    try: 1 / 0\n"
      "    except ZeroDivisionError as e: frame = e.__traceback__.tb_frame\n"
      "    for name in ('f_trace_opcodes', 'f_trace_lines'):\n"
      "        try: setattr(frame, name, False)\n"
      "        except AttributeError: pass\n"
      "        else: print('set', name)\n"
      "    frame.f_trace = None\n"
      "    for i in range(20000): x = i\n"
      "heavy()\n"
      "found = [o for o in gc.get_objects() if isinstance(o, types.MemberDescriptorType)\n"
      "         and o.__name__ == 'f_trace_opcodes']\n"
      "print(found, sys.gettrace())\n";
  RunResult result = Measured(program);
  EXPECT_EQ(result.stdout_bytes, "[] None\n") << Show(result);
  EXPECT_GT(result.bytecodes, 60'000);
  Job plain;
  plain.source = program;
  RunResult unmeasured = sandbox_->Run(plain);
  EXPECT_EQ(unmeasured.bytecodes, -1);
  EXPECT_NE(unmeasured.stdout_bytes.find("set f_trace_opcodes"), std::string::npos)
      << "only a measured box is changed";
}

// Forged through the streams or by leaving early: the page is the zygote's.
TEST_F(MeasureTest, LeavingEarlyDoesNotLowerIt) {
  RunResult left = Measured("import os\nfor i in range(20000): pass\nos._exit(0)\n");
  EXPECT_GT(left.bytecodes, 40'000) << Show(left);
}

}  // namespace
}  // namespace assay
