// `plugin`: the examples, one that does as it should and one that crashes, hangs and talks nonsense.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "core/text.h"
#include "verifiers/verifier.h"

namespace assay {
namespace {

Json Plugin(const std::string& file) {
  return Json().Set("file", StrCat(ASSAY_EXAMPLE_PLUGINS, "/", file)).Set("timeout_s", 0.5);
}

std::unique_ptr<Verifier> Make(const Json& options) {
  Result<std::unique_ptr<Verifier>> made = MakeVerifier("plugin", options, {});
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return made.ok() ? std::move(*made) : nullptr;
}

std::string Judged(const Json& options, const std::string& answer,
                   const std::vector<std::string>& texts) {
  Group group;
  if (!answer.empty()) group.problem.answers = {answer};
  for (const std::string& text : texts) group.samples.emplace_back().text = text;
  std::string out;
  for (const Verdict& verdict : Make(options)->Verify(group, nullptr))
    StrAppend(&out, out.empty() ? "" : "|", OutcomeName(verdict.outcome), " ", verdict.score, " ",
              verdict.reason);
  return out;
}

TEST(Plugin, TheExampleCountsKeywords) {
  EXPECT_EQ(Judged(Plugin("keywords.so"), "red,blue", {"red and blue", "only red", ""}),
            "pass 1 ok|fail 0.5 low_score|fail 0 low_score");
  EXPECT_EQ(Judged(Plugin("keywords.so").Set("pass_at", 0.5), "red,blue", {"only red"}),
            "pass 0.5 ok");
  EXPECT_EQ(Judged(Plugin("keywords.so"), "", {"anything"}), "abstain 0 not_applicable");
}

TEST(Plugin, WhatGoesWrongCostsOnlyItsOwnSample) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Judged(Plugin("faulty.so"), "",
                   {"good", "crash", "good", "sleep", "nan", "refuse", "good", "crash", "sleep"}),
            "pass 1 as_it_should|fault 0 reward_died|pass 1 as_it_should|fault 0 reward_timeout|"
            "fault 0 reward_bad_value|fault 0 reward_raised|pass 1 as_it_should|"
            "fault 0 reward_died|fault 0 reward_timeout");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  EXPECT_EQ(Judged(Plugin("faulty.so").Set("on_error", "fail"), "", {"crash", "refuse"}),
            "fail 0 reward_died|fail 0 reward_raised");
}

TEST(Plugin, WhatCannotBeLoadedIsAnErrorAtOnce) {
  EXPECT_FALSE(MakeVerifier("plugin", Json::MakeObject(), {}).ok());
  EXPECT_FALSE(MakeVerifier("plugin", Json().Set("file", "/no/such.so"), {}).ok());
  EXPECT_FALSE(MakeVerifier("plugin", Json().Set("file", "/proc/self/exe"), {}).ok());
  const Result<std::unique_ptr<Verifier>> refused =
      MakeVerifier("plugin", Plugin("faulty.so").Set("options", Json().Set("say", "hello!")), {});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("no exclamation marks"), std::string::npos)
      << refused.error().message;
}

TEST(Plugin, RowsCannotChooseWhatIsLoaded) {
  Group group;
  group.samples.emplace_back().text = "good";
  const Json own = Json().Set("file", "/tmp/other.so");
  EXPECT_EQ(Make(Plugin("faulty.so"))->Verify(group, &own)[0].reason, "gold_bad_options");
}

}  // namespace
}  // namespace assay
