#include "core/text.h"

#include <gtest/gtest.h>

#include "core/hash.h"
#include "core/rng.h"

namespace assay {
namespace {

TEST(Text, StrCatTakesWhatThereIs) {
  EXPECT_EQ(StrCat("a", 'b', 3, -4ll, 5u, 0.5, std::string("c"), true), "ab3-450.5ctrue");
}

TEST(Text, Thousands) {
  EXPECT_EQ(WithThousands(0), "0");
  EXPECT_EQ(WithThousands(999), "999");
  EXPECT_EQ(WithThousands(1000), "1,000");
  EXPECT_EQ(WithThousands(-1234567), "-1,234,567");
}

TEST(Text, Utf8) {
  EXPECT_TRUE(IsValidUtf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
  for (const char* bad : {"\x80", "\xC0\x80", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80",
                          "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(IsValidUtf8(bad));
    EXPECT_TRUE(IsValidUtf8(SanitizeUtf8(bad)));
  }
}

TEST(Text, ShortenCutsBetweenCharacters) {
  EXPECT_EQ(Shorten("abc", 3), "abc");
  EXPECT_EQ(Shorten("a\xC3\xA9z", 2), "a...");
}

TEST(Text, DidYouMean) {
  const std::vector<std::string> names = {"math", "code", "format"};
  EXPECT_EQ(DidYouMean("maths", names), "did you mean 'math'?");
  EXPECT_EQ(DidYouMean("fromat", names), "did you mean 'format'?");
  EXPECT_EQ(DidYouMean("sqlite", names), "one of: math, code, format");
}

// Fixed values: a run must give the same numbers on every machine and in every version.
TEST(Rng, IsTheSameEverywhere) {
  Rng rng(42);
  EXPECT_EQ(rng.Next(), 1546998764402558742u);
  EXPECT_EQ(rng.Next(), 6990951692964543102u);
  Rng a(7, "shuffle"), b(7, "shuffle"), c(7, "sample"), d(7, "shuffle", 1);
  const uint64_t first = a.Next();
  EXPECT_EQ(first, b.Next());
  EXPECT_NE(first, c.Next());
  EXPECT_NE(first, d.Next());
}

TEST(Rng, UniformAndNormalHaveTheirMoments) {
  Rng rng(1);
  double sum = 0, squares = 0, uniform = 0;
  const int n = 200000;
  for (int i = 0; i < n; ++i) {
    const double x = rng.Normal();
    sum += x;
    squares += x * x;
    uniform += rng.Uniform();
  }
  EXPECT_NEAR(sum / n, 0, 0.01);
  EXPECT_NEAR(squares / n, 1, 0.02);
  EXPECT_NEAR(uniform / n, 0.5, 0.005);
}

TEST(Rng, BelowIsEven) {
  Rng rng(5);
  int counts[7] = {};
  for (int i = 0; i < 70000; ++i) ++counts[rng.Below(7)];
  for (int count : counts) EXPECT_NEAR(count, 10000, 400);
}

TEST(Hash, IsTheSameEverywhere) {
  EXPECT_EQ(HashBytes128("").Hex(),
            "99aa06d3014798d86001c324468d497f");  // XXH3's published value for no bytes
  EXPECT_NE(HashBytes128("a"), HashBytes128("b"));
}

}  // namespace
}  // namespace assay
