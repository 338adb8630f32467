#include "verifiers/text_verifiers.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/text.h"

namespace assay {
namespace {

// tests/cases/NAME.jsonl of one verifier: {"row": a flat sample as GroupFromJson reads it, "options"?, "reason", "score"?, "why"?};
// reason "ok" passes.
int RunCases(const std::string& name) {
  const std::string path = StrCat(std::getenv("ASSAY_SOURCE_DIR"), "/tests/cases/", name, ".jsonl");
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  EXPECT_TRUE(reader.ok()) << path;
  if (!reader.ok()) return 0;
  Result<std::unique_ptr<Verifier>> verifier = MakeVerifier(name, Json(), {});
  EXPECT_TRUE(verifier.ok());
  LineReader::Line line;
  int count = 0;
  while (*(*reader)->Next(&line)) {
    Result<Json> item = ParseJson(line.text);
    EXPECT_TRUE(item.ok()) << line.number;
    Result<Group> group = GroupFromJson(*item->Find("row"));
    EXPECT_TRUE(group.ok()) << name << ":" << line.number;
    const Verdict verdict = (*verifier)->Verify(*group, item->Find("options"))[0];
    EXPECT_EQ(verdict.reason, item->StringOr("reason", ""))
        << name << ":" << line.number << ": " << verdict.detail;
    EXPECT_EQ(verdict.outcome == Outcome::kPass, verdict.reason == "ok");
    EXPECT_GE(verdict.score, 0);
    EXPECT_LE(verdict.score, 1);
    if (item->Find("score") != nullptr) {
      EXPECT_NEAR(verdict.score, item->DoubleOr("score", -1), 1e-9) << name << ":" << line.number;
    }
    ++count;
  }
  return count;
}

TEST(TextVerifiers, Countdown) { EXPECT_GE(RunCases("countdown"), 30); }
TEST(TextVerifiers, Exact) { EXPECT_GE(RunCases("exact"), 20); }
TEST(TextVerifiers, Length) { EXPECT_GE(RunCases("length"), 15); }
TEST(TextVerifiers, Qa) { EXPECT_GE(RunCases("qa"), 20); }
TEST(TextVerifiers, Regex) { EXPECT_GE(RunCases("regex"), 20); }
TEST(TextVerifiers, Repetition) { EXPECT_GE(RunCases("repetition"), 12); }

// Megabytes of what each is weakest at end in a verdict, and soon.
TEST(TextVerifiers, LongHostileText) {
  const std::string texts[] = {
      std::string(3000000, '('), std::string(3000000, ' '), "\\boxed{" + std::string(3000000, '{'),
      "<answer>" + std::string(3000000, '9') + "</answer>", std::string(3000000, '\xff')};
  std::string tags;
  for (int i = 0; i < 300000; ++i) tags += "<answer>\\boxed{</think>";
  for (const char* name : {"countdown", "exact", "length", "qa", "regex", "repetition"}) {
    Result<std::unique_ptr<Verifier>> verifier = MakeVerifier(name, Json(), {});
    ASSERT_TRUE(verifier.ok());
    Group group;
    group.problem.answers = {"4"};
    group.problem.verification_info = *ParseJson(R"({"numbers":[1,3],"target":4})");
    for (const std::string& text : texts) group.samples.emplace_back().text = text;
    group.samples.emplace_back().text = tags;
    for (const Verdict& verdict : (*verifier)->Verify(group, nullptr))
      EXPECT_TRUE(verdict.outcome == Outcome::kPass || verdict.outcome == Outcome::kFail) << name;
  }
}

TEST(TextVerifiers, AnswerPart) {
  EXPECT_EQ(AnswerPart("<think>a</think> b "), "b");
  EXPECT_EQ(AnswerPart(" b "), "b");
  EXPECT_EQ(AnswerPart("<think>a"), "");
  EXPECT_EQ(AnswerPart("a</think>b"), "b");
  EXPECT_EQ(AnswerPart("<think>a</think>b<think>c"), "");
}

}  // namespace
}  // namespace assay
