#include "verifiers/rubric.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/text.h"
#include "verifiers/rubric_words.h"

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

// tests/cases/rubric.jsonl: {"rubric": TOML, "row": what GroupFromJson reads, "rewards", "parts"?, "why"}.
TEST(Rubric, Cases) {
  const std::string path = StrCat(std::getenv("ASSAY_SOURCE_DIR"), "/tests/cases/rubric.jsonl");
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  LineReader::Line line;
  int count = 0;
  while (*(*reader)->Next(&line)) {
    Result<Json> item = ParseJson(line.text);
    ASSERT_TRUE(item.ok()) << line.number;
    Result<RubricSpec> spec = RubricFromToml(std::string(item->StringOr("rubric", "")), "r.toml");
    ASSERT_TRUE(spec.ok()) << line.number << ": " << spec.error().message;
    Result<std::unique_ptr<Rubric>> rubric = Rubric::Make(*spec, {});
    ASSERT_TRUE(rubric.ok()) << line.number << ": " << rubric.error().message;
    Result<Group> group = GroupFromJson(*item->Find("row"));
    ASSERT_TRUE(group.ok()) << line.number << ": " << group.error().message;
    const GroupScore score = (*rubric)->Score(*group);
    const Json::Array& rewards = *item->Find("rewards")->AsArray();
    ASSERT_EQ(score.samples.size(), rewards.size()) << line.number;
    for (size_t i = 0; i < rewards.size(); ++i) {
      const SampleScore& sample = score.samples[i];
      ASSERT_EQ(sample.reward.has_value(), !rewards[i].IsNull()) << line.number << ", " << i;
      if (sample.reward) {
        EXPECT_NEAR(*sample.reward, rewards[i].NumberOr(-99), 1e-9) << line.number << ", " << i;
      }
      const Json* parts = item->Find("parts");
      if (parts == nullptr) continue;
      for (size_t t = 0; t < sample.parts.size(); ++t) {
        const Json& part = (*(*parts->AsArray())[i].AsArray())[t];
        ASSERT_EQ(sample.parts[t].has_value(), !part.IsNull()) << line.number << ", " << i;
        if (sample.parts[t]) {
          EXPECT_NEAR(*sample.parts[t], part.NumberOr(-99), 1e-9);
        }
      }
    }
    ++count;
  }
  EXPECT_GE(count, 25);
}

TEST(Rubric, KeysThatCannotStandTogether) {
  const std::pair<const char*, const char*> cases[] = {
      {"[[term]]\nverifier=\"format\"\nmin=1\nmax=0", "r.toml:1: 'min' is above 'max'"},
      {"min=1\nmax=0\n[[term]]\nverifier=\"format\"", "r.toml: 'min' is above 'max'"},
      {"rule=\"product\"\n[[term]]\nverifier=\"format\"\npenalty=true",
       "r.toml:2: 'penalty' does not go with the rule 'product'"},
      {"rule=\"product\"\n[[term]]\nverifier=\"format\"\nweight=-1",
       "r.toml:2: 'weight' is negative under the rule 'product'"},
      {"[[term]]\nverifier=\"format\"\nwhen={task=[{a=1}]}",
       "r.toml:1: 'when.task' is neither text, a number, true or false, nor a list of such"},
      {"[[term]]\nverifier=\"format\"\nwen={task=\"x\"}", "r.toml:3: unknown key 'wen'"},
      {"[[term]]\nverifier=\"format\"\nrelative=\"shortes\"",
       "r.toml:3: unknown relative 'shortes'"}};
  for (const auto& [text, message] : cases) {
    Result<RubricSpec> spec = RubricFromToml(text, "r.toml");
    ASSERT_FALSE(spec.ok()) << text;
    EXPECT_EQ(spec.error().message.rfind(message, 0), 0u) << spec.error().message;
  }
}

// What a run stores and --resume compares says later keys only where they are set.
TEST(Rubric, JsonSaysLaterKeysOnlyWhereSet) {
  Result<RubricSpec> spec = RubricFromToml(
      "max = 1\nparts = true\n[[term]]\nverifier=\"format\"\npenalty=true\nwhen={task=\"x\"}", "r");
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_EQ(
      spec->ToJson().Dump(),
      R"({"name":"r","rule":"sum","terms":[{"verifier":"format","label":"format","weight":1.0,"gate":false,"options":null,)"
      R"("when":{"task":"x"},"penalty":true}],"max":1.0,"parts":true})");
}

TEST(Rubric, FaultsByTerm) {
  auto terms = Terms({{1, false}, {1, false}});
  const std::vector<Verdict> verdicts = {Verdict::Fault("x"), Verdict::Pass()};
  EXPECT_EQ(Fold(RubricSpec::Rule::kSum, terms, verdicts), std::nullopt);
  terms[0].on_fault = RubricTerm::OnFault::kSkip;
  EXPECT_EQ(Fold(RubricSpec::Rule::kSum, terms, verdicts), 1.0);
  EXPECT_EQ(Fold(RubricSpec::Rule::kProduct, terms, verdicts), 1.0);
  terms[0].on_fault = RubricTerm::OnFault::kFail;
  EXPECT_EQ(Fold(RubricSpec::Rule::kSum, terms, verdicts), 1.0);
  EXPECT_EQ(Fold(RubricSpec::Rule::kProduct, terms, verdicts), 0.0);
  EXPECT_EQ(Fold(RubricSpec::Rule::kMin, terms, verdicts), 0.0);
  terms[0].gate = true;
  EXPECT_EQ(Fold(RubricSpec::Rule::kSum, terms, verdicts), 0.0);
}

TEST(Rubric, WordsAndWarnings) {
  Result<RubricSpec> spec = RubricFromToml(R"(
[[term]]
verifier = "format"
gate = true
[[term]]
verifier = "math"
penalty = true
)",
                                           "r.toml");
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  const std::string words = RubricInWords(*spec);
  EXPECT_NE(words.find("'format': must pass, or the reward is 0; brings 1 * (its score)."),
            std::string::npos)
      << words;
  EXPECT_NE(words.find("'math': costs 1 * (1 - its score)."), std::string::npos) << words;
  EXPECT_TRUE(RubricWarnings(*spec).empty());  // the gate brings 1: the least is 0
  spec->rule = RubricSpec::Rule::kGate;
  ASSERT_EQ(RubricWarnings(*spec).size(), 1u);
  EXPECT_NE(RubricWarnings(*spec)[0].find("failing can pay"), std::string::npos);
  RubricSpec other = *spec;
  other.terms[0].gate = false;
  other.terms[1].penalty = false;
  other.terms[1].relative = RubricTerm::Relative::kFastest;
  const std::vector<std::string> warnings = RubricWarnings(other);
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_NE(warnings[0].find("no term is a gate"), std::string::npos);
  EXPECT_NE(warnings[1].find("measures no time"), std::string::npos);
  const std::vector<MadeUpSample> samples = MadeUpSamples(*spec);
  ASSERT_EQ(samples.size(), 3u);
  EXPECT_EQ(samples[0].reward, 0.0);
  EXPECT_EQ(samples[1].what, "fails 'math', passes the rest");
  EXPECT_EQ(samples[1].reward, -1.0);
  EXPECT_EQ(samples[2].reward, 0.0);
}

// Every rubric that ships is read, says something in words and has nothing to be warned of.
TEST(Rubric, ReadyOnes) {
  const std::string folder = StrCat(std::getenv("ASSAY_SOURCE_DIR"), "/datasets/rubrics");
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".toml") continue;
    Result<std::string> text = ReadFile(entry.path().string());
    ASSERT_TRUE(text.ok());
    Result<RubricSpec> spec = RubricFromToml(*text, entry.path().filename().string());
    ASSERT_TRUE(spec.ok()) << spec.error().message;
    EXPECT_FALSE(RubricInWords(*spec).empty());
    EXPECT_TRUE(RubricWarnings(*spec).empty()) << entry.path();
    for (const RubricTerm& term : spec->terms) {
      const VerifierInfo* info = FindVerifier(term.verifier);
      ASSERT_NE(info, nullptr) << entry.path() << ": " << term.verifier;
      if (!info->needs_sandbox) {
        EXPECT_TRUE(MakeVerifier(term.verifier, term.options, {}).ok()) << entry.path();
      }
    }
    ++count;
  }
  EXPECT_GE(count, 3);
}

TEST(Rubric, WorkedOnesInTheDocs) {
  Result<std::string> page = ReadFile(StrCat(std::getenv("ASSAY_SOURCE_DIR"), "/docs/rubrics.md"));
  ASSERT_TRUE(page.ok());
  const std::string open = "```toml\n";
  int count = 0;
  for (size_t at = page->find(open); at != std::string::npos; at = page->find(open, at)) {
    at += open.size();
    const std::string text = page->substr(at, page->find("```", at) - at);
    Result<RubricSpec> spec = RubricFromToml(text, "docs");
    EXPECT_TRUE(spec.ok()) << text << spec.error().message;
    ++count;
  }
  EXPECT_EQ(count, 11);
}

}  // namespace
}  // namespace assay
