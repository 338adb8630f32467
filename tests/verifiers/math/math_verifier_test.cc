#include "verifiers/math/math_verifier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "verifiers/verifier.h"

namespace assay {
namespace {

Json Parsed(std::string_view text) {
  Result<Json> json = ParseJson(text);
  EXPECT_TRUE(json.ok()) << text;
  return json.ok() ? *json : Json();
}

std::unique_ptr<Verifier> Make(std::string_view options = "null") {
  Result<std::unique_ptr<Verifier>> made = MakeVerifier("math", Parsed(options), {});
  EXPECT_TRUE(made.ok()) << made.error().message;
  return std::move(made.value());
}

Group MakeGroup(std::vector<std::string> golds, std::vector<std::string> replies) {
  Group group;
  group.problem.answers = std::move(golds);
  for (std::string& reply : replies) {
    group.samples.emplace_back();
    group.samples.back().text = std::move(reply);
  }
  return group;
}

Verdict Ask(std::string_view options, const std::string& gold, const std::string& reply) {
  return Make(options)->Verify(MakeGroup({gold}, {reply}), nullptr).front();
}

// tests/cases/math_verdicts.jsonl: {"gold", "reply", "options"?, "reason"}.
TEST(MathVerifier, Cases) {
  const std::string path =
      StrCat(std::getenv("ASSAY_SOURCE_DIR"), "/tests/cases/math_verdicts.jsonl");
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  LineReader::Line line;
  int count = 0;
  while (*(*reader)->Next(&line)) {
    const Json item = Parsed(line.text);
    const Json* options = item.Find("options");
    const Verdict verdict = Make()
                                ->Verify(MakeGroup({std::string(item.StringOr("gold", ""))},
                                                   {std::string(item.StringOr("reply", ""))}),
                                         options)
                                .front();
    EXPECT_EQ(verdict.reason, item.StringOr("reason", ""))
        << line.number << ": " << line.text << "\n"
        << verdict.detail << verdict.evidence.Dump();
    ++count;
  }
  EXPECT_GE(count, 60);
}

double CpuMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

// tests/cases/math_adversarial.jsonl: {"gold", "pred", "expect", "options"?}: what must pass and what must not, written without
// looking at the program. No case may take long.
TEST(MathVerifier, Adversarial) {
  const std::string path =
      StrCat(std::getenv("ASSAY_SOURCE_DIR"), "/tests/cases/math_adversarial.jsonl");
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  const std::unique_ptr<Verifier> verifier = Make();
  LineReader::Line line;
  int count = 0;
  while (*(*reader)->Next(&line)) {
    const Json item = Parsed(line.text);
    const Group group = MakeGroup({std::string(item.StringOr("gold", ""))},
                                  {std::string(item.StringOr("pred", ""))});
    const double start = CpuMs();
    const Verdict verdict = verifier->Verify(group, item.Find("options")).front();
    double spent = CpuMs() - start;
    if (spent > 400) {  // once more: a machine may have a bad moment
      const double again = CpuMs();
      verifier->Verify(group, item.Find("options"));
      spent = std::min(spent, CpuMs() - again);
    }
    EXPECT_LT(spent, 400) << line.text;  // 20 ms, and what sanitizers cost
    EXPECT_EQ(verdict.outcome == Outcome::kPass, item.BoolOr("expect", false))
        << line.number << ": " << line.text << "\n"
        << verdict.detail << verdict.evidence.Dump();
    ++count;
  }
  EXPECT_GE(count, 1400);
}

TEST(MathVerifier, EvidenceSaysWhatWasReadAndHow) {
  const Verdict verdict = Ask("null", "\\frac{1}{2}", "So it is \\boxed{0.5}.");
  EXPECT_EQ(verdict.outcome, Outcome::kPass);
  EXPECT_EQ(verdict.score, 1.0);
  EXPECT_EQ(verdict.evidence.StringOr("extracted", ""), "0.5");
  EXPECT_EQ(verdict.evidence.StringOr("rule", ""), "box");
  EXPECT_EQ(verdict.evidence.IntOr("begin", -1), 9);
  EXPECT_EQ(verdict.evidence.StringOr("method", ""), "exact");
  EXPECT_EQ(verdict.evidence.StringOr("gold", ""), "1/2");
  EXPECT_EQ(verdict.evidence.StringOr("answer", ""), "0.5");
}

TEST(MathVerifier, AToleranceIsRecorded) {
  EXPECT_EQ(Ask("null", "\\frac13", "\\boxed{0.3333}").reason, "wrong_value");
  const Verdict rounded = Ask(R"({"float_digits": 4})", "\\frac13", "\\boxed{0.3333}");
  EXPECT_EQ(rounded.outcome, Outcome::kPass);
  EXPECT_NE(rounded.evidence.StringOr("note", ""), "");
}

TEST(MathVerifier, AnyOfSeveralGolds) {
  const std::vector<Verdict> verdicts = Make()->Verify(
      MakeGroup({"5", "x^2"}, {"\\boxed{5}", "\\boxed{x*x}", "\\boxed{6}"}), nullptr);
  EXPECT_EQ(verdicts[0].outcome, Outcome::kPass);
  EXPECT_EQ(verdicts[1].outcome, Outcome::kPass);
  EXPECT_EQ(verdicts[2].reason, "wrong_value");
}

TEST(MathVerifier, AGoldThatCannotBeUsedIsTheDataSetsFault) {
  for (const Verdict& verdict : Make()->Verify(MakeGroup({}, {"\\boxed{5}", "x"}), nullptr)) {
    EXPECT_EQ(verdict.outcome, Outcome::kFault);
    EXPECT_EQ(verdict.reason, "gold_missing");
  }
  const std::string huge(100'000, '1');
  const std::vector<Verdict> verdicts =
      Make()->Verify(MakeGroup({huge}, {"\\boxed{" + huge + "}", "\\boxed{5}"}), nullptr);
  EXPECT_EQ(verdicts[0].outcome, Outcome::kPass);  // the same text
  EXPECT_EQ(verdicts[1].reason, "gold_limit");
}

TEST(MathVerifier, OptionsAreCheckedEarlyAndPerRow) {
  Result<std::unique_ptr<Verifier>> bad = MakeVerifier("math", Parsed(R"({"mod": "bare"})"), {});
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().hint, "did you mean 'mode'?");
  bad = MakeVerifier("math", Parsed(R"({"mode": "bar"})"), {});
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().hint, "did you mean 'bare'?");
  for (const char* options :
       {R"({"mode": 3})", R"({"float_digits": -1})", R"({"float_digits": "6"})",
        R"({"choices": "AB"})", R"({"last_number": 1})", R"({"gold_mode": "x"})",
        R"({"choices": [""]})", R"([1])"}) {
    EXPECT_FALSE(MakeVerifier("math", Parsed(options), {}).ok()) << options;
    const Json row = Parsed(options);
    const Verdict verdict = Make()->Verify(MakeGroup({"5"}, {"5"}), &row).front();
    EXPECT_EQ(verdict.reason, "gold_bad_options") << options;
    EXPECT_EQ(verdict.outcome, Outcome::kFault);
  }
  const Json row = Parsed(R"({"mode": "latex"})");
  EXPECT_EQ(Make()->Verify(MakeGroup({"5"}, {"just 5"}), &row).front().outcome, Outcome::kFail);
}

TEST(MathVerifier, WhatTheSampleDoesIsNeverAFault) {
  const std::string bombs[] = {std::string(200'000, '('),
                               "\\boxed{" + std::string(70'000, '9') + "}",
                               "\\boxed{9^{9^{9^{9}}}}",
                               "\\boxed{(10^{9})!}",
                               std::string("\xff\xfe\\boxed{\xc3}"),
                               "\\boxed{\\sum_{k=1}^{10^{12}} k!}",
                               std::string(100'000, '\0')};
  for (const std::string& bomb : bombs) {
    const double start = CpuMs();
    const Verdict verdict = Ask("null", "4", bomb);
    EXPECT_EQ(verdict.outcome, Outcome::kFail) << Shorten(bomb, 40);
    EXPECT_LT(CpuMs() - start, 2000) << Shorten(bomb, 40);
  }
}

TEST(MathVerifier, TheEchoedPromptDoesNotCount) {
  Group group = MakeGroup({"4"}, {});
  group.problem.prompt = "Question: what is 2 + 2? Write \\boxed{4} if it is four.\n";
  group.samples.resize(1);
  group.samples[0].text = group.problem.prompt + "I do not know it.";
  EXPECT_EQ(Make()->Verify(group, nullptr).front().reason, "no_answer");
  group.samples[0].text = group.problem.prompt + "It is \\boxed{4}.";
  const Verdict verdict = Make()->Verify(group, nullptr).front();
  EXPECT_EQ(verdict.outcome, Outcome::kPass);
  EXPECT_EQ(verdict.evidence.IntOr("begin", -1),
            static_cast<int64_t>(group.problem.prompt.size()) + 6);
}

TEST(MathVerifier, ManyThreadsAtOnceAgree) {
  const std::unique_ptr<Verifier> verifier = Make();
  const Group group = MakeGroup(
      {"\\sin^2 x"}, {"\\boxed{1-\\cos^2 x}", "\\boxed{1-\\cos x}", "The answer is $\\sin(x)^2$."});
  std::vector<std::string> seen(4);
  std::vector<std::thread> threads;
  for (std::string& mine : seen) {
    threads.emplace_back([&verifier, &group, &mine] {
      for (int i = 0; i < 50; ++i) {
        mine.clear();
        for (const Verdict& verdict : verifier->Verify(group, nullptr))
          StrAppend(&mine, VerdictToJson(verdict, false).Dump(), "\n");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& one : seen) EXPECT_EQ(one, seen[0]);
  EXPECT_NE(seen[0].find("\"pass\""), std::string::npos);
}

}  // namespace
}  // namespace assay
