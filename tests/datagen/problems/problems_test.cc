#include "datagen/problems/problems.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "core/rows/group_json.h"
#include "core/text.h"
#include "verifiers/rubric.h"

namespace assay {
namespace {

ProblemOptions OptionsOf(std::string_view kind, const std::string& split, uint64_t seed) {
  ProblemOptions options;
  options.kind = std::string(kind);
  options.languages = "all";
  options.split = split;
  options.seed = seed;
  return options;
}

ProblemSource SourceOf(const ProblemOptions& options) {
  Result<ProblemSource> source = ProblemSource::Make(options);
  EXPECT_TRUE(source.ok()) << source.error().message;
  return *source;
}

TEST(Problems, AreFunctionsOfSeedAndNumber) {
  for (const ProblemKindInfo& kind : ProblemKinds()) {
    const ProblemSource a = SourceOf(OptionsOf(kind.name, "train", 7));
    const ProblemSource b = SourceOf(OptionsOf(kind.name, "train", 7));
    const ProblemSource other = SourceOf(OptionsOf(kind.name, "train", 8));
    EXPECT_EQ(a.Row(41).Dump(), b.Row(41).Dump());
    EXPECT_NE(a.Row(41).Dump(), other.Row(41).Dump()) << kind.name;
  }
}

// What was held out under one seed never comes up for training under another, whatever the language.
TEST(Problems, HeldOutOnesAreNeverTrainedOn) {
  const auto content = [](const Json& row) {
    std::string text(row.StringOr("prompt", ""));
    if (row.StringOr("kind", "") != "arithmetic") return text;
    std::string expression;  // the same in every language
    for (char c : text) {
      if (std::string_view("0123456789+-*").find(c) != std::string_view::npos) expression += c;
    }
    return expression;
  };
  for (const ProblemKindInfo& kind : ProblemKinds()) {
    const ProblemSource held_out = SourceOf(OptionsOf(kind.name, "heldout", 1));
    const ProblemSource train = SourceOf(OptionsOf(kind.name, "train", 2));
    std::set<std::string> seen;
    for (int64_t i = 0; i < 1500; ++i) seen.insert(content(held_out.Row(i)));
    for (int64_t i = 0; i < 3000; ++i) EXPECT_EQ(seen.count(content(train.Row(i))), 0U);
  }
}

// Every row is judged by the verifier that it names: the worked solution passes, another row's does not.
TEST(Problems, SolutionsPassTheirOwnVerifier) {
  for (const ProblemKindInfo& kind : ProblemKinds()) {
    if (!kind.worked || kind.name == "lists" || kind.name == "strings") continue;  // need a sandbox
    for (const char* style : {"direct", "worked", "terse", "mixed", "natural"}) {
      ProblemOptions options = OptionsOf(kind.name, "train", 3);
      ASSERT_TRUE(ProblemOptionTable(&options).Read(Json().Set("solutions", style)).ok());
      // Its verifier takes the whole answer part, which only tags set apart.
      if (kind.name == "countdown" && options.solutions == SolutionStyle::kNatural) continue;
      const ProblemSource source = SourceOf(options);
      Result<std::unique_ptr<Rubric>> rubric = Rubric::Make(RubricSpec(), {});
      ASSERT_TRUE(rubric.ok());
      int wrong_passes = 0;
      for (int64_t i = 0; i < 60; ++i) {
        Json row = source.Row(i);
        Result<Group> group = GroupFromJson(row);
        ASSERT_TRUE(group.ok()) << group.error().message;
        const SampleScore score = (*rubric)->Score(*group).samples[0];
        ASSERT_TRUE(score.reward) << row.Dump();
        EXPECT_EQ(*score.reward, 1) << row.Dump() << " " << score.verdicts[0].reason;
        row.Set("completion", source.Row(i + 97).StringOr("completion", ""));
        wrong_passes += *(*rubric)->Score(*GroupFromJson(row)).samples[0].reward == 1;
      }
      EXPECT_LT(wrong_passes, 20) << kind.name << " " << style;
    }
  }
}

TEST(Problems, LevelsAndLanguagesComeInTurn) {
  ProblemOptions options;
  options.level = "2,4";
  options.languages = "en,zh";
  const ProblemSource source = SourceOf(options);
  std::map<std::string, int> seen;
  for (int64_t i = 0; i < 40; ++i) {
    const Json row = source.Row(i);
    ++seen[StrCat(row.IntOr("level", 0), row.StringOr("language", ""))];
  }
  const std::map<std::string, int> expected = {{"2en", 10}, {"2zh", 10}, {"4en", 10}, {"4zh", 10}};
  EXPECT_EQ(seen, expected);
}

TEST(Problems, MixedSolutionsChangeTheirLanguage) {
  ProblemOptions options;
  options.level = "4";
  options.languages = "zh";
  options.solutions = SolutionStyle::kMixed;
  const ProblemSource source = SourceOf(options);
  int mixed = 0;
  for (int64_t i = 0; i < 100; ++i) {
    const Json row = source.Row(i);
    const std::string text(row.StringOr("completion", ""));
    mixed += (text.find("Then") != std::string::npos || text.find("First") != std::string::npos) &&
             (text.find("再") != std::string::npos || text.find("先") != std::string::npos);
  }
  EXPECT_GT(mixed, 60);
}

TEST(Problems, ErrorsNameWhatThereIs) {
  ProblemOptions options;
  options.kind = "arithmetics";
  EXPECT_EQ(ProblemSource::Make(options).error().hint, "did you mean 'arithmetic'?");
  options.kind = "logic";
  options.level = "9";
  EXPECT_EQ(ProblemSource::Make(options).error().message,
            "problems of kind 'logic' have no level '9'");
  options.level = "1";
  options.languages = "zh";
  EXPECT_FALSE(ProblemSource::Make(options).ok());
  options.languages = "en";
  options.solutions = SolutionStyle::kWorked;
  EXPECT_FALSE(ProblemSource::Make(options).ok());
}

}  // namespace
}  // namespace assay
