#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/text.h"
#include "verifiers/language/prose.h"
#include "verifiers/verifier.h"

namespace assay {
namespace {

std::unique_ptr<Verifier> Language() {
  Result<std::unique_ptr<Verifier>> made = MakeVerifier("language", Json(), {});
  EXPECT_TRUE(made.ok());
  return std::move(*made);
}

// A word that must stand in one of the stretches that were found.
bool Found(const Verdict& verdict, std::string_view word) {
  const Json* spans = verdict.evidence.Find("foreign");
  if (spans == nullptr) return false;
  for (const Json& span : *spans->AsArray()) {
    if (span.StringOr("text", "").find(word) != std::string_view::npos) return true;
  }
  return false;
}

// tests/cases/language.jsonl: {"kind", "language", "row", "options"?, "score_min", "score_max", "spans"?}, written before the verifier
// was. Wrong is a score out of its range or a stretch that was not found; at least `share` of them must be right.
void RunShares(const std::string& name, double share_min) {
  const std::string path = StrCat(std::getenv("ASSAY_SOURCE_DIR"), "/tests/cases/", name, ".jsonl");
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  ASSERT_TRUE(reader.ok());
  const std::unique_ptr<Verifier> verifier = Language();
  std::map<std::string, std::pair<int, int>> by_kind;  // right, all
  int right = 0, all = 0;
  LineReader::Line line;
  while (*(*reader)->Next(&line)) {
    const Result<Json> item = ParseJson(line.text);
    ASSERT_TRUE(item.ok());
    const Result<Group> group = GroupFromJson(*item->Find("row"));
    ASSERT_TRUE(group.ok());
    const Verdict verdict = verifier->Verify(*group, item->Find("options"))[0];
    bool good = verdict.score >= item->DoubleOr("score_min", 0) &&
                verdict.score <= item->DoubleOr("score_max", 1);
    if (const Json* spans = item->Find("spans")) {
      for (const Json& span : *spans->AsArray()) good = good && Found(verdict, *span.AsString());
    }
    std::pair<int, int>& kind = by_kind[std::string(item->StringOr("kind", ""))];
    ++kind.second;
    ++all;
    if (good) {
      ++kind.first;
      ++right;
    } else if (std::getenv("ASSAY_VERBOSE") != nullptr) {
      std::printf("%s:%d %s: %.3f of [%.3f, %.3f] %s\n", name.c_str(),
                  static_cast<int>(line.number),
                  std::string(item->Find("row")->StringOr("id", "")).c_str(), verdict.score,
                  item->DoubleOr("score_min", 0), item->DoubleOr("score_max", 1),
                  verdict.evidence.Dump().c_str());
    }
  }
  for (const auto& [kind, counts] : by_kind)
    std::printf("%s %s: %d of %d\n", name.c_str(), kind.c_str(), counts.first, counts.second);
  EXPECT_GE(right, share_min * all) << right << " of " << all;
}

TEST(Language, Shares) { RunShares("language", 0.97); }
// One sentence each, in 16 languages, written when thresholds stood: whether anything in it is foreign.
TEST(Language, Sentences) { RunShares("language_words", 0.97); }

double ShareOfReply(std::string_view language, std::string_view reply) {
  Group group;
  group.samples.emplace_back().text = reply;
  const Json options = Json().Set("language", language);
  const Verdict verdict = Language()->Verify(group, &options)[0];
  EXPECT_TRUE(verdict.outcome == Outcome::kPass || verdict.outcome == Outcome::kFail);
  return verdict.score;
}

// Ways to hide text in another language.
TEST(Language, Exploits) {
  EXPECT_EQ(ShareOfReply("fr", "The Farmer Has Twelve Sheep Left In The Meadow And We Are Done."),
            0);
  EXPECT_LT(ShareOfReply("en", "$我们先把两个数加起来然后再减去$ so the answer is twelve."), 0.5);
  EXPECT_LT(
      ShareOfReply("fr", "$we first add both numbers and then we subtract the rest$ donc douze"),
      0.2);
  EXPECT_LT(ShareOfReply(
                "fr", "```text\nwe first add both numbers and then we subtract\n```\ndonc douze"),
            0.2);
  EXPECT_LT(ShareOfReply("fr", "```\nwe first add both numbers and then we subtract the rest"),
            0.1);
  EXPECT_LT(ShareOfReply("fr", "`we first add both numbers and then we subtract` donc douze"), 0.2);
  EXPECT_LT(ShareOfReply("fr", "\\text{we first add both numbers and then we subtract} donc douze"),
            0.2);
  EXPECT_LT(ShareOfReply("fr", "we.first.add.both.numbers.and.then.we.subtract.the.rest donc"),
            0.2);
  EXPECT_LT(ShareOfReply("en", "<think>我们先把两个数加起来。</think> The answer is twelve."),
            0.01);
  EXPECT_EQ(ShareOfReply("en", ""), 0);
  EXPECT_EQ(ShareOfReply("en", "<think>12 + 3 = 15</think>"), 0);
  EXPECT_EQ(ShareOfReply("en", "w e f i r s t"), 0);
}

TEST(Language, WhatIsNoWord) {
  EXPECT_EQ(ShareOfReply(
                "zh", "我们用 Python 写，让 Alice 先走，GPU 有 16 GB，dp[i] 与 max(a, b) 相等。"),
            1);
  EXPECT_EQ(ShareOfReply("es",
                         "Escribimos `for i in range(n)` y $\\text{area} = 5$ en "
                         "https://example.com/the-page aquí."),
            1);
  EXPECT_EQ(ShareOfReply("fr", "Le prix passe de $5 à $10 pour chacun."), 1);
  EXPECT_EQ(
      ShareOfReply("fr",
                   "```python\n# we double the number that was sold last week\nx = 2 * sold + old\n"
                   "total = x + rest_of_them\nprint(total, x)\n```\nOn obtient douze."),
      1);
}

TEST(Language, LanguageOfThePrompt) {
  const auto verdict_of = [](std::string_view prompt) {
    Group group;
    group.problem.prompt = prompt;
    group.samples.emplace_back().text = "We add both numbers and get twelve.";
    return Language()->Verify(group, nullptr)[0];
  };
  EXPECT_EQ(verdict_of("How many apples are left in the basket?").score, 1);
  EXPECT_EQ(verdict_of("Wie viele Äpfel sind noch im Korb?").score, 0);
  EXPECT_EQ(verdict_of("篮子里还有多少苹果？").score, 0);
  EXPECT_EQ(verdict_of("$2 + 2$").reason, "no_language");
  EXPECT_EQ(verdict_of("").outcome, Outcome::kAbstain);
}

TEST(Language, Options) {
  const Json odd = Json().Set("language", "klingonese");
  EXPECT_FALSE(MakeVerifier("language", odd, {}).ok());
  for (const char* name : {"en", "pt-BR", "zh_CN", "nb", "he", "English"})
    EXPECT_TRUE(MakeVerifier("language", Json().Set("language", name), {}).ok()) << name;
  EXPECT_TRUE(MakeVerifier("language", Json().Set("target", "en"), {}).ok());
  EXPECT_FALSE(MakeVerifier("language", Json().Set("target", "klingonese"), {}).ok());
  EXPECT_FALSE(MakeVerifier("language", Json().Set("target", "en").Set("language", "de"), {}).ok());
  const Json row = Json()
                       .Set("prompt", "Was ist das?")
                       .Set("completion", "This is a short sentence in English.");
  const Result<Group> group = GroupFromJson(row);
  ASSERT_TRUE(group.ok());
  const Json english = Json().Set("target", "en");
  EXPECT_EQ(Language()->Verify(*group, &english)[0].outcome, Outcome::kPass);
  EXPECT_EQ(Language()->Verify(*group, nullptr)[0].outcome, Outcome::kFail);
}

// What the search for code and formulas is weakest at.
TEST(Language, LongHostileText) {
  for (const std::string_view piece :
       {"\\(", "$a ", "`", "```\n", "\\begin{a", "<a", "\\frac{", "http://", "a", "é ", "我",
        "The ", "a.b", "\xff", "ะ", "``a` "}) {
    std::string text;
    while (text.size() < 1000000) text += piece;
    ShareOfReply("en", text);
    ShareOfReply("ja", text);
  }
}

}  // namespace
}  // namespace assay
