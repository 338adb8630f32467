// Options: reading with good errors, defaults from the struct, overrides, and what a table says of itself.
#include "core/options.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/option_docs.h"
#include "core/toml.h"

namespace assay {
namespace {

enum class Shape { kRound, kSquare };

struct Settings {
  bool flag = false;
  int64_t count = 3;
  int64_t cut = 1;
  std::optional<int> digits;
  double share = 0.5;
  double weight = 1;
  std::optional<double> tolerance;
  std::string text = "x";
  std::vector<std::string> words, files;
  Json free, limits;
  Shape shape = Shape::kSquare;
  std::optional<Shape> other;
};

Options Table(Settings* s, std::string noun = "option", std::string owner = " of 'it'") {
  Options table(std::move(noun), std::move(owner));
  table.Add("flag", &s->flag, "a switch");
  table.Add("count", &s->count, "a number of things").Range(1, 9);
  table.Add("cut", &s->cut, "a whole number, fraction dropped").DropFractions().Range(1, 1e12);
  table.Add("digits", &s->digits, "or none").Range(0, 10).NullUnsets();
  table.Add("part.share", &s->share, "a share").AtLeast(0).Below(1);
  table.Add("part.weight", &s->weight, "no infinity").Finite();
  table.Add("tolerance", &s->tolerance, "kept by a null");
  table.Add("text", &s->text, "a text").OneOf({"x", "yes", "no"});
  table.Add("words", &s->words, "a list").AtMostItems(2);
  table.Add("files", &s->files, "a text or a list").OrOne();
  table.Add("free", &s->free, "anything");
  Settings inner;
  Options limits;
  limits.Add("cpu_ms", &inner.count, "milliseconds").AtLeast(1);
  table.Add("limits", &s->limits, "what may be used").Keys(limits.Infos());
  table.Add("shape", &s->shape, {{"round", Shape::kRound}, {"square", Shape::kSquare}}, "a form");
  table.Add("other", &s->other, {{"auto", std::nullopt}, {"round", Shape::kRound}}, "or auto")
      .NullUnsets();
  return table;
}

Json Parsed(std::string_view text) { return ParseJson(text).value(); }

TEST(Options, ReadsEveryKind) {
  Settings s;
  const Status status = Table(&s).Read(Parsed(
      R"({"flag": true, "count": 4.0, "cut": 2.9, "digits": 7, "part": {"share": 0, "weight": -2}, "tolerance": 1e-3,
          "text": "no", "words": ["a", "b"], "files": "f", "free": {"a": [1]}, "limits": {"cpu_ms": 5, "other": null},
          "shape": "round", "other": "round"})"));
  ASSERT_TRUE(status.ok()) << status.error().message;
  EXPECT_TRUE(s.flag);
  EXPECT_EQ(s.count, 4);
  EXPECT_EQ(s.cut, 2);
  EXPECT_EQ(s.digits, 7);
  EXPECT_EQ(s.share, 0);
  EXPECT_EQ(s.weight, -2);
  EXPECT_EQ(s.tolerance, 1e-3);
  EXPECT_EQ(s.text, "no");
  EXPECT_EQ(s.words, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(s.files, std::vector<std::string>{"f"});
  EXPECT_EQ(s.free.Dump(), R"({"a":[1]})");
  EXPECT_EQ(s.limits.IntOr("cpu_ms", 0), 5);
  EXPECT_EQ(s.shape, Shape::kRound);
  EXPECT_EQ(s.other, Shape::kRound);
}

TEST(Options, NullKeepsOrUnsets) {
  Settings s;
  s.flag = true;
  s.digits = 4;
  s.tolerance = 0.1;
  s.other = Shape::kRound;
  ASSERT_TRUE(Table(&s).Read(Json()).ok());
  ASSERT_TRUE(
      Table(&s)
          .Read(Parsed(R"({"flag": null, "digits": null, "tolerance": null, "other": null})"))
          .ok());
  EXPECT_TRUE(s.flag);
  EXPECT_EQ(s.digits, std::nullopt);
  EXPECT_EQ(s.tolerance, 0.1);
  EXPECT_EQ(s.other, std::nullopt);
}

TEST(Options, ErrorsNameTheOptionAndWhatWasMeant) {
  const struct {
    const char *json, *message, *hint;
  } cases[] = {
      {R"({"flg": 1})", "unknown option 'flg' of 'it'", "did you mean 'flag'?"},
      {R"({"weight": 1})", "unknown option 'weight' of 'it'", "did you mean 'part.weight'?"},
      {R"({"flag": 1})", "option 'flag' of 'it' is not true or false", ""},
      {R"({"count": "4"})", "option 'count' of 'it' is not a whole number", "from 1 to 9"},
      {R"({"count": 4.5})", "option 'count' of 'it' is not a whole number", "from 1 to 9"},
      {R"({"count": 10})", "option 'count' of 'it' = 10 is out of range", "from 1 to 9"},
      {R"({"count": 18446744073709551615})", "option 'count' of 'it' is not a whole number",
       "from 1 to 9"},
      {R"({"cut": 0.5})", "option 'cut' of 'it' = 0.5 is out of range", "from 1 to 1000000000000"},
      {R"({"part": {"share": 1}})", "option 'part.share' of 'it' = 1 is out of range",
       "from 0 to below 1"},
      {R"({"part": {"sher": 1}})", "unknown option 'part.sher' of 'it'",
       "did you mean 'part.share'?"},
      {R"({"part": 3})", "'part' is not an object", ""},
      {R"({"text": "yess"})", "unknown text 'yess' of 'it'", "did you mean 'yes'?"},
      {R"({"text": 3})", "option 'text' of 'it' is not a string", "one of: x, yes, no"},
      {R"({"shape": "circle"})", "unknown shape 'circle' of 'it'", "one of: round, square"},
      {R"({"words": "a"})", "option 'words' of 'it' is not a list of strings",
       "at most 2 strings that are not empty"},
      {R"({"words": [""]})", "option 'words' of 'it' holds an empty string",
       "at most 2 strings that are not empty"},
      {R"({"words": ["a", "b", "c"]})", "option 'words' of 'it' has 3 items",
       "at most 2 strings that are not empty"},
      {R"({"files": [1]})", "option 'files' of 'it' is not a string or a list of strings", ""},
      {R"({"free": 1})", "option 'free' of 'it' is not an object", ""},
      {R"({"limits": {"cpu": 1}})", "unknown option 'limits.cpu' of 'it'", nullptr},
      {R"({"limits": {"cpu_ms": 0}})", "option 'limits.cpu_ms' of 'it' = 0 is out of range",
       "at least 1"},
      {R"([1])", "options of 'it' are not an object", R"(for example {"flag":false})"}};
  for (const auto& [json, message, hint] : cases) {
    Settings s;
    const Status status = Table(&s).Read(Parsed(json));
    ASSERT_FALSE(status.ok()) << json;
    EXPECT_EQ(status.error().code, ErrorCode::kUsage);
    EXPECT_EQ(status.error().message, message) << json;
    if (hint != nullptr) {
      EXPECT_EQ(status.error().hint, hint) << json;
    }
  }
}

TEST(Options, NotANumberAndInfinity) {
  Settings s;
  Options table = Table(&s);
  EXPECT_FALSE(table.Read(Json().Set("tolerance", std::nan(""))).ok());
  EXPECT_TRUE(table.Read(Json().Set("tolerance", INFINITY)).ok());
  EXPECT_FALSE(table.Read(Json().Set("part", Json().Set("weight", INFINITY))).ok());
}

TEST(Options, RequiredOnesAreMissed) {
  std::string name;
  Options table;
  table.Add("name", &name, "who").Required("name = \"x\"");
  const Status status = table.Read(Json::MakeObject());
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "'name' is missing");
  EXPECT_EQ(status.error().hint, "for example name = \"x\"");
}

TEST(Options, TomlErrorsNameTheLine) {
  const Result<TomlFile> file = ParseToml("flag = true\n[part]\n\nshare = 2\n", "r.toml");
  ASSERT_TRUE(file.ok());
  Settings s;
  const Status status =
      Table(&s, "key", "").Read(file->json, [&](std::string_view path) { return file->At(path); });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "r.toml:4: 'part.share' = 2 is out of range");
  EXPECT_TRUE(s.flag);
  EXPECT_EQ(ParseToml("a = [\n", "r.toml").error().code, ErrorCode::kInput);
  const Result<TomlFile> tables = ParseToml("[[t]]\na = 1\n[[t]]\na = 2\n", "r.toml");
  EXPECT_EQ(tables->At("t[1].a"), "r.toml:4: ");
  EXPECT_EQ(tables->At("t[9]"), "r.toml: ");
}

TEST(Options, OverridesAreTomlOrPlainText) {
  Settings s;
  std::string path;
  Options table = Table(&s, "key", "");
  table.Add("path", &path, "a file");
  for (const char* text : {"part.share=0.25", "text=yes", "files=[\"a\", \"b\"]", "free.b=1",
                           "free.a = \"x\"", "path=12", "flag=true"}) {
    const Status status = table.Override(text);
    EXPECT_TRUE(status.ok()) << text << ": " << status.error().message;
  }
  EXPECT_EQ(s.share, 0.25);
  EXPECT_EQ(s.text, "yes");
  EXPECT_EQ(s.files.size(), 2u);
  EXPECT_EQ(s.free.Dump(), R"({"a":"x","b":1})");
  EXPECT_EQ(path, "12");
  EXPECT_EQ(table.Override("part.share=2").error().message,
            "--set: 'part.share' = 2 is out of range");
  EXPECT_EQ(table.Override("part.sharee=2").error().hint, "did you mean 'part.share'?");
  EXPECT_EQ(table.Override("nothing").error().message, "--set 'nothing' has no '='");
}

TEST(Options, SaysWhatItIs) {
  Settings s;
  Options table("option");
  table.Add("shape", &s.shape, {{"round", Shape::kRound}, {"square", Shape::kSquare}}, "a form");
  table.Add("part.share", &s.share, "a share").AtLeast(0).Below(1);
  table.Add("words", &s.words, "a list").AtMostItems(2);
  EXPECT_EQ(table.ToJson().Dump(), R"({"shape":"square","part.share":0.5,"words":[]})");
  EXPECT_EQ(OptionLines(table.Infos()),
            "shape: round | square (default square): a form\n"
            "part.share: number from 0 to below 1 (default 0.5): a share\n"
            "words: list of strings (default none): a list");
  EXPECT_EQ(OptionMarkdown(table.Infos(), "option"),
            "| option | values | default | |\n|---|---|---|---|\n"
            "| `shape` | round \\| square | square | a form |\n"
            "| `part.share` | number from 0 to below 1 | 0.5 | a share |\n"
            "| `words` | list of strings | none | a list |\n");
  EXPECT_EQ(
      OptionSchema(table.Infos(), false).Dump(),
      R"({"type":"object","properties":{"shape":{"type":"string","description":"a form","enum":["round","square"],"default":"square"},)"
      R"("part":{"type":"object","properties":{"share":{"type":"number","description":"a share","minimum":0,"exclusiveMaximum":1,"default":0.5}},"additionalProperties":false},)"
      R"("words":{"type":"array","description":"a list","items":{"type":"string","minLength":1},"maxItems":2,"default":[]}},"additionalProperties":false})");
}

}  // namespace
}  // namespace assay
