// The comparison of math answers against tests/cases/math_compare.jsonl (in both orders, and under other draws), and what must
// hold for every answer: it equals itself, limits end in kUndecided, and nothing takes long.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/jsonl.h"
#include "verifiers/math/math.h"

namespace assay::math {
namespace {

struct Case {
  std::string gold;
  std::string pred;
  bool expect = false;
  bool directed = false;  // equal only because one of the two is the gold
  ParseOptions parse;
  CompareOptions compare;
};

std::string CasesPath(const char* name) {
  const char* root = std::getenv("ASSAY_SOURCE_DIR");
  return std::string(root == nullptr ? "." : root) + "/tests/cases/" + name;
}

Case ReadCase(const Json& row) {
  Case c;
  c.gold = std::string(row.StringOr("gold", ""));
  c.pred = std::string(row.StringOr("pred", ""));
  c.expect = row.BoolOr("expect", false);
  if (row.Find("float_digits") != nullptr)
    c.compare.float_digits = static_cast<int>(row.IntOr("float_digits", 0));
  c.directed = row.BoolOr("directed", false);
  c.compare.rounded_digits = row.IntOr("rounded_digits", 6);
  c.compare.rel_tol = row.DoubleOr("rel_tol", 0);
  c.compare.abs_tol = row.DoubleOr("abs_tol", 0);
  c.compare.round_to_gold = row.BoolOr("round_to_gold", false);
  c.compare.percent_by_100 = row.BoolOr("percent_by_100", false);
  c.compare.base_value = row.BoolOr("base_value", false);
  c.compare.rename_variables = row.BoolOr("rename_variables", false);
  c.compare.inequality_for_set = row.BoolOr("inequality_for_set", true);
  c.compare.percent_optional = row.BoolOr("percent_optional", true);
  c.compare.ordered_lists = row.BoolOr("ordered_lists", false);
  if (row.StringOr("grammar", "") == "plain") c.parse.grammar = Grammar::kPlain;
  if (const Json* choices = row.Find("choices")) {
    for (const Json& choice : *choices->AsArray()) c.parse.choices.push_back(*choice.AsString());
  }
  return c;
}

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  auto reader = LineReader::Open(CasesPath("math_compare.jsonl"));
  EXPECT_TRUE(reader.ok());
  if (!reader.ok()) return cases;
  LineReader::Line line;
  while (true) {
    const auto more = (*reader)->Next(&line);
    EXPECT_TRUE(more.ok());
    if (!more.ok() || !*more) return cases;
    const auto row = ParseJson(line.text);
    EXPECT_TRUE(row.ok()) << line.number;
    if (row.ok()) cases.push_back(ReadCase(*row));
  }
}

TEST(MathCompare, Cases) {
  const std::vector<Case> cases = AllCases();
  ASSERT_GT(cases.size(), 300u);
  for (const Case& c : cases) {
    const ParsedAnswer gold = Parse(c.gold, c.parse);
    const ParsedAnswer pred = Parse(c.pred, c.parse);
    EXPECT_TRUE(gold.ok()) << c.gold;
    const CompareResult r = Compare(gold, pred, c.compare);
    EXPECT_EQ(r.equal(), c.expect) << c.gold << " | " << c.pred << " read as " << gold.ToString()
                                   << " | " << pred.ToString() << " (" << r.MethodText() << ")";
    if (c.compare.inequality_for_set && !c.directed) {
      const CompareResult reversed = Compare(pred, gold, c.compare);
      EXPECT_EQ(reversed.outcome, r.outcome) << "reversed: " << c.pred << " | " << c.gold;
      EXPECT_EQ(reversed.MethodText(), r.MethodText()) << c.pred << " | " << c.gold;
    }
    for (const uint64_t salt : {1, 2, 3, 4}) {
      CompareOptions other = c.compare;
      other.salt = salt;
      EXPECT_EQ(Compare(gold, pred, other).equal(), c.expect)
          << "salt " << salt << ": " << c.gold << " | " << c.pred;
    }
  }
}

TEST(MathCompare, EveryAnswerEqualsItself) {
  for (const Case& c : AllCases()) {
    for (const std::string& text : {c.gold, c.pred}) {
      const ParsedAnswer a = Parse(text, c.parse);
      if (!a.ok()) continue;
      EXPECT_TRUE(Compare(a, a).equal()) << text;
      EXPECT_TRUE(Compare(a, Parse(" " + text + " ", c.parse), c.compare).equal()) << text;
    }
  }
}

// Found by fuzzing: both sides are 0 only where one exponent, or one symbol, is positive. Which points were drawn depended on
// the order of the two.
TEST(MathCompare, NeitherOrderNorDrawsDecideWhereDomainsDiffer) {
  const ParsedAnswer a = Parse("s\\cdot 0^{(n-rq^F)!}");
  const ParsedAnswer b = Parse("o\\cdot i\\cdot 0\\cdot t\\cdot 0^x");
  for (uint64_t salt = 0; salt < 40; ++salt) {
    CompareOptions options;
    options.salt = salt;
    EXPECT_FALSE(Compare(a, b, options).equal()) << salt;
    EXPECT_FALSE(Compare(b, a, options).equal()) << salt;
  }
}

TEST(MathCompare, SaysHowItDecided) {
  const auto method = [](const char* a, const char* b) {
    return Compare(Parse(a), Parse(b)).MethodText();
  };
  EXPECT_EQ(method("1/2", "0.5"), "exact");
  EXPECT_EQ(method("\\sqrt{8}", "2\\sqrt2"), "exact");
  EXPECT_EQ(method("(x+1)^2", "x^2+2x+1"), "field");
  EXPECT_EQ(method("odd", "Odd"), "text");
  EXPECT_EQ(method("2\\sin x\\cos x", "\\sin 2x").substr(0, 5), "ball(");
}

TEST(MathCompare, WhatDoesNotParseEqualsNothing) {
  const ParsedAnswer bad = Parse("");
  EXPECT_EQ(bad.error(), ParseError::kEmpty);
  EXPECT_FALSE(Compare(bad, bad).equal());
  EXPECT_FALSE(Compare(ParsedAnswer(), ParsedAnswer()).equal());
}

double CpuMs() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

// Inputs made to be expensive. The bound is far above what is measured, for slow and instrumented builds.
TEST(MathCompare, HostileTextsEndSoon) {
  const auto repeat = [](const std::string& s, int n) {
    std::string out;
    for (int k = 0; k < n; ++k) out += s;
    return out;
  };
  const std::vector<std::string> texts = {
      "9^{9^{9^{9}}}",
      "(10^{9})!",
      "((((9!)!)!)!)!",
      "\\sum_{k=1}^{10^9}k",
      "\\sum_{k=1}^{2000}\\sum_{j=1}^{2000}jk",
      repeat("(", 20000) + "1" + repeat(")", 20000),
      repeat("\\frac{", 9000),
      "1" + repeat("*1", 20000),
      "1" + repeat("/1", 20000),
      "x" + repeat("*(x+1)", 5000),
      repeat("|x", 20000),
      "2" + repeat("^{2", 5000) + repeat("}", 5000),
      repeat("\\pm1", 10000),
      "\\tanh(20000)",
      "\\sin(10^{1000})",
      "e^{e^{e^{e^e}}}",
      "1e999999999",
      repeat("1,", 20000),
      repeat("\\text{", 9000),
      "\\sqrt{2}+\\sqrt{3}+\\sqrt{5}+\\sqrt{7}+\\sqrt{11}+\\sqrt{13}+\\sqrt{17}+\\sqrt{19}",
      "(1+x)^{10^{18}}",
      "\\gcd((x+y+z)^{10},(x+y)^{10})"};
  for (const std::string& text : texts) {
    for (const char* gold : {"7", "\\sqrt2", "x+1", "\\{1,2\\}", "x<3", "\\cos x"}) {
      double spent = 1e9;
      CompareResult r;
      for (int run = 0; run < 2 && spent > 400; ++run) {  // a machine may have a bad moment
        const double start = CpuMs();
        r = Compare(Parse(gold), Parse(text));
        spent = std::min(spent, CpuMs() - start);
      }
      EXPECT_FALSE(r.equal()) << gold << " | " << text.substr(0, 40);
      EXPECT_LT(spent, 400) << gold << " | " << text.substr(0, 40);
    }
  }
}

}  // namespace
}  // namespace assay::math
