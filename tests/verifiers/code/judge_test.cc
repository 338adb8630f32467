// What the judge's rules promise: verdicts do not depend on the completions' order, nothing pays better than answering wrong,
// and nothing of the tests is within a candidate's reach.
#include <algorithm>
#include <map>

#include "core/text.h"
#include "tests/verifiers/code/code_fixture.h"

namespace assay {
namespace {

// What one completion brings the tests to do with modules, random numbers, decimals, warnings or built-ins of the tester is
// undone for the next.
TEST_F(CodeTest, OrderDoesNotMatter) {
  Json row = Row(Json::MakeObject().Set(
      "asserts",
      "import random, decimal, warnings, math, sys, builtins\n"
      "seen = []\n"
      "f(seen)\n"
      "if kind() == 'rude':\n"
      "    math.pi = 3\n"
      "    decimal.getcontext().prec = 2\n"
      "    random.seed(7)\n"
      "    warnings.simplefilter('error')\n"
      "    builtins.len = lambda x: 1\n"
      "    sys.path.append('/nowhere')\n"
      "else:\n"
      "    assert len(seen) == 1 and math.pi > 3.1 and '/nowhere' not in sys.path\n"
      "    assert str(decimal.Decimal(1) / 3) == '0.' + '3' * 28\n"
      "    warnings.warn('only an error where someone made it one')\n"
      "    assert random.random() == g(random.getstate()[1][-1])"));
  const std::string polite =
      "import random\n"
      "def f(x): x.append(1)\ndef kind(): return 'polite'\n"
      "def g(at):\n    random.seed(0)\n    return random.random()\n";
  const std::string wrong = "def f(x): pass\ndef kind(): return 'polite'\ndef g(at): return 0.5\n";
  const std::string rude =
      "def f(x): x.append(1)\ndef kind(): return 'rude'\ndef g(at): return 9\n";
  std::vector<std::string> programs = {rude,          polite,        wrong, polite + "#1\n",
                                       rude + "#2\n", wrong + "#3\n"};
  std::map<std::string, std::string> first;
  for (size_t round = 0; round < programs.size(); ++round) {
    std::rotate(programs.begin(), programs.begin() + 1, programs.end());
    Json completions = Json::MakeArray();
    for (const std::string& program : programs) completions.Append(program);
    row.Set("completions", std::move(completions));
    std::vector<Verdict> verdicts = Judge(row);
    ASSERT_EQ(verdicts.size(), programs.size());
    for (size_t i = 0; i < programs.size(); ++i) {
      auto [known, fresh] = first.emplace(programs[i], Show(verdicts[i]));
      EXPECT_EQ(known->second, Show(verdicts[i])) << "round " << round;
      bool right = !StartsWith(programs[i], wrong);
      EXPECT_EQ(verdicts[i].outcome == Outcome::kPass, right) << programs[i] << Show(verdicts[i]);
    }
  }
}

// Killing the worker, breaking the channel or exhausting the tester earns no more than answering wrong; and the worker lives on.
TEST_F(CodeTest, NothingPaysBetterThanAWrongAnswer) {
  const char* const kTricks[] = {
      "import os, signal\nos.kill(1, signal.SIGKILL)\nos.kill(os.getpid(), signal.SIGKILL)\n",
      "import os\nfor fd in range(3, 256):\n    try: os.close(fd)\n    except OSError: pass\n",
      "import os\nfor fd in range(3, 256):\n    try: os.write(fd, b'\\xff' * 64)\n    except "
      "OSError: pass\n",
      "import os\nfor fd in range(3, 256):\n    try: os.write(fd, "
      "b'\\x04\\x00\\x00\\x00=\\x01T\\x00')\n    except OSError: pass\n",
      "def f():\n    return 'x' * (200 << 20)\n",
      "def f():\n    a = [1]\n    for i in range(60): a = [a, a]\n    return a\n",
      "def f():\n    return {i * ((1 << 61) - 1): 0 for i in range(100000)}\n",
      "def f():\n    a = []\n    for i in range(100000): a = [a]\n    return a\n",
      "def f():\n    return 1 << (1 << 26)\n",
      "def f():\n    import sys\n    while True: sys.stdout.write('x' * 65536)\n",
      "class E(Exception):\n    def __str__(self): raise E\ndef f():\n    raise E\n",
      "import decimal\ndef f():\n    return decimal.Decimal('1e999999')\n",
      "class A:\n    def __len__(self): return 10 ** 9\n    def __iter__(self):\n        while "
      "True: yield 1\ndef f():\n    return A()\n",
      "import os\ndef f():\n    if os.fork(): os._exit(0)\n    return [1]\n",
      "import ctypes\nctypes.string_at(0)\n",
      "def f():\n    raise SystemExit(0)\n",
      "def f():\n    raise StopIteration\n",
  };
  Json completions = Json::MakeArray();
  for (const char* trick : kTricks) completions.Append(trick);
  completions.Append("def f():\n    return [2]\n");
  Json limits =
      Json::MakeObject().Set("cpu_ms", 2000).Set("wall_ms", 6000).Set("tester_cpu_ms", 2000);
  Json row = Row(
      Json::MakeObject()
          .Set("asserts", "assert [x * 2 for x in f()] == [4] and f() == [2] and str(f()) == '[2]'")
          .Set("limits", std::move(limits)));
  row.Set("completions", std::move(completions));
  for (const char* partial : {"", "partial"}) {
    std::vector<Verdict> verdicts = Judge(row, Json::MakeObject().Set("partial", *partial != 0));
    ASSERT_EQ(verdicts.size(), std::size(kTricks) + 1);
    for (size_t i = 0; i < std::size(kTricks); ++i) {
      EXPECT_EQ(verdicts[i].outcome, Outcome::kFail) << kTricks[i] << Show(verdicts[i]);
      EXPECT_EQ(verdicts[i].score, 0) << kTricks[i] << Show(verdicts[i]);
    }
    EXPECT_EQ(verdicts.back().outcome, Outcome::kPass) << Show(verdicts.back());
  }
}

// Scans all that a program can read for strings that only the tests hold. That the scan bites is shown by a string of the
// program's own, which it must find.
constexpr char kScan[] = R"py(import os, re, sys

def look(mark):
    pattern = re.compile(mark[:3].encode() + b'(?#)' + mark[3:].encode() + b'-[0-9]{4}')
    found = set()
    def scan(where, data):
        found.update((where, hit.decode()) for hit in pattern.findall(data))
    for line in open('/proc/self/maps'):
        span, mode = line.split()[:2]
        if 'r' not in mode or '[v' in line: continue
        low, high = (int(x, 16) for x in span.split('-'))
        if high - low > 4 << 30: continue  # a sanitizer's own notes, which hold no text
        try:
            with open('/proc/self/mem', 'rb', 0) as memory:
                memory.seek(low)
                while low < high:
                    part = memory.read(min(high - low, 1 << 20))
                    if not part: break
                    scan('memory', part)
                    low += len(part)
        except (OSError, ValueError, OverflowError): pass
    for fd in range(256):
        try: scan('descriptor', os.pread(fd, 1 << 20, 0))
        except OSError: pass
    for top in ('/proc', '/tmp', '/dev/shm', '/etc', '/run'):
        for folder, folders, names in os.walk(top):
            if folder.count('/') > 5: folders[:] = []
            for name in names:
                if name in ('mem', 'kmsg', 'pagemap', 'kpagecount', 'clear_refs'): continue
                path = os.path.join(folder, name)
                if not os.path.isfile(path): continue
                try:
                    with open(path, 'rb') as file: scan(path, file.read(1 << 20))
                except (OSError, ValueError): pass
    scan('environment', repr(os.environ).encode())
    return sorted(found)

def f(x):
    own = ''.join(['WOMB', 'AT-', str(1234)])
    control = any(hit == 'WOMB' 'AT-1234' for where, hit in look('WOMB' 'AT'))
    return [control, look('QUO' 'KKA')]
)py";

TEST_F(CodeTest, NothingOfTheTestsIsWithinReach) {
  Json row = Row(Json::MakeObject()
                     .Set("asserts",
                          "want = 'QUOKKA-4711'  # QUOKKA-4712\n"
                          "assert f(1) == [True, []], 'QUOKKA-4713'\n"
                          "again = f(2)\n"
                          "assert again == [True, []] and want == 'QUOKKA-4711'")
                     .Set("setup", "expected = ['QUOKKA-4714', b'QUOKKA-4715']")
                     .Set("limits", Json::MakeObject().Set("cpu_ms", 30000).Set("wall_ms", 60000)));
  std::string program = kScan;
  row.Set("completions", Json::MakeArray().Append(program).Append(
                             program + "# in a tester that has served before\n"));
  for (const Verdict& verdict : Judge(row))
    EXPECT_EQ(verdict.outcome, Outcome::kPass) << Show(verdict);
  // Expected outputs of standard streams do not enter the sandbox at all.
  Json cases = Json::MakeArray();
  for (int i = 0; i < 2; ++i) {
    cases.Append(Json::MakeObject()
                     .Set("type", "stdin_stdout")
                     .Set("input", "x\n")
                     .Set("output", "QUOKKA-4716 True []\n"));
  }
  Json streams = Row(Json::MakeObject().Set("test_cases", std::move(cases)));
  streams.Set("completions", Json::MakeArray().Append(
                                 program + "a, b = f(1)\nprint('QUOKKA' + '-' + str(4716), a, "
                                           "[h for h in b if not h[1].endswith('16')])\n"));
  for (const Verdict& verdict : Judge(streams))
    EXPECT_EQ(verdict.outcome, Outcome::kPass) << Show(verdict);
}

}  // namespace
}  // namespace assay
