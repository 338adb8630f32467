#include "verifiers/format.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/jsonl.h"
#include "core/text.h"

namespace assay {
namespace {

// tests/cases/format.jsonl: {"text", "finish_reason"?, "options"?, "reason", "score"?}; reason "ok" passes.
TEST(Format, Cases) {
  const std::string path = StrCat(std::getenv("ASSAY_SOURCE_DIR"), "/tests/cases/format.jsonl");
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  Result<std::unique_ptr<Verifier>> verifier = MakeVerifier("format", Json(), {});
  ASSERT_TRUE(verifier.ok());
  LineReader::Line line;
  int count = 0;
  while (*(*reader)->Next(&line)) {
    Result<Json> item = ParseJson(line.text);
    ASSERT_TRUE(item.ok()) << line.number;
    Group group;
    group.samples.resize(1);
    group.samples[0].text = item->StringOr("text", "");
    group.samples[0].finish_reason = item->StringOr("finish_reason", "");
    const Verdict verdict = (*verifier)->Verify(group, item->Find("options"))[0];
    if (item->Find("score") != nullptr) {
      EXPECT_NEAR(verdict.score, item->DoubleOr("score", -1), 1e-12) << line.number;
    }
    EXPECT_EQ(verdict.reason, item->StringOr("reason", "")) << line.number << ": " << line.text;
    EXPECT_EQ(verdict.outcome == Outcome::kPass, verdict.reason == "ok");
    ++count;
  }
  EXPECT_GE(count, 25);
}

TEST(Format, BadOptionsAreFoundEarlyOrBlamedOnTheRow) {
  Result<std::unique_ptr<Verifier>> bad =
      MakeVerifier("format", *ParseJson(R"({"prefiled":true})"), {});
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().hint, "did you mean 'prefilled'?");
  Result<std::unique_ptr<Verifier>> verifier = MakeVerifier("format", Json(), {});
  Group group;
  group.samples.resize(2);
  const Json options = *ParseJson(R"({"prefilled":3})");
  for (const Verdict& verdict : (*verifier)->Verify(group, &options)) {
    EXPECT_EQ(verdict.outcome, Outcome::kFault);
    EXPECT_EQ(verdict.reason, "gold_bad_options");
  }
}

TEST(Format, LongHostileTextIsLinear) {
  Result<std::unique_ptr<Verifier>> verifier = MakeVerifier("format", Json(), {});
  Group group;
  group.samples.resize(1);
  for (int i = 0; i < 400000; ++i) group.samples[0].text += "<think";
  EXPECT_EQ((*verifier)->Verify(group, nullptr)[0].reason, "no_think");
  group.samples[0].text =
      "<think>" + std::string(3000000, ' ') + "</think>" + std::string(3000000, '\n');
  EXPECT_EQ((*verifier)->Verify(group, nullptr)[0].reason, "empty_reasoning");
}

}  // namespace
}  // namespace assay
