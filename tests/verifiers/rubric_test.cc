#include "verifiers/rubric.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

std::vector<RubricTerm> Terms(std::vector<std::pair<double, bool>> weights_and_gates) {
  std::vector<RubricTerm> terms;
  for (auto [weight, gate] : weights_and_gates) {
    terms.emplace_back();
    terms.back().verifier = terms.back().label = "format";
    terms.back().weight = weight;
    terms.back().gate = gate;
  }
  return terms;
}

Reward Fold(RubricSpec::Rule rule, const std::vector<RubricTerm>& terms,
            const std::vector<Verdict>& verdicts) {
  RubricSpec spec;
  spec.rule = rule;
  return Rubric::Fold(spec, terms, verdicts);
}

TEST(Rubric, SumProductGate) {
  const auto terms = Terms({{1, false}, {0.5, false}});
  const std::vector<Verdict> mixed = {Verdict::Pass(), Verdict::Fail("x")};
  EXPECT_EQ(Fold(RubricSpec::Rule::kSum, terms, mixed), 1.0);
  EXPECT_EQ(Fold(RubricSpec::Rule::kSum, terms, {Verdict::Pass(), Verdict::Pass()}), 1.5);
  EXPECT_EQ(Fold(RubricSpec::Rule::kProduct, terms, mixed), 0.0);
  EXPECT_EQ(Fold(RubricSpec::Rule::kProduct, terms, {Verdict::Pass(), Verdict::Pass("ok", 0.25)}),
            0.5);
  const auto gated = Terms({{1, true}, {1, false}});
  EXPECT_EQ(Fold(RubricSpec::Rule::kGate, gated, {Verdict::Fail("x"), Verdict::Pass()}), 0.0);
  EXPECT_EQ(Fold(RubricSpec::Rule::kGate, gated, {Verdict::Pass(), Verdict::Pass()}), 1.0);
  EXPECT_EQ(Fold(RubricSpec::Rule::kSum, gated, {Verdict::Pass(), Verdict::Pass()}), 2.0);
}

TEST(Rubric, FaultsNullAndAbstentionsAreSkipped) {
  const auto terms = Terms({{1, false}, {1, false}});
  EXPECT_EQ(Fold(RubricSpec::Rule::kSum, terms, {Verdict::Fault("x"), Verdict::Pass()}),
            std::nullopt);
  EXPECT_EQ(Fold(RubricSpec::Rule::kSum, terms, {Verdict::Abstain("x"), Verdict::Pass()}), 1.0);
  EXPECT_EQ(Fold(RubricSpec::Rule::kProduct, terms, {Verdict::Abstain("x"), Verdict::Pass()}), 1.0);
  EXPECT_EQ(Fold(RubricSpec::Rule::kSum, terms, {Verdict::Abstain("x"), Verdict::Abstain("x")}),
            std::nullopt);
}

TEST(Rubric, Toml) {
  Result<RubricSpec> spec = RubricFromToml(R"(
name = "r"
rule = "gate"
[[term]]
verifier = "format"
gate = true
options = { prefilled = true }
[[term]]
verifier = "format"
label = "again"
weight = 0.25
)",
                                           "r.toml");
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_EQ(
      spec->ToJson().Dump(),
      R"({"name":"r","rule":"gate","terms":[{"verifier":"format","label":"format","weight":1.0,"gate":true,"options":{"prefilled":true}},)"
      R"({"verifier":"format","label":"again","weight":0.25,"gate":false,"options":null}]})");
}

TEST(Rubric, TomlErrorsNameTheLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"rule = \"sume\"\n[[term]]\nverifier=\"format\"", "r.toml:1: unknown rule 'sume'"},
      {"[[term]]\nverifer=\"format\"", "r.toml:2: unknown key 'verifer'"},
      {"name = \"x\"", "r.toml: the rubric has no [[term]]"},
      {"[[term]]\nverifier=\"format\"\nweight=\"heavy\"", "r.toml:3: 'weight' is not a number"},
      {"[[term]]\nverifier=\"format\"\n[[term]]\nverifier=\"format\"",
       "two terms of the rubric are called 'format'"},
      {"[[term]\n", "r.toml:1: "}};
  for (const auto& [text, message] : cases) {
    Result<RubricSpec> spec = RubricFromToml(text, "r.toml");
    ASSERT_FALSE(spec.ok()) << text;
    EXPECT_EQ(spec.error().message.rfind(message, 0), 0u) << spec.error().message;
  }
}

TEST(Rubric, UnknownVerifierAndTask) {
  Result<std::unique_ptr<Rubric>> rubric = Rubric::Make(*RubricFromNames("fromat"), {});
  ASSERT_FALSE(rubric.ok());
  EXPECT_EQ(rubric.error().message, "unknown verifier 'fromat'");
  EXPECT_EQ(rubric.error().hint, "did you mean 'format'?");
  rubric = Rubric::Make({}, {});
  ASSERT_TRUE(rubric.ok());
  Group group;
  group.samples.resize(1);
  EXPECT_EQ((*rubric)->Score(group).samples[0].verdicts[0].reason, "no_task");
  group.problem.task = "code";  // needs a sandbox, and there is none
  const GroupScore score = (*rubric)->Score(group);
  EXPECT_EQ(score.samples[0].verdicts[0].outcome, Outcome::kFault);
  EXPECT_FALSE(score.samples[0].reward.has_value());
  EXPECT_TRUE((*rubric)->failure().has_value());
}

}  // namespace
}  // namespace assay
