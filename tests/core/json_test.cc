#include "core/json.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>

#include "core/rng.h"

namespace assay {
namespace {

Json Parse(std::string_view text, JsonRepairs* repairs = nullptr) {
  Result<Json> value = ParseJson(text, repairs);
  EXPECT_TRUE(value.ok()) << text << ": " << (value.ok() ? "" : value.error().message);
  return value.ok() ? *value : Json();
}

TEST(Json, KeepsKindsAndOrder) {
  const std::string text = R"({"b":1,"a":[true,null,-2.5,"x"],"c":{"d":18446744073709551615}})";
  EXPECT_EQ(Parse(text).Dump(), text);
}

TEST(Json, ThousandthsAndTheirNeighboursAreShortest) {
  Rng rng(7);
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t whole = i < 5000 ? static_cast<uint64_t>(i) : rng.Below(2'000'000'000'000);
    const double thousandths = static_cast<double>(whole) / 1000;
    std::string text;
    AppendJsonNumber(thousandths, &text);
    char expected[40];
    std::snprintf(expected, sizeof(expected), "%.15g", thousandths);
    EXPECT_EQ(text, std::string(expected) + (std::strchr(expected, '.') != nullptr ? "" : ".0"));
    for (const double near : {std::nextafter(thousandths, 1e18), std::nextafter(thousandths, -1.0),
                              -thousandths, thousandths + 0.0005}) {
      text.clear();
      AppendJsonNumber(near, &text);
      EXPECT_EQ(std::strtod(text.c_str(), nullptr), near);
      EXPECT_EQ(std::signbit(std::strtod(text.c_str(), nullptr)), std::signbit(near));
    }
  }
}

TEST(Json, DoublesStayDoubles) {
  EXPECT_EQ(Parse("[27.0, 1e3, 0.1, -0.0]").Dump(), "[27.0,1000.0,0.1,-0.0]");
  EXPECT_EQ(Parse("27.0").ScalarText(), "27.0");
  EXPECT_EQ(Parse("27").ScalarText(), "27");
}

TEST(Json, LastOfRepeatedKeysCounts) { EXPECT_EQ(Parse(R"({"a":1,"a":2})").IntOr("a", 0), 2); }

TEST(Json, LoneSurrogatesBecomeReplacementCharacters) {
  JsonRepairs repairs;
  EXPECT_EQ(*Parse(R"(["\ud83d\ude00 \ud800 \udc00x \ud800\u0041"])", &repairs)
                 .AsArray()
                 ->at(0)
                 .AsString(),
            "\xF0\x9F\x98\x80 \xEF\xBF\xBD \xEF\xBF\xBDx \xEF\xBF\xBD"
            "A");
  EXPECT_EQ(repairs.lone_surrogates, 3);
}

TEST(Json, NonfiniteNumbersBecomeNull) {
  JsonRepairs repairs;
  EXPECT_EQ(Parse(R"({"a":NaN,"b":[Infinity,-Infinity,1e999],"c":"NaN"})", &repairs).Dump(),
            R"({"a":null,"b":[null,null,null],"c":"NaN"})");
  EXPECT_EQ(repairs.nonfinite, 4);
}

TEST(Json, BigIntegersKeepTheirToken) {
  JsonRepairs repairs;
  const std::string text =
      R"([123456789012345678901234567890,-9223372036854775809,18446744073709551616,"assay-number-0:7"])";
  const Json value = Parse(text, &repairs);
  EXPECT_EQ(value.Dump(), text);  // a string that looks like our own marker stays a string
  EXPECT_EQ(repairs.big_numbers, 3);
  EXPECT_TRUE(value.AsArray()->at(0).IsNumber());
  EXPECT_EQ(value.AsArray()->at(0).ScalarText(), "123456789012345678901234567890");
  EXPECT_TRUE(value.AsArray()->at(3).IsString());
}

TEST(Json, InvalidUtf8IsReplacedAndCounted) {
  JsonRepairs repairs;
  EXPECT_EQ(*Parse("\"a\xFF\xC0z\"", &repairs).AsString(), "a\xEF\xBF\xBD\xEF\xBF\xBDz");
  EXPECT_EQ(repairs.invalid_utf8, 2);
}

TEST(Json, MalformedDocumentsAreErrors) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":1}x", "{\"a\":1} {\"b\":2}", "nul", "01",
                           "\"\\x\"", "[1 2]", "{'a':1}", "\"\t\"", "NaNN", "[NaN", "--1"}) {
    Result<Json> value = ParseJson(text);
    EXPECT_FALSE(value.ok()) << text;
    if (!value.ok()) {
      EXPECT_EQ(value.error().code, ErrorCode::kInput);
    }
  }
}

TEST(Json, DepthIsBounded) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(ParseJson(nested(Json::kMaxDepth - 1)).ok());
  EXPECT_FALSE(ParseJson(nested(Json::kMaxDepth + 1)).ok());
  // Also after simdjson has had to make room for a large document.
  EXPECT_TRUE(ParseJson("[\"" + std::string(3 << 20, 'x') + "\"]").ok());
  EXPECT_FALSE(ParseJson(nested(2000)).ok());
}

TEST(Json, StringsAreEscapedAndRepaired) {
  std::string out;
  AppendJsonString(std::string_view("a\"\\\n\t\x01\x7f\xC3\xA9\xFF\0z", 12), &out);
  EXPECT_EQ(out, "\"a\\\"\\\\\\n\\t\\u0001\\u007f\xC3\xA9\xEF\xBF\xBD\\u0000z\"");
}

TEST(Json, NumbersRoundTrip) {
  Rng rng(1);
  for (int i = 0; i < 20000; ++i) {
    const uint64_t bits = rng.Next();
    double value;
    static_assert(sizeof(bits) == sizeof(value));
    std::memcpy(&value, &bits, sizeof(value));
    if (!std::isfinite(value)) continue;
    std::string text;
    AppendJsonNumber(value, &text);
    EXPECT_EQ(Parse(text).NumberOr(0), value) << text;
  }
}

TEST(Json, RandomTreesRoundTrip) {
  Rng rng(2);
  const std::function<Json(int)> make = [&](int depth) -> Json {
    switch (rng.Below(depth > 0 ? 7 : 5)) {
      case 0:
        return Json();
      case 1:
        return Json(rng.Below(2) == 1);
      case 2:
        return Json(static_cast<int64_t>(rng.Next()));
      case 3:
        return Json(rng.Normal());
      case 4: {
        std::string text;
        for (uint64_t i = rng.Below(9); i > 0; --i)
          text.push_back(static_cast<char>(rng.Below(128)));
        return Json(text);
      }
      case 5: {
        Json array = Json::MakeArray();
        for (uint64_t i = rng.Below(5); i > 0; --i) array.Append(make(depth - 1));
        return array;
      }
      default: {
        Json object = Json::MakeObject();
        for (uint64_t i = rng.Below(5); i > 0; --i)
          object.Set(std::string(1, static_cast<char>('a' + i)), make(depth - 1));
        return object;
      }
    }
  };
  for (int i = 0; i < 2000; ++i) {
    const Json value = make(5);
    EXPECT_EQ(Parse(value.Dump()), value);
  }
}

TEST(Json, ThreadsDoNotShareAnything) {
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const std::string text =
            "{\"n\":" + std::to_string(t * 1000 + i) + ",\"s\":\"" + std::string(i, 'x') + "\"}";
        Result<Json> value = ParseJson(text);
        if (!value.ok() || value->Dump() != text) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

}  // namespace
}  // namespace assay
