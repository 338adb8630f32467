// The `timing` verifier: programs whose costs lie far apart must get what they earn on any machine, and what only looks fast must not.
#include "verifiers/timing/timing_verifier.h"

#include <gtest/gtest.h>

#include "core/text.h"
#include "tests/verifiers/code/code_fixture.h"
#include "verifiers/rubric.h"
#include "verifiers/timing/contest.h"

namespace assay {
namespace {

std::string Fenced(const std::string& program) { return StrCat("```python\n", program, "\n```"); }

const char* const kFast = "def f(n):\n    return n * (n - 1) // 2";
const char* const kSlow =
    "def f(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total";
const char* const kSlower =
    "def f(n):\n    total = 0\n    for i in range(n):\n        total += i\n"
    "    for i in range(12 * n):\n        total = total + i - i\n    return total";

class TimingTest : public CodeTest {
 protected:
  static Json Info() {
    Json asserts = Json::MakeArray();
    for (const char* text : {"assert f(10) == 45", "assert f(300000) == 44999850000"})
      asserts.Append(text);
    return Json::MakeObject().Set("asserts", std::move(asserts));
  }
  static std::vector<Verdict> Time(const Json& info, const std::vector<std::string>& programs,
                                   const Json& options = Json()) {
    Group group;
    group.problem.verification_info = info;
    for (const std::string& program : programs) group.samples.push_back({Fenced(program)});
    auto verifier = MakeTimingVerifier(options, Env());
    EXPECT_TRUE(verifier.ok()) << (verifier.ok() ? "" : verifier.error().message);
    return (*verifier)->Verify(group, nullptr);
  }
};

TEST_F(TimingTest, ScoresFallWithTheRatioToTheReference) {
  Json info = Info().Set("reference", Fenced(kSlow));
  const auto verdicts = Time(info, {kFast, kSlow, kSlower, "def f(n):\n    return 45", "def f(n:"});
  EXPECT_EQ(verdicts[0].score, 1) << Show(verdicts[0]);
  EXPECT_EQ(verdicts[1].score, 1) << Show(verdicts[1]);
  EXPECT_EQ(verdicts[2].score, 0) << Show(verdicts[2]);
  EXPECT_EQ(verdicts[3].reason, "wrong_answer");
  EXPECT_EQ(verdicts[4].reason, "syntax_error");
}

TEST_F(TimingTest, WithoutAReferenceTheBestOfTheGroupIsTheMeasure) {
  const auto verdicts = Time(Info(), {kSlower, kFast, "def f(n):\n    return 45"});
  EXPECT_EQ(verdicts[0].score, 0) << Show(verdicts[0]);
  EXPECT_EQ(verdicts[1].score, 1) << Show(verdicts[1]);
  EXPECT_EQ(verdicts[2].outcome, Outcome::kFail);
  EXPECT_EQ(Time(Info(), {"def f(n):\n    return 45"})[0].outcome, Outcome::kFail);
}

TEST_F(TimingTest, WhatIsRememberedFromOneRunToTheNextMakesNothingFast) {
  const std::string remembers = StrCat(
      "import os\n", kSlower,
      "\n_slow = f\ndef f(n, _known={}):\n    try:\n        return int(open(f'/tmp/{n}').read())\n"
      "    except OSError:\n        pass\n    if n not in _known:\n        _known[n] = _slow(n)\n"
      "        open(f'/tmp/{n}', 'w').write(str(_known[n]))\n    return _known[n]");
  const auto verdicts = Time(Info().Set("reference", Fenced(kSlow)), {remembers});
  EXPECT_EQ(verdicts[0].outcome, Outcome::kPass) << Show(verdicts[0]);
  EXPECT_EQ(verdicts[0].score, 0) << Show(verdicts[0]);
}

TEST_F(TimingTest, ChildrenAndImportsCount) {
  const std::string in_a_child =
      StrCat("import os\n", kSlower,
             "\n_slow = f\ndef f(n):\n    r, w = os.pipe()\n    pid = os.fork()\n    if pid == 0:\n"
             "        os.write(w, str(_slow(n)).encode())\n        os._exit(0)\n"
             "    value = int(os.read(r, 100))\n    os.waitpid(pid, 0)\n    return value");
  const std::string orphan =
      StrCat("import os\n", kSlower,
             "\n_slow = f\ndef f(n):\n    r, w = os.pipe()\n    pid = os.fork()\n    if pid == 0:\n"
             "        if os.fork() == 0:\n            os.write(w, str(_slow(n)).encode())\n"
             "        os._exit(0)\n    os.waitpid(pid, 0)\n    return int(os.read(r, 100))");
  const std::string at_import =
      "total = 0\nfor i in range(4000000):\n    total += i\ndef f(n):\n    return n * (n - 1) // 2";
  const auto verdicts =
      Time(Info().Set("reference", Fenced(kSlow)), {in_a_child, orphan, at_import});
  for (const Verdict& verdict : verdicts) {
    EXPECT_EQ(verdict.outcome, Outcome::kPass) << Show(verdict);
    EXPECT_LE(verdict.score, 0.25) << Show(verdict);
  }
}

TEST_F(TimingTest, StandardStreams) {
  Json cases = Json::MakeArray();
  for (auto [input, output] : {std::pair{"10", "45"}, std::pair{"400000", "79999800000"}})
    cases.Append(Json::MakeObject().Set("input", input).Set("output", output));
  const Json info = Json::MakeObject().Set("test_cases", std::move(cases));
  const std::string slow = StrCat(kSlower, "\nprint(f(int(input())))");
  const std::string fast = "n = int(input())\nprint(n * (n - 1) // 2)";
  const auto verdicts = Time(info, {slow, fast, "print(45)"});
  EXPECT_EQ(verdicts[0].score, 0) << Show(verdicts[0]);
  EXPECT_EQ(verdicts[1].score, 1) << Show(verdicts[1]);
  EXPECT_EQ(verdicts[2].reason, "wrong_answer");
}

TEST_F(TimingTest, MemoryAndBytecodes) {
  const std::string greedy =
      "def f(n):\n    xs = list(range(100, 100 + 10 * n))\n    return n * (n - 1) // 2 + len(xs) * "
      "0";
  const Json info = Info().Set("reference", Fenced(kSlow));
  auto verdicts = Time(info, {kFast, greedy}, Json().Set("measure", "memory"));
  EXPECT_EQ(verdicts[0].score, 1) << Show(verdicts[0]);
  EXPECT_EQ(verdicts[1].score, 0) << Show(verdicts[1]);
  const std::string uncounted = StrCat("import sys\nsys.settrace(None)\n", kFast);
  const Json bytecode = Json().Set("measure", "bytecode");
  verdicts = Time(info, {kFast, kSlow, kSlower, uncounted}, bytecode);
  EXPECT_EQ(verdicts[0].score, 1) << Show(verdicts[0]);
  EXPECT_EQ(verdicts[1].evidence.DoubleOr("ratio", 0), 1) << Show(verdicts[1]);
  EXPECT_EQ(verdicts[2].score, 0) << Show(verdicts[2]);
  EXPECT_EQ(verdicts[3].reason, "not_counted") << Show(verdicts[3]);
  const auto again = Time(info, {kFast, kSlow, kSlower, uncounted}, bytecode);
  for (size_t i = 0; i < again.size(); ++i)
    EXPECT_EQ(again[i].evidence.Dump(), verdicts[i].evidence.Dump());
}

TEST_F(TimingTest, TestsOfItsOwnAreForProgramsThatPassTheRows) {
  Json info = Json::MakeObject().Set("asserts", "assert f(10) == 45\nassert f(0) == 0");
  info.Set("timing", Json::MakeObject().Set("asserts", "assert f(300000) == 44999850000"));
  const std::string only_big = StrCat(kFast, " if n > 10 else 1");
  const auto verdicts = Time(info, {kFast, kSlower, only_big});
  EXPECT_EQ(verdicts[0].score, 1) << Show(verdicts[0]);
  EXPECT_EQ(verdicts[1].score, 0) << Show(verdicts[1]);
  EXPECT_EQ(verdicts[2].reason, "wrong_answer");
}

TEST_F(TimingTest, ARowWhoseReferenceFailsIsNull) {
  const auto verdicts = Time(Info().Set("reference", Fenced("def f(n):\n    return 1")), {kFast});
  EXPECT_EQ(verdicts[0].outcome, Outcome::kFault);
  EXPECT_EQ(verdicts[0].reason, "gold_reference");
  EXPECT_EQ(Time(Json(), {kFast})[0].reason, "gold_bad_tests");
}

TEST(TimingLevels, MoveOnlyAtEdges) {
  const timing::Levels levels;
  EXPECT_EQ(levels.LevelOf(0.01), 0);
  EXPECT_EQ(levels.LevelOf(1.25), 0);
  EXPECT_EQ(levels.LevelOf(1.26), 1);
  EXPECT_EQ(levels.LevelOf(2.01), 2);
  EXPECT_EQ(levels.LevelOf(1e9), 4);
  EXPECT_DOUBLE_EQ(levels.ScoreOf(0), 1);
  EXPECT_DOUBLE_EQ(levels.ScoreOf(4), 0);
  EXPECT_NEAR(levels.LastEdge(), 5.12, 1e-9);
  EXPECT_NEAR(levels.DistanceToEdge(1.25), 0, 1e-9);
}

}  // namespace
}  // namespace assay
