#include "datagen/export/export.h"

#include <unistd.h>

#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "datagen/select/select.h"
#include "tests/datagen/store_fixture.h"

namespace assay {
namespace {

class ExportTest : public StoreFixture {
 protected:
  void Begin() {
    store_ = OpenStore();
    run_ = *store_->BeginRun(Info(), false);
  }
  void Add(const Group& group, const std::vector<Spec>& specs) {
    GroupScore score = MakeScore(specs);
    for (SampleScore& sample : score.samples) sample.parts = {sample.reward};
    ASSERT_TRUE(store_->AddGroup(run_, Key(++line_), group, score, true).ok());
  }
  void Select(const std::string& strategy = "all-correct") {
    ASSERT_TRUE(store_->FinishRun(run_).ok());
    SelectOptions options;
    options.strategy = strategy;
    options.runs = {"r"};
    options.dataset = "d";
    Result<SelectResult> result = SelectSamples(store_.get(), options);
    ASSERT_TRUE(result.ok()) << result.error().message;
  }
  std::vector<Json> Export(const std::string& format, bool group = false) {
    Result<ExportResult> result =
        ExportDataset(store_.get(), {"d", format, folder_ + "/out.jsonl", group});
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
    if (!result.ok()) return {};
    result_ = *result;
    std::string text = *ReadFile(folder_ + "/out.jsonl");
    std::vector<Json> lines;
    for (std::string_view line : SplitChar(Trim(text), '\n')) {
      if (!line.empty()) lines.push_back(*ParseJson(line));
    }
    EXPECT_EQ(static_cast<int64_t>(lines.size()), result->lines);
    return lines;
  }

  std::unique_ptr<Store> store_;
  RunId run_ = 0;
  int64_t line_ = 0;
  ExportResult result_;
};

// A reader that wants one type a column (Arrow) reads every file: unlike values are text in all lines, integers beside doubles doubles.
TEST_F(ExportTest, SftColumnsHaveOneType) {
  Begin();
  const char* rows[] = {
      R"({"mixed":1,"real":1,"struct":{"a":1},"deep":[{"x":1}],"big":1,"text":"kept","list":[]})",
      R"({"mixed":"s","real":0.5,"struct":{"b":"s"},"deep":[{"x":"s"}],"big":123456789012345678901234567890,"list":[1]})",
      R"({"mixed":null,"real":null,"struct":null,"extra_text":"mine","list":[1,2.5]})"};
  for (const char* row : rows) {
    std::vector<Spec> specs = {Pass(StrCat("text ", row))};
    Group group = MakeGroup(StrCat("p", line_), specs);
    group.problem.extra = *ParseJson(row);
    Add(group, specs);
  }
  Select();
  const std::vector<Json> lines = Export("trl-sft");
  ASSERT_EQ(lines.size(), 3u);
  const char* wanted[] = {
      R"({"mixed":"1","real":1.0,"struct":{"a":1,"b":null},"deep":"[{\"x\":1}]","big":"1","extra_extra_text":"kept","list":[],"extra_text":null})",
      R"({"mixed":"\"s\"","real":0.5,"struct":{"a":null,"b":"s"},"deep":"[{\"x\":\"s\"}]","big":"123456789012345678901234567890",)"
      R"("extra_extra_text":null,"list":[1.0],"extra_text":null})",
      R"({"mixed":null,"real":null,"struct":null,"deep":null,"big":null,"extra_extra_text":null,"list":[1.0,2.5],"extra_text":"mine"})"};
  for (size_t i = 0; i < lines.size(); ++i) {
    const Json expected = *ParseJson(wanted[i]);
    for (const Json::Member& member : *expected.AsObject()) {
      const Json* value = lines[i].Find(member.key);
      ASSERT_NE(value, nullptr) << member.key;
      EXPECT_EQ(value->Dump(), member.value.Dump()) << member.key;
    }
  }
}

TEST_F(ExportTest, SftPlainPrompts) {
  Begin();
  std::vector<Spec> specs = {Pass(" blue."), Failed("red")};
  Group group = MakeGroup("p1", specs);
  group.problem.prompt = "The sky is";
  group.problem.extra =
      *ParseJson(R"({"source":"made up","prompts":7,"labels":[true,false],"level":[1,2,3]})");
  Add(group, specs);
  specs = {Pass("four")};
  group = MakeGroup("p2", specs);
  group.problem.verification_info = *ParseJson(R"({"a":1})");
  group.problem.answers = {"4", "four"};
  Add(group, specs);
  Select();
  std::vector<Json> lines = Export("trl-sft");
  ASSERT_EQ(lines.size(), 2u);
  for (Json& line : lines) {
    const Json source = *ParseJson(line.StringOr("provenance", ""));
    EXPECT_EQ(source.StringOr("run", ""), "r");
    EXPECT_EQ(source.StringOr("file", ""), "in.jsonl");
    EXPECT_EQ(source.Find("reward_parts")->Dump(), R"({"math":1.0})");
    line.Set("provenance", "");
  }
  // The same columns, in the same order, of the same types in every line; reserved names changed; white space kept.
  EXPECT_EQ(
      lines[0].Dump(),
      R"({"prompt":"The sky is","completion":" blue.","id":"p1","task":"math","answer":["42"],"verification_info":"{}","reward":1.0,"finish_reason":"stop","provenance":"",)"
      R"("source":"made up","extra_prompts":7,"label":true,"level":[1,2,3]})");
  EXPECT_EQ(
      lines[1].Dump(),
      R"({"prompt":"What is p2?","completion":"four","id":"p2","task":"math","answer":["4","four"],"verification_info":"{\"a\":1}","reward":1.0,"finish_reason":"stop","provenance":"",)"
      R"("source":null,"extra_prompts":null,"label":null,"level":null})");
  EXPECT_EQ(result_.renamed_columns, 1);
}

// A reader that fixes a column's type by the first megabytes must find one there: "" for text, JSON text for everything else.
TEST_F(ExportTest, SftColumnsThatShowTheirTypeLateHaveAValueFromTheFirstLineOn) {
  Begin();
  const std::string padding(400'000, 'x');
  for (int i = 0; i < 14; ++i) {
    std::vector<Spec> specs = {Pass(StrCat(padding, i))};
    Group group = MakeGroup(i == 0 ? "" : StrCat("p", i), specs);
    group.problem.extra =
        i == 13 ? *ParseJson(R"({"text_late":"t","list_late":[1],"early":null,"never":null})")
                : *ParseJson(R"({"text_late":null,"list_late":[],"early":1,"never":null})");
    Add(group, specs);
  }
  Select();
  const std::vector<Json> lines = Export("trl-sft");
  ASSERT_EQ(lines.size(), 14u);
  EXPECT_TRUE(lines[0].Find("id")->IsNull());  // its type shows in the second line
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].Find("text_late")->Dump(), i == 13 ? "\"t\"" : "\"\"");
    EXPECT_EQ(lines[i].Find("list_late")->Dump(), i == 13 ? "\"[1]\"" : "\"[]\"");
    EXPECT_EQ(lines[i].Find("early")->Dump(), i == 13 ? "null" : "1");
    EXPECT_TRUE(lines[i].Find("never")->IsNull());
  }
}

// What an earlier run said of a row is called so; this run's own is there.
TEST_F(ExportTest, OldResultsDoNotPoseAsThisRuns) {
  Begin();
  std::vector<Spec> specs = {Pass("a", 0.75)};
  Group group = MakeGroup("p", specs);
  group.problem.extra = *ParseJson(
      R"({"reward":9,"rewards":[9],"verdicts":{"old":1},"provenance":{"run":"old"},"input_reward":8})");
  Add(group, specs);
  Select();
  for (const char* format : {"trl-sft", "jsonl"}) {
    const Json line = Export(format).at(0);
    EXPECT_EQ(line.DoubleOr("reward", -1), 0.75) << format;
    EXPECT_EQ(line.DoubleOr("input_reward", -1), 9) << format;
    EXPECT_EQ(line.Find("rewards"), nullptr) << format;
    EXPECT_EQ(line.Find("input_verdicts")->Dump(), R"({"old":1})") << format;
    EXPECT_NE(line.Find("provenance")->Dump().find("in.jsonl"), std::string::npos) << format;
    EXPECT_NE(line.Find("input_provenance"), nullptr) << format;
  }
}

// Tool calls, names and reasoning come out as they came in; for TRL arguments are JSON text, and every message has the same keys.
TEST_F(ExportTest, MessagesKeepWhatTheySay) {
  Begin();
  const Json row = *ParseJson(
      R"({"id":7,"task":"math","answer":"4","prompt":[{"role":"user","content":[{"type":"text","text":"2+2?"}],"name":"ann"}],)"
      R"("completions":[[{"role":"assistant","content":null,"tool_calls":[{"type":"function","function":{"name":"f","arguments":{"a":1}}}]},)"
      R"({"role":"tool","name":"f","content":"4"},{"role":"assistant","content":"4","reasoning_content":"so"}]]})");
  Group group = *GroupFromJson(row);
  EXPECT_EQ(group.samples[0].text, "<think>\nso\n</think>\n4");
  Add(group, {Pass("")});
  Select();
  const Json line = Export("jsonl").at(0);
  EXPECT_EQ(line.Find("id")->Dump(), "7");
  EXPECT_EQ(line.Find("prompt")->Dump(), row.Find("prompt")->Dump());
  EXPECT_EQ(line.Find("completion")->Dump(), (*row.Find("completions")->AsArray())[0].Dump());
  const Json trl = Export("trl-sft").at(0);
  EXPECT_EQ(trl.Find("prompt")->Dump(), R"([{"role":"user","content":"2+2?","name":"ann"}])");
  EXPECT_EQ(
      trl.Find("completion")->Dump(),
      R"([{"role":"assistant","content":null,"tool_calls":[{"type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}],"name":null,"reasoning_content":null},)"
      R"({"role":"tool","content":"4","tool_calls":null,"name":"f","reasoning_content":null},)"
      R"({"role":"assistant","content":"4","tool_calls":null,"name":null,"reasoning_content":"so"}])");
}

// Lines of a --group-by group have ids and keys of their own.
TEST_F(ExportTest, EachSampleOfAGroupOfLinesHasItsOwnKeys) {
  Begin();
  std::vector<Spec> specs = {Pass("a"), Pass("b")};
  Group group = MakeGroup("first", specs);
  group.flat = true;
  group.problem.extra = *ParseJson(R"({"note":1})");
  group.samples[1].line = *ParseJson(R"({"id":"second","note":2})");
  Add(group, specs);
  Select();
  const std::vector<Json> lines = Export("jsonl");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].StringOr("id", ""), "first");
  EXPECT_EQ(lines[0].IntOr("note", 0), 1);
  EXPECT_EQ(lines[1].StringOr("id", ""), "second");
  EXPECT_EQ(lines[1].IntOr("note", 0), 2);
}

TEST_F(ExportTest, SftConversational) {
  Begin();
  std::vector<Spec> specs = {Failed("5"), Pass("4")};
  Group group = MakeGroup("p1", specs);
  group.problem.messages = {{"system", "Think."}, {"user", "2+2?"}};
  group.problem.prompt = "Think.\n\n2+2?";
  Add(group, specs);
  Select();
  const std::vector<Json> lines = Export("trl-sft");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].Find("prompt")->Dump(),
            R"([{"role":"system","content":"Think."},{"role":"user","content":"2+2?"}])");
  EXPECT_EQ(lines[0].Find("completion")->Dump(), R"([{"role":"assistant","content":"4"}])");
}

TEST_F(ExportTest, SftRefusesMixedPromptsAndLeavesTheOldFile) {
  Begin();
  std::vector<Spec> specs = {Pass("a")};
  Group group = MakeGroup("p1", specs);
  Add(group, specs);
  group.problem.messages = {{"user", "x"}};
  Add(group, specs);
  Select();
  ASSERT_TRUE(WriteFileAtomic(folder_ + "/out.jsonl", "old\n").ok());
  Result<ExportResult> result =
      ExportDataset(store_.get(), {"d", "trl-sft", folder_ + "/out.jsonl", false});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kInput);
  EXPECT_FALSE(result.error().hint.empty());
  EXPECT_EQ(*ReadFile(folder_ + "/out.jsonl"), "old\n");
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    EXPECT_EQ(entry.path().string().find("partial"), std::string::npos) << entry.path();
  }
  EXPECT_EQ(Export("jsonl").size(), 2u);
}

TEST_F(ExportTest, JsonlIsReadBackAndNamesItsSource) {
  Begin();
  std::vector<Spec> specs = {Failed("41"), Pass("42"), Pass("forty-two"), Fault("?")};
  Group group = MakeGroup("p1", specs);
  group.problem.messages = {{"user", "6*7?"}};
  group.problem.prompt = "6*7?";
  group.problem.verification_info = *ParseJson(R"({"k":[1,{"z":null}]})");
  group.problem.extra = *ParseJson(R"({"labels":[false,true,true,null],"source":"s"})");
  group.samples[1].token_ids = {5, 6};
  group.samples[1].logprobs = {-0.5, -1};
  Add(group, specs);
  Select();
  std::vector<Json> lines = Export("jsonl");
  ASSERT_EQ(lines.size(), 2u);
  const Json& line = lines[0];
  Result<Group> back = GroupFromJson(line);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_TRUE(back->flat);
  EXPECT_EQ(back->problem.id, "p1");
  EXPECT_EQ(back->problem.messages.size(), 1u);
  EXPECT_EQ(back->problem.verification_info, group.problem.verification_info);
  EXPECT_EQ(back->samples.at(0).text, "42");
  EXPECT_EQ(back->samples[0].token_ids, group.samples[1].token_ids);
  EXPECT_EQ(back->samples[0].logprobs, group.samples[1].logprobs);
  EXPECT_TRUE(*line.Find("label")->AsBool());
  EXPECT_EQ(line.DoubleOr("reward", -1), 1);
  EXPECT_GT(line.DoubleOr("advantage", -1), 0);
  EXPECT_EQ(line.Find("verdicts")->Find("math")->StringOr("outcome", ""), "pass");
  const Json& source = *line.Find("provenance");
  EXPECT_EQ(source.StringOr("run", ""), "r");
  EXPECT_EQ(source.StringOr("file", ""), "in.jsonl");
  EXPECT_EQ(source.IntOr("line", 0), 1);
  EXPECT_EQ(source.StringOr("line_hash", ""), Key(1).line_hash.Hex());
  EXPECT_EQ(source.IntOr("sample", -1), 1);
  EXPECT_EQ(source.Find("decision")->StringOr("kept", ""), "all_pass");
  EXPECT_EQ(line.Find("reward_parts")->Dump(), R"({"math":1.0})");

  lines = Export("jsonl", /*group=*/true);
  ASSERT_EQ(lines.size(), 1u);
  back = GroupFromJson(lines[0]);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_FALSE(back->flat);
  ASSERT_EQ(back->samples.size(), 2u);
  EXPECT_EQ(back->samples[1].text, "forty-two");
  EXPECT_EQ(lines[0].Find("labels")->Dump(), "[true,true]");
  EXPECT_EQ(lines[0].Find("rewards")->Dump(), "[1.0,1.0]");
  EXPECT_EQ(lines[0].Find("provenance")->AsArray()->size(), 2u);
  EXPECT_EQ(lines[0].Find("reward_parts")->Dump(), R"([{"math":1.0},{"math":1.0}])");
  EXPECT_EQ(lines[0].StringOr("source", ""), "s");
}

TEST_F(ExportTest, TheSameDatasetGivesTheSameBytes) {
  Begin();
  for (int i = 0; i < 50; ++i) {
    std::vector<Spec> specs = {Pass(StrCat("a", i)), Failed("b"), Pass(StrCat("c", i % 7))};
    Add(MakeGroup(StrCat("p", i), specs), specs);
  }
  Select();
  for (const char* format : {"trl-sft", "jsonl"}) {
    Export(format);
    const std::string first = *ReadFile(folder_ + "/out.jsonl");
    Export(format);
    EXPECT_EQ(*ReadFile(folder_ + "/out.jsonl"), first);
    EXPECT_EQ(static_cast<int64_t>(first.size()), result_.bytes);
  }
}

TEST_F(ExportTest, LinksAndDevicesStayWhatTheyAre) {
  Begin();
  std::vector<Spec> specs = {Pass("a")};
  Add(MakeGroup("p", specs), specs);
  Select();
  ASSERT_TRUE(WriteFileAtomic(folder_ + "/target.jsonl", "old\n").ok());
  ASSERT_EQ(symlink("target.jsonl", (folder_ + "/out.jsonl").c_str()), 0);
  EXPECT_EQ(Export("jsonl").size(), 1u);
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ + "/out.jsonl"));
  EXPECT_NE(ReadFile(folder_ + "/target.jsonl")->find("completion"), std::string::npos);
  ASSERT_TRUE(ExportDataset(store_.get(), {"d", "jsonl", "/dev/null", false}).ok());
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST_F(ExportTest, Errors) {
  Begin();
  std::vector<Spec> specs = {Pass("a")};
  Add(MakeGroup("p", specs), specs);
  Select();
  Result<ExportResult> result = ExportDataset(store_.get(), {"d", "trl-stf", "", false});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().hint, "did you mean 'trl-sft'?");
  EXPECT_EQ(ExportDataset(store_.get(), {"e", "jsonl", "", false}).error().code, ErrorCode::kUsage);
  EXPECT_EQ(ExportDataset(store_.get(), {"d", "trl-sft", "", true}).error().code,
            ErrorCode::kUsage);
  EXPECT_EQ(ExportDataset(store_.get(), {"d", "jsonl", folder_ + "/no/such/x", false}).error().code,
            ErrorCode::kIo);
}

}  // namespace
}  // namespace assay
