// What the math parser makes of a text: tests/cases/math_parse.jsonl says how each is read. Beside it: Unicode, the readings of
// ambiguous texts, choice letters, and limits.
#include <gtest/gtest.h>

#include <string>

#include "core/json.h"
#include "core/jsonl.h"
#include "verifiers/math/math.h"

namespace assay::math {
namespace {

std::string Read(const std::string& text, Grammar grammar = Grammar::kAuto) {
  ParseOptions options;
  options.grammar = grammar;
  return Parse(text, options).ToString();
}

TEST(MathParse, Cases) {
  const char* root = std::getenv("ASSAY_SOURCE_DIR");
  auto reader =
      LineReader::Open(std::string(root == nullptr ? "." : root) + "/tests/cases/math_parse.jsonl");
  ASSERT_TRUE(reader.ok());
  LineReader::Line line;
  int count = 0;
  while (true) {
    const auto more = (*reader)->Next(&line);
    ASSERT_TRUE(more.ok());
    if (!*more) break;
    const auto row = ParseJson(line.text);
    ASSERT_TRUE(row.ok()) << line.number;
    const std::string text(row->StringOr("text", ""));
    const ParsedAnswer a = Parse(text);
    EXPECT_EQ(a.ToString(), row->StringOr("read", "")) << text;
    EXPECT_EQ(AnswerKindName(a.kind()), row->StringOr("kind", "")) << text;
    EXPECT_EQ(ParseErrorName(a.error()), row->StringOr("error", "none")) << text;
    ++count;
  }
  EXPECT_GT(count, 70);
}

TEST(MathParse, UnicodeBecomesLatex) {
  EXPECT_EQ(Read("x² + √3 ≤ ½π"), Read("x^{2}+\\sqrt3\\le\\frac{1}{2}\\pi"));
  EXPECT_EQ(Read("４２"), "42");
  EXPECT_EQ(Read("٤٢"), "42");
  EXPECT_EQ(Read("−5"), Read("-5"));
  EXPECT_EQ(Read("5\u202E"), "5");
  EXPECT_EQ(Read("a₁"), "a_1");
  EXPECT_EQ(Read("(1，2)"), "(1, 2)");
  EXPECT_NE(Read("\u0410"), Read("A"));  // a Cyrillic letter is another letter
}

TEST(MathParse, GrammarsDiffer) {
  EXPECT_EQ(Read("2,5"), "2, 5");
  // In plain text the decimal comma is a second reading, so that both golds are met.
  ParseOptions plain;
  plain.grammar = Grammar::kPlain;
  EXPECT_TRUE(Compare(Parse("2.5"), Parse("2,5", plain)).equal());
  EXPECT_TRUE(Compare(Parse("2, 5"), Parse("2,5", plain)).equal());
  EXPECT_EQ(Read("7 g", Grammar::kPlain), "7 [g]");
  EXPECT_EQ(Read("7 g"), "7*g");
}

TEST(MathParse, ChoiceLetters) {
  EXPECT_EQ(Parse("C").kind(), AnswerKind::kExpression);  // a letter alone may be a variable
  EXPECT_EQ(Parse("(C)").kind(), AnswerKind::kChoice);
  EXPECT_EQ(Parse("(C) 12").kind(), AnswerKind::kChoice);
  EXPECT_EQ(Parse("\\textbf{(C)}\\ 12").kind(), AnswerKind::kChoice);
  EXPECT_EQ(Parse("C. twelve").kind(), AnswerKind::kChoice);
  EXPECT_TRUE(Compare(Parse("C"), Parse("(C) 12")).equal());
  EXPECT_FALSE(Compare(Parse("D"), Parse("(C) 12")).equal());
}

TEST(MathParse, LimitsAreErrorsNotCrashes) {
  const auto repeat = [](const std::string& s, int n) {
    std::string out;
    for (int k = 0; k < n; ++k) out += s;
    return out;
  };
  EXPECT_EQ(Parse(std::string(kMaxTextBytes + 1, '1')).error(), ParseError::kLimit);
  EXPECT_EQ(Parse(repeat("(", 5000) + "1" + repeat(")", 5000)).error(), ParseError::kLimit);
  EXPECT_EQ(Parse(repeat("\\frac{", 5000)).error(), ParseError::kLimit);
  EXPECT_EQ(Parse(repeat("1+", 20000) + "1").error(), ParseError::kLimit);
  EXPECT_EQ(Parse("").error(), ParseError::kEmpty);
  EXPECT_EQ(Parse(" $ $ ").error(), ParseError::kEmpty);
}

TEST(MathParse, ProgramsAreWords) {
  EXPECT_EQ(Parse("__import__(\"os\").system(\"x\")").kind(), AnswerKind::kText);
  EXPECT_EQ(Parse("len(\"aaaa\")").kind(), AnswerKind::kText);
}

}  // namespace
}  // namespace assay::math
