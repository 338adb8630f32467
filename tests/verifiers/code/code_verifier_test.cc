// The `code` verifier on tests/cases/code.jsonl: one row a case, one expectation a completion, all through the sandbox.
#include "verifiers/code/code_verifier.h"

#include <sched.h>

#include <cstdlib>

#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/text.h"
#include "tests/verifiers/code/code_fixture.h"

namespace assay {
namespace {

// What an expectation may name besides the outcome and the reason.
void ExpectMore(const Json& expect, const Verdict& verdict) {
  const Json* failing = verdict.evidence.Find("failing");
  const Json nothing;
  const Json& first = failing == nullptr ? nothing : *failing;
  for (const char* key : {"test", "expected", "got"}) {
    if (const Json* want = expect.Find(key)) {
      EXPECT_EQ(first.StringOr(key, ""), want->ScalarText());
    }
  }
  if (const Json* want = expect.Find("detail")) {
    EXPECT_NE(verdict.detail.find(*want->AsString()), std::string::npos) << verdict.detail;
  }
  for (const char* key : {"passed", "total"}) {
    if (const Json* want = expect.Find(key)) {
      EXPECT_EQ(verdict.evidence.IntOr(key, -1), want->NumberOr(-2)) << key;
    }
  }
  if (const Json* want = expect.Find("bytecodes")) {
    const Json* counted = verdict.evidence.Find("bytecodes");
    ASSERT_NE(counted, nullptr);
    EXPECT_EQ(counted->NumberOr(-1) > 0, *want->AsBool());
  }
  if (const Json* want = expect.Find("score")) {
    EXPECT_DOUBLE_EQ(verdict.score, want->NumberOr(-1));
  }
  if (const Json* want = expect.Find("line")) {
    int64_t line = verdict.evidence.IntOr("program_line", first.IntOr("program_line", 0));
    EXPECT_EQ(line, want->NumberOr(-1)) << verdict.detail;
  }
  if (const Json* want = expect.Find("forgeable"); want != nullptr) {
    EXPECT_EQ(verdict.evidence.BoolOr("forgeable", false), *want->AsBool());
  }
  if (const Json* want = expect.Find("exception")) {
    EXPECT_EQ(verdict.evidence.StringOr("exception", first.StringOr("exception", "")),
              *want->AsString());
  }
}

class CodeCasesTest : public CodeTest {
 protected:
  static void RunCases(const char* file, int64_t* judged);
};

void CodeCasesTest::RunCases(const char* file, int64_t* judged_out) {
  const char* root = std::getenv("ASSAY_SOURCE_DIR");
  ASSERT_NE(root, nullptr) << "run this by ctest, or set ASSAY_SOURCE_DIR";
  auto reader = LineReader::Open(StrCat(root, "/tests/cases/", file));
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  LineReader::Line line;
  int64_t& judged = *judged_out;
  while (*(*reader)->Next(&line)) {
    Result<Json> item = ParseJson(line.text);
    ASSERT_TRUE(item.ok()) << "line " << line.number << ": " << item.error().message;
    const Json* options = item->Find("options");
    std::vector<Verdict> verdicts =
        Judge(*item->Find("row"), options == nullptr ? Json() : *options);
    const Json::Array& expects = *item->Find("expect")->AsArray();
    ASSERT_EQ(verdicts.size(), expects.size());
    for (size_t i = 0; i < verdicts.size(); ++i, ++judged) {
      SCOPED_TRACE(
          StrCat(item->StringOr("name", "?"), ", completion ", i, ": ", Show(verdicts[i])));
      EXPECT_EQ(OutcomeName(verdicts[i].outcome), expects[i].StringOr("outcome", ""));
      // Some limits race with each other: which of them ends a hostile program first is no promise.
      EXPECT_EQ(verdicts[i].reason, expects[i].StringOr("reason", verdicts[i].reason));
      ExpectMore(expects[i], verdicts[i]);
    }
  }
}

TEST_F(CodeCasesTest, Cases) {
  int64_t judged = 0;
  RunCases("code.jsonl", &judged);
  EXPECT_GT(judged, 300);
}

// Tasks about classes, objects, files and the like, each with a right solution and a wrong one.
TEST_F(CodeCasesTest, Classes) {
  int64_t judged = 0;
  RunCases("code_classes.jsonl", &judged);
  EXPECT_GE(judged, 120);
}

// One tester may judge one row after the other: nothing of the last one's tests is there for the next.
TEST_F(CodeTest, ARowsTestsChangeNothingForTheNext) {
  const char* kRows[] = {
      "import json\njson.dumps = lambda v: 'spoilt'\nassert json.dumps(f(1)) == 'spoilt'\n",
      "import json\nassert json.dumps(f(1)) == '2'\n",
      "import collections\ncollections.Counter.most_common = lambda s: []\nassert f(1) == 2\n",
      "from collections import Counter\nassert Counter([f(1)]).most_common() == [(2, 1)]\n",
      "import math\nsetattr(math, 'floor', None)\nassert f(1) == 2\n",
      "import math\nassert math.floor(f(1)) == 2\n",
      "import random\nrandom.seed(5)\nfirst = [random.random() for _ in range(f(1))]\n"
      "assert len(first) == 2\n",
      "import random\nassert f(1) == 2 and random.random() == 0.8444218515250481\n",
      "calls = []\ndef f2(x): calls.append(x)\nassert f(1) == 2\n",
      "assert f(1) == 2 and 'calls' not in globals()\n",
      "max = min\nassert f(1) == 2\n",
      "assert max(f(1), 3) == 3\n"};
  for (int round = 0; round < 2; ++round) {
    for (const char* tests : kRows) {
      Json row = Row(Json::MakeObject().Set("asserts", tests));
      row.Set("completions", Json(Json::Array{Json("def f(x): return x + 1\n")}));
      const std::vector<Verdict> verdicts = Judge(row);
      ASSERT_EQ(verdicts.size(), 1u);
      EXPECT_EQ(verdicts[0].outcome, Outcome::kPass) << tests << Show(verdicts[0]);
    }
  }
}

TEST_F(CodeTest, EqualProgramsAreJudgedOnce) {
  Json row = Row(Json::MakeObject().Set("asserts", "assert f() == 1"));
  Json completions = Json::MakeArray();
  for (int i = 0; i < 50; ++i)
    completions.Append("import time\ntime.sleep(0.2)\ndef f(): return 1\n");
  row.Set("completions", std::move(completions));
  std::vector<Verdict> verdicts = Judge(row);
  ASSERT_EQ(verdicts.size(), 50U);
  int64_t paid = 0;
  for (const Verdict& verdict : verdicts) {
    EXPECT_EQ(verdict.outcome, Outcome::kPass);
    paid += verdict.ms > 0 ? 1 : 0;
  }
  EXPECT_EQ(paid, 1);
}

// A verdict does not wait until its box is gone; the next box does.
TEST_F(CodeTest, ABoxNeverMeetsTheProcessesOfTheLast) {
  Json row = Row(Json::MakeObject().Set("asserts", "assert f() == 1"));
  Json completions = Json::MakeArray();
  for (int i = 0; i < 10; ++i) {
    completions.Append(
        StrCat("import os, time\ndef f():\n    for _ in range(", 10 + i,
               "):\n        if os.fork() == 0:\n            os.setsid()\n            "
               "time.sleep(60)\n    return 1\n"));
    // A signal to every process but oneself finds none.
    completions.Append(
        StrCat("import os\nnumber = ", i, "\ndef f():\n    try:\n        os.kill(-1, 0)\n    ",
               "except (ProcessLookupError, PermissionError):\n        return 1\n    return 0\n"));
  }
  row.Set("completions", std::move(completions));
  for (const Verdict& verdict : Judge(row)) EXPECT_EQ(verdict.outcome, Outcome::kPass);
}

// What is tested by calls stays where its tester is; what runs by itself may go wherever this process may, before and after.
TEST_F(CodeTest, ABoxStaysOnTheCpuOfItsTester) {
  cpu_set_t own;
  ASSERT_EQ(sched_getaffinity(0, sizeof(own), &own), 0);
  const std::string all = StrCat(CPU_COUNT(&own), "\n");
  Job alone;
  alone.source = "import os\nprint(len(os.sched_getaffinity(0)))";
  EXPECT_EQ(sandbox_->Run(alone).stdout_bytes, all);
  Json row = Row(Json::MakeObject().Set("asserts", "assert cpus() == 1"));
  row.Set("completions", Json::MakeArray().Append(
                             "import os\ndef cpus():\n    return len(os.sched_getaffinity(0))\n"));
  for (const Verdict& verdict : Judge(row)) EXPECT_EQ(verdict.outcome, Outcome::kPass);
  EXPECT_EQ(sandbox_->Run(alone).stdout_bytes, all);
}

TEST_F(CodeTest, BadOptionsBlameTheRowOrTheCaller) {
  EXPECT_FALSE(MakeCodeVerifier(Json::MakeObject().Set("partail", true), Env()).ok());
  EXPECT_FALSE(
      MakeCodeVerifier(Json::MakeObject().Set("limits", Json::MakeObject().Set("cpu", 3)), Env())
          .ok());
  EXPECT_FALSE(MakeCodeVerifier(Json::MakeObject().Set("judge", "inprocess"), Env()).ok());
  auto verifier = MakeCodeVerifier(Json(), Env());
  ASSERT_TRUE(verifier.ok());
  Group group;
  group.samples.resize(3);
  Json odd = Json::MakeObject().Set("partial", "yes");
  std::vector<Verdict> verdicts = (*verifier)->Verify(group, &odd);
  ASSERT_EQ(verdicts.size(), 3U);
  for (const Verdict& verdict : verdicts) EXPECT_EQ(verdict.reason, "gold_bad_options");
  // A row cannot ask for verdicts that its program could forge.
  Json sly = Json::MakeObject().Set("judge", "inprocess").Set("accept_forgeable", true);
  for (const Verdict& verdict : (*verifier)->Verify(group, &sly))
    EXPECT_EQ(verdict.reason, "gold_bad_options");
}

}  // namespace
}  // namespace assay
