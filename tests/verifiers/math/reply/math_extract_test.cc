#include "verifiers/math/reply/extract.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "verifiers/math/reply/phrase_search.h"

namespace assay::math {
namespace {

ExtractOptions OptionsFrom(const Json* json) {
  ExtractOptions options;
  if (json == nullptr) return options;
  options.mode = ModeFromName(json->StringOr("mode", "completion")).value_or(Mode::kCompletion);
  options.last_number = json->BoolOr("last_number", false);
  options.truncated = json->BoolOr("truncated", false);
  options.language = json->StringOr("language", "");
  if (const Json* choices = json->Find("choices"); choices != nullptr && choices->IsArray()) {
    for (const Json& choice : *choices->AsArray()) options.choices.push_back(choice.ScalarText());
  }
  return options;
}

// tests/cases/math_extract.jsonl: {"text", "options"?, "extracted", "rule"} or {"text", "options"?, "refusal"}.
TEST(MathExtract, Cases) {
  const std::string path =
      StrCat(std::getenv("ASSAY_SOURCE_DIR"), "/tests/cases/math_extract.jsonl");
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  LineReader::Line line;
  int count = 0;
  while (*(*reader)->Next(&line)) {
    const Result<Json> item = ParseJson(line.text);
    ASSERT_TRUE(item.ok()) << line.number;
    const std::string text(item->StringOr("text", ""));
    const Extraction found = ExtractAnswer(text, OptionsFrom(item->Find("options")));
    if (item->Find("refusal") != nullptr) {
      EXPECT_FALSE(found.found()) << line.number << ": " << line.text << " gave " << found.text
                                  << " by " << RuleName(found.rule);
      EXPECT_EQ(found.refusal, item->StringOr("refusal", "")) << line.number << ": " << line.text;
    } else {
      EXPECT_EQ(found.text, item->StringOr("extracted", ""))
          << line.number << ": " << line.text << " refusal " << found.refusal;
      EXPECT_EQ(RuleName(found.rule), item->StringOr("rule", ""))
          << line.number << ": " << line.text;
      EXPECT_LE(found.begin, found.end) << line.number;
      EXPECT_LE(found.end, text.size()) << line.number;
    }
    ++count;
  }
  EXPECT_GE(count, 120);
}

double CpuMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

std::string Repeat(const std::string& piece, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += piece;
  return text;
}

// Twice the text takes at most a few times the time: no quadratic corner. (Times are only compared with each other.)
TEST(MathExtract, HostileTextIsLinear) {
  const std::vector<std::string> pieces = {"\\boxed{",
                                           "\\boxed{}",
                                           "{",
                                           "\\boxed{4} and ",
                                           "$",
                                           "\\(",
                                           "\\[",
                                           "\\begin{a}",
                                           "<think>",
                                           "</think",
                                           "answer is ",
                                           "the answer is not ",
                                           "A: \n",
                                           "####",
                                           "#### x\n",
                                           "**",
                                           "`",
                                           "wait, wrong. ",
                                           "= ",
                                           "is ",
                                           "1",
                                           "1,",
                                           "\xff\xfe",
                                           "答案",
                                           "$1$ and ",
                                           "\\text{",
                                           "\\",
                                           "\\boxed{1} wrong. ",
                                           "if answer ",
                                           "final answer ",
                                           "answer is 3. that is wrong. ",
                                           "<<1=1>>"};
  for (const std::string& piece : pieces) {
    for (const Mode mode : {Mode::kCompletion, Mode::kLatexExpr, Mode::kString}) {
      ExtractOptions options;
      options.mode = mode;
      options.last_number = true;
      double best[2] = {1e9, 1e9};
      for (int size = 0; size < 2; ++size) {
        const std::string text = Repeat(piece, size == 0 ? 100'000 : 400'000);
        for (int round = 0; round < 2; ++round) {
          const double start = CpuMs();
          ExtractAnswer(text, options);
          best[size] = std::min(best[size], CpuMs() - start);
        }
      }
      EXPECT_LT(best[1], 10 * best[0] + 5) << piece << " in mode " << ModeName(mode) << ": "
                                           << best[0] << " ms, then " << best[1] << " ms";
    }
  }
}

TEST(MathExtract, EvidenceSaysWhere) {
  const std::string text = "Long way. The answer is 12 cm.";
  const Extraction found = ExtractAnswer(text, {});
  EXPECT_EQ(text.substr(found.begin, found.end - found.begin), "12 cm");
  const std::string boxed = "so \\boxed{12} done";
  const Extraction box = ExtractAnswer(boxed, {});
  EXPECT_EQ(boxed.substr(box.begin, box.end - box.begin), "\\boxed{12}");
}

TEST(MathExtract, AReplyThatWasCutOff) {
  ExtractOptions options;
  options.truncated = true;
  EXPECT_FALSE(ExtractAnswer("and so the answer is 12", options).found());
  EXPECT_FALSE(ExtractAnswer("and so $x = 12$", options).found());
  EXPECT_EQ(ExtractAnswer("so \\boxed{12}. And furthermo", options).text, "12");
  EXPECT_EQ(ExtractAnswer("The answer is 12. And furthermo", options).text, "12");
}

TEST(MathPhrases, LongestAtEachEnd) {
  const std::vector<PhraseHit> hits = FindPhrases("My FINAL ANSWER: \\boxed{1} answer");
  ASSERT_EQ(hits.size(), 3u);
  EXPECT_EQ(hits[0].phrase, Phrase::kFinal);
  EXPECT_EQ(hits[0].begin, 3u);
  EXPECT_EQ(hits[1].phrase, Phrase::kBox);
  EXPECT_EQ(hits[2].phrase, Phrase::kAnswer);
}

TEST(MathModes, NamesRoundTrip) {
  for (const std::string& name : ModeNames()) {
    ASSERT_TRUE(ModeFromName(name).has_value()) << name;
    EXPECT_EQ(ModeName(*ModeFromName(name)), name);
  }
  EXPECT_FALSE(ModeFromName("latex expr").has_value());
}

}  // namespace
}  // namespace assay::math
