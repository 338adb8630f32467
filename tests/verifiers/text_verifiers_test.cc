#include "verifiers/text_verifiers.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/text.h"
#include "verifiers/instructions/constraint.h"

namespace assay {
namespace {

// tests/cases/NAME.jsonl of one verifier: {"row": a flat sample as GroupFromJson reads it, "options"?, "reason", "score"?, "why"?};
// reason "ok" passes.
int RunCases(const std::string& name) {
  const std::string path = StrCat(std::getenv("ASSAY_SOURCE_DIR"), "/tests/cases/", name, ".jsonl");
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  EXPECT_TRUE(reader.ok()) << path;
  if (!reader.ok()) return 0;
  Result<std::unique_ptr<Verifier>> verifier = MakeVerifier(name, Json(), {});
  EXPECT_TRUE(verifier.ok());
  LineReader::Line line;
  int count = 0;
  while (*(*reader)->Next(&line)) {
    Result<Json> item = ParseJson(line.text);
    EXPECT_TRUE(item.ok()) << line.number;
    Result<Group> group = GroupFromJson(*item->Find("row"));
    EXPECT_TRUE(group.ok()) << name << ":" << line.number;
    const Verdict verdict = (*verifier)->Verify(*group, item->Find("options"))[0];
    EXPECT_EQ(verdict.reason, item->StringOr("reason", ""))
        << name << ":" << line.number << ": " << verdict.detail;
    EXPECT_EQ(verdict.outcome == Outcome::kPass, verdict.reason == "ok");
    EXPECT_GE(verdict.score, 0);
    EXPECT_LE(verdict.score, 1);
    if (item->Find("score") != nullptr) {
      EXPECT_NEAR(verdict.score, item->DoubleOr("score", -1), 1e-9) << name << ":" << line.number;
    }
    ++count;
  }
  return count;
}

TEST(TextVerifiers, Choice) { EXPECT_GE(RunCases("choice"), 60); }
TEST(TextVerifiers, Countdown) { EXPECT_GE(RunCases("countdown"), 30); }
TEST(TextVerifiers, Exact) { EXPECT_GE(RunCases("exact"), 20); }
TEST(TextVerifiers, Instructions) { EXPECT_GE(RunCases("instructions"), 150); }
TEST(TextVerifiers, JsonSchema) { EXPECT_GE(RunCases("json_schema"), 35); }
TEST(TextVerifiers, Length) { EXPECT_GE(RunCases("length"), 15); }
TEST(TextVerifiers, Numeric) { EXPECT_GE(RunCases("numeric"), 40); }
TEST(TextVerifiers, Puzzle) { EXPECT_GE(RunCases("puzzle"), 70); }
TEST(TextVerifiers, Readability) { EXPECT_GE(RunCases("readability"), 25); }
TEST(TextVerifiers, Reflection) { EXPECT_GE(RunCases("reflection"), 12); }
TEST(TextVerifiers, Qa) { EXPECT_GE(RunCases("qa"), 20); }
TEST(TextVerifiers, Regex) { EXPECT_GE(RunCases("regex"), 20); }
TEST(TextVerifiers, Repetition) { EXPECT_GE(RunCases("repetition"), 12); }

// Every kind has a row in docs/instructions.md, a case that passes and one that fails.
TEST(TextVerifiers, InstructionKinds) {
  const std::string root = std::getenv("ASSAY_SOURCE_DIR");
  std::map<std::string, std::set<std::string>> outcomes;
  Result<std::unique_ptr<LineReader>> cases =
      LineReader::Open(root + "/tests/cases/instructions.jsonl");
  ASSERT_TRUE(cases.ok());
  LineReader::Line line;
  while (*(*cases)->Next(&line)) {
    const Result<Json> item = ParseJson(line.text);
    const Json* ids = item->Find("row")->Find("instruction_id_list");
    if (ids == nullptr || ids->AsArray() == nullptr) continue;
    for (const Json& id : *ids->AsArray())
      outcomes[*id.AsString()].insert(std::string(item->StringOr("reason", "")));
  }
  std::string page;
  Result<std::unique_ptr<LineReader>> docs = LineReader::Open(root + "/docs/instructions.md");
  ASSERT_TRUE(docs.ok());
  while (*(*docs)->Next(&line)) StrAppend(&page, line.text, "\n");
  EXPECT_GE(ConstraintNames().size(), 90);
  for (const std::string& name : ConstraintNames()) {
    EXPECT_NE(page.find(StrCat("| `", name, "` |")), std::string::npos) << name;
    EXPECT_TRUE(outcomes[name].count("ok") > 0 && outcomes[name].count("not_followed") > 0) << name;
  }
}

// Megabytes of what each is weakest at end in a verdict, and soon.
TEST(TextVerifiers, LongHostileText) {
  const std::string texts[] = {
      std::string(1000000, '('), std::string(1000000, ' '), "\\boxed{" + std::string(1000000, '{'),
      "<answer>" + std::string(1000000, '9') + "</answer>", std::string(1000000, '\xff')};
  std::string tags;
  for (int i = 0; i < 100000; ++i) tags += "<answer>\\boxed{</think>";
  Json every_kind = Json::MakeArray(), kwargs = Json::MakeArray();
  const std::vector<std::string> kinds = ConstraintNames();
  for (size_t i = 0; i < std::min<size_t>(kinds.size(), 100); ++i) {
    every_kind.Append(kinds[i]);
    kwargs.Append(*ParseJson(R"({"keywords":["a"],"keyword":"a","frequency":1,"relation":"at least",
        "forbidden_words":["a"],"letter":"a","let_frequency":1,"let_relation":"at least","N":1,"small_n":1,
        "keyword1":"a","keyword2":"b","language":"en","capital_frequency":1,"capital_relation":"at least",
        "num_words":1,"num_sentences":1,"num_paragraphs":1,"nth_paragraph":1,"first_word":"a","min_words":1,
        "max_words":1,"n_sent":1,"n_words":1,"last_word":"a","num_placeholders":1,"postscript_marker":"P.S.",
        "num_bullets":1,"num_highlights":1,"section_spliter":"S","num_sections":1,"end_phrase":"a",
        "options":["a"],"sep":"-","word":"a","n":1,"m":1,"prompt_to_repeat":"a b","n_start":0,"n_end":1})"));
  }
  for (const char* name :
       {"choice", "countdown", "exact", "instructions", "json_schema", "length", "numeric",
        "puzzle", "qa", "readability", "reflection", "regex", "repetition"}) {
    Result<std::unique_ptr<Verifier>> verifier = MakeVerifier(name, Json(), {});
    ASSERT_TRUE(verifier.ok());
    Group group;
    group.problem.answers = {"4"};
    group.problem.verification_info = *ParseJson(R"({"numbers":[1,3],"target":4})");
    group.problem.verification_info.Set("instruction_id_list", every_kind).Set("kwargs", kwargs);
    group.problem.verification_info.Set("choices", *ParseJson(R"(["4","5"])"))
        .Set("schema",
             *ParseJson(R"({"type":"array","uniqueItems":true,"items":{"pattern":"(a+)+$"}})"))
        .Set("kind", "sudoku")
        .Set("grid", *ParseJson("[[1,0],[0,1]]"));
    for (const std::string& text : texts) group.samples.emplace_back().text = text;
    group.samples.emplace_back().text = tags;
    for (const Verdict& verdict : (*verifier)->Verify(group, nullptr))
      EXPECT_TRUE(verdict.outcome == Outcome::kPass || verdict.outcome == Outcome::kFail) << name;
  }
}

TEST(TextVerifiers, AnswerPart) {
  EXPECT_EQ(AnswerPart("<think>a</think> b "), "b");
  EXPECT_EQ(AnswerPart(" b "), "b");
  EXPECT_EQ(AnswerPart("<think>a"), "");
  EXPECT_EQ(AnswerPart("a</think>b"), "b");
  EXPECT_EQ(AnswerPart("<think>a</think>b<think>c"), "");
}

}  // namespace
}  // namespace assay
