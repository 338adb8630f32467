// Every form of `assay export`: its columns, its lines, what stands beside the file.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "core/sha256.h"
#include "datagen/export/chat_columns.h"
#include "datagen/export/csv_line.h"
#include "datagen/export/export.h"
#include "datagen/select/select.h"
#include "tests/datagen/store_fixture.h"

namespace assay {
namespace {

class FormsTest : public StoreFixture {
 protected:
  // Two problems, a right and a wrong reply each; chat prompts with a system message where asked for.
  void Fill(bool chat) {
    store_ = OpenStore();
    const RunId run = *store_->BeginRun(Info(), false);
    for (int i = 0; i < 2; ++i) {
      const std::vector<Spec> specs = {Pass(StrCat("<think>\nhm\n</think>\nright ", i)),
                                       Failed(StrCat("wrong, \"", i, "\""))};
      Group group = MakeGroup(StrCat("p", i), specs);
      if (chat) {
        group.problem.messages = {{"system", "be short"}, {"user", group.problem.prompt}};
        group.problem.prompt = "be short\n\n" + group.problem.prompt;
      }
      group.problem.extra.Set("license", "MIT");
      ASSERT_TRUE(store_->AddGroup(run, Key(i + 1), group, MakeScore(specs), false).ok());
    }
    ASSERT_TRUE(store_->FinishRun(run).ok());
    Select("all", "all");
    Select("preference", "pairs");
    Select("all-correct", "right");
  }
  void Select(const std::string& strategy, const std::string& dataset) {
    SelectOptions options;
    options.strategy = strategy;
    options.runs = {"r"};
    options.dataset = dataset;
    if (strategy == "all") options.split = {"train=0.5"};
    const Result<SelectResult> result = SelectSamples(store_.get(), options);
    ASSERT_TRUE(result.ok()) << result.error().message;
  }

  ExportOptions Options(const std::string& dataset, const std::string& format,
                        const std::string& name = "out.jsonl") {
    ExportOptions options;
    options.dataset = dataset;
    options.format = format;
    options.output = folder_ + "/" + name;
    options.tool_version = "0.1.0";
    return options;
  }
  std::string Text(const ExportOptions& options) {
    Result<ExportResult> result = ExportDataset(store_.get(), options);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
    if (!result.ok()) return "";
    result_ = *result;
    return *ReadFile(options.output);
  }
  static std::string Bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::vector<Json> Lines(const ExportOptions& options) {
    const std::string text = Text(options);
    std::vector<Json> lines;
    for (const std::string_view line : SplitChar(Trim(text), '\n'))
      if (!line.empty()) lines.push_back(*ParseJson(line));
    return lines;
  }
  // Only the layout's own columns of the first line.
  std::string First(ExportOptions options, const std::vector<std::string>& columns) {
    options.columns = columns;
    const std::vector<Json> lines = Lines(options);
    return lines.empty() ? "" : lines[0].Dump();
  }

  std::unique_ptr<Store> store_;
  ExportResult result_;
};

TEST_F(FormsTest, TrlPlain) {
  Fill(false);
  EXPECT_EQ(First(Options("right", "trl-prompt-completion"), {"prompt", "completion"}),
            R"({"prompt":"What is p0?","completion":"<think>\nhm\n</think>\nright 0"})");
  EXPECT_EQ(First(Options("right", "trl-text"), {"text"}),
            R"({"text":"What is p0?<think>\nhm\n</think>\nright 0"})");
  EXPECT_EQ(
      First(Options("right", "trl-conversational"), {"messages"}),
      R"({"messages":[{"role":"user","content":"What is p0?"},{"role":"assistant","content":"<think>\nhm\n</think>\nright 0"}]})");
  EXPECT_EQ(First(Options("all", "trl-prompt-only"), {"prompt", "answer", "license"}),
            R"({"prompt":"What is p0?","answer":"42","license":"MIT"})");
  EXPECT_EQ(result_.lines, 2);
  EXPECT_EQ(
      First(Options("pairs", "trl-preference"),
            {"prompt", "chosen", "rejected", "chosen_reward", "rejected_reward"}),
      R"({"prompt":"What is p0?","chosen":"<think>\nhm\n</think>\nright 0","rejected":"wrong, \"0\"","chosen_reward":1.0,"rejected_reward":0.0})");
  const std::vector<Json> unpaired = Lines(Options("all", "trl-unpaired"));
  ASSERT_EQ(unpaired.size(), 4u);
  EXPECT_TRUE(unpaired[0].BoolOr("label", false));
  EXPECT_FALSE(unpaired[1].BoolOr("label", true));
  EXPECT_EQ(Lines(Options("pairs", "trl-unpaired")).size(), 4u);
}

TEST_F(FormsTest, TrlChat) {
  Fill(true);
  EXPECT_EQ(
      First(Options("pairs", "trl-preference"), {"prompt", "rejected"}),
      R"({"prompt":[{"role":"system","content":"be short"},{"role":"user","content":"What is p0?"}],"rejected":[{"role":"assistant","content":"wrong, \"0\""}]})");
  ExportOptions strip = Options("right", "trl-conversational");
  strip.strip_reasoning = true;
  strip.system = "not taken: there is one";
  EXPECT_EQ(
      First(strip, {"messages"}),
      R"({"messages":[{"role":"system","content":"be short"},{"role":"user","content":"What is p0?"},{"role":"assistant","content":"right 0"}]})");
}

TEST_F(FormsTest, VerlAndOpenAi) {
  Fill(false);
  const std::vector<Json> rl = Lines(Options("all", "verl-rl"));
  ASSERT_EQ(rl.size(), 2u);
  Json first = rl[0];
  EXPECT_EQ(
      first.Set("extra_info", Json()).Dump(),
      R"({"data_source":"assay/math","prompt":[{"role":"user","content":"What is p0?"}],"ability":"math","reward_model":{"style":"rule","ground_truth":"42"},"extra_info":null})");
  EXPECT_EQ(rl[1].Find("extra_info")->IntOr("index", -1), 1);
  for (const char* form : {"verl-sft", "openai-chat"}) {
    const std::vector<Json> lines = Lines(Options("right", form));
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].AsObject()->size(), 1u);
    EXPECT_NE(lines[0].Find("messages"), nullptr);
  }
}

TEST_F(FormsTest, LlamaFactory) {
  Fill(true);
  std::vector<Json> lines = Lines(Options("right", "sharegpt"));
  EXPECT_EQ(
      lines.at(0).Dump(),
      R"({"conversations":[{"from":"human","value":"What is p0?"},{"from":"gpt","value":"<think>\nhm\n</think>\nright 0"}],"system":"be short"})");
  Json info = *ParseJson(*ReadFile(folder_ + "/dataset_info.json"));
  EXPECT_EQ(info.Find("right")->StringOr("file_name", ""), "out.jsonl");
  EXPECT_EQ(info.Find("right")->StringOr("formatting", ""), "sharegpt");
  lines = Lines(Options("all", "alpaca", "alpaca.jsonl"));
  EXPECT_EQ(
      lines.at(0).Dump(),
      R"({"instruction":"What is p0?","input":"","output":"<think>\nhm\n</think>\nright 0","system":"be short","history":[]})");
  info = *ParseJson(*ReadFile(folder_ + "/dataset_info.json"));
  EXPECT_EQ(info.AsObject()->size(), 2u);  // the entry of the other file stays
  // Another file of the same data set has an entry of its own, and so has a split.
  Text(Options("right", "sharegpt", "second.jsonl"));
  ExportOptions train = Options("all", "sharegpt", "t.jsonl");
  train.split = "train";
  Text(train);
  info = *ParseJson(*ReadFile(folder_ + "/dataset_info.json"));
  EXPECT_EQ(info.Find("right")->StringOr("file_name", ""), "out.jsonl");
  EXPECT_EQ(info.Find("second")->StringOr("file_name", ""), "second.jsonl");
  EXPECT_EQ(info.Find("all-train")->StringOr("file_name", ""), "t.jsonl");
}

TEST_F(FormsTest, LlamaFactoryTakesPairsAndCalls) {
  Fill(true);
  std::vector<Json> lines = Lines(Options("pairs", "sharegpt"));
  EXPECT_EQ(
      lines.at(0).Dump(),
      R"({"conversations":[{"from":"human","value":"What is p0?"}],"chosen":{"from":"gpt","value":"<think>\nhm\n</think>\nright 0"},"rejected":{"from":"gpt","value":"wrong, \"0\""},"system":"be short"})");
  lines = Lines(Options("pairs", "alpaca", "a.jsonl"));
  EXPECT_EQ(
      lines.at(0).Dump(),
      R"({"instruction":"What is p0?","input":"","chosen":"<think>\nhm\n</think>\nright 0","rejected":"wrong, \"0\"","system":"be short","history":[]})");
  const Json info = *ParseJson(*ReadFile(folder_ + "/dataset_info.json"));
  for (const char* name : {"pairs", "a"}) {
    EXPECT_TRUE(info.Find(name)->BoolOr("ranking", false)) << info.Dump();
    EXPECT_EQ(info.Find(name)->Find("columns")->StringOr("chosen", ""), "chosen");
  }
  // A call of a tool is a turn of its own.
  const RunId run = *store_->BeginRun(Info("tools"), false);
  Group group = MakeGroup("w", {Pass("Sunny.")});
  group.problem.messages = {{"user", "Rome?"}};
  group.problem.extra.Set("tools", Json::MakeArray().Append(Json().Set("name", "w")));
  group.samples[0].messages = *ParseJson(
      R"([{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"w","arguments":"{\"city\":\"Rome\"}"}}]},)"
      R"({"role":"tool","content":"sun"},{"role":"assistant","content":"Sunny."}])");
  ASSERT_TRUE(
      store_->AddGroup(run, Key(1, "t.jsonl"), group, MakeScore({Pass("Sunny.")}), false).ok());
  ASSERT_TRUE(store_->FinishRun(run).ok());
  SelectOptions options;
  options.strategy = "all";
  options.runs = {"tools"};
  options.dataset = "tools";
  ASSERT_TRUE(SelectSamples(store_.get(), options).ok());
  EXPECT_EQ(
      Lines(Options("tools", "sharegpt", "tools.jsonl")).at(0).Dump(),
      R"({"conversations":[{"from":"human","value":"Rome?"},{"from":"function_call","value":"{\"name\":\"w\",\"arguments\":{\"city\":\"Rome\"}}"},{"from":"observation","value":"sun"},{"from":"gpt","value":"Sunny."}],"system":"","tools":"[{\"name\":\"w\"}]"})");
}

TEST_F(FormsTest, OurOwnLinesSaySplitAndLicence) {
  Fill(false);
  ExportOptions options = Options("all", "jsonl");
  options.card = true;
  for (const bool group : {false, true}) {
    options.group = group;
    std::set<std::string> parts;
    for (const Json& line : Lines(options)) {
      const Json& source = *line.Find("provenance");
      for (const Json& one : group ? *source.AsArray() : Json::Array{source})
        parts.insert(std::string(one.StringOr("split", "none")));
    }
    EXPECT_EQ(parts, (std::set<std::string>{"none", "train"}));
    EXPECT_NE(ReadFile(options.output + ".card.md")->find("license: \"MIT\""), std::string::npos);
  }
}

TEST_F(FormsTest, Csv) {
  Fill(false);
  ExportOptions options = Options("all", "csv", "out.csv");
  options.columns = {"id", "completion", "reward"};
  EXPECT_EQ(Text(options),
            "id,completion,reward\r\np0,\"<think>\nhm\n</think>\nright 0\",1.0\r\n"
            "p0,\"wrong, \"\"0\"\"\",0.0\r\np1,\"<think>\nhm\n</think>\nright 1\",1.0\r\n"
            "p1,\"wrong, \"\"1\"\"\",0.0\r\n");
}

TEST_F(FormsTest, SplitsColumnsAndPairsThatAreNotThere) {
  Fill(false);
  ExportOptions options = Options("all", "trl-sft");
  options.split = "test";
  EXPECT_EQ(ExportDataset(store_.get(), options).error().code, ErrorCode::kUsage);
  options = Options("all", "trl-sft");
  options.columns = {"promt"};
  Error error = ExportDataset(store_.get(), options).error();
  EXPECT_EQ(error.hint, "did you mean 'prompt'?");
  error = ExportDataset(store_.get(), Options("all", "trl-preference")).error();
  EXPECT_NE(error.message.find("no preference pairs"), std::string::npos);
  options = Options("all", "jsonl");
  options.strip_reasoning = true;
  EXPECT_EQ(ExportDataset(store_.get(), options).error().code, ErrorCode::kUsage);
}

TEST_F(FormsTest, TheCardSaysWhatTheFileIs) {
  Fill(false);
  ExportOptions options = Options("right", "trl-sft");
  options.card = true;
  const std::string text = Text(options);
  Sha256 sha;
  sha.Add(text);
  EXPECT_EQ(result_.hash, sha.Hex());
  const std::string card = *ReadFile(options.output + ".card.md");
  for (const std::string& word :
       {StrCat("| SHA-256 | ", result_.hash, " |"), std::string("license: \"MIT\""),
        std::string("| lines | 2 |"), std::string("| failed | 2 |"),
        std::string("| r | in.jsonl | 2 |"), std::string("| MIT | 2 |"),
        std::string("`all-correct`")})
    EXPECT_NE(card.find(word), std::string::npos) << word << "\n" << card;
  (void)Text(options);
  EXPECT_EQ(*ReadFile(options.output + ".card.md"), card);
}

TEST_F(FormsTest, PackedFilesHoldTheSame) {
  Fill(false);
  const std::string plain = Text(Options("right", "trl-sft"));
  const std::string plain_hash = result_.hash;
  for (const char* name : {"out.jsonl.gz", "out.jsonl.zst"}) {
    const ExportOptions options = Options("right", "trl-sft", name);
    (void)Text(options);
    const std::string packed = result_.hash;
    EXPECT_NE(packed, plain_hash);
    EXPECT_EQ(Bytes(options.output).substr(0, 2), EndsWith(name, ".gz") ? "\x1f\x8b" : "\x28\xb5");
    auto reader = LineReader::Open(options.output);
    std::string lines;
    LineReader::Line line;
    while (*(*reader)->Next(&line)) StrAppend(&lines, line.text, "\n");
    EXPECT_EQ(lines, plain);
    (void)Text(options);
    EXPECT_EQ(result_.hash, packed);
  }
}

TEST_F(FormsTest, ShuffledRowsAreTheSameInAnotherOrder) {
  Fill(false);
  const auto lines = [this](const ExportOptions& options) {
    std::string text = Text(options);
    std::vector<std::string> out;
    for (std::string_view line : SplitChar(Trim(text), '\n')) out.emplace_back(line);
    return out;
  };
  ExportOptions options = Options("all", "trl-sft");
  const std::vector<std::string> ordered = lines(options);
  std::set<std::vector<std::string>> orders;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    options.shuffle = seed;
    std::vector<std::string> shuffled = lines(options);
    EXPECT_EQ(lines(options), shuffled);
    orders.insert(shuffled);
    std::sort(shuffled.begin(), shuffled.end());
    std::vector<std::string> sorted = ordered;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(shuffled, sorted);
  }
  EXPECT_GT(orders.size(), 4u);
  options.format = "jsonl";
  options.shuffle = 3;
  EXPECT_EQ(lines(options).size(), 4u);
  options.group = true;
  EXPECT_EQ(ExportDataset(store_.get(), options).error().code, ErrorCode::kUsage);
}

TEST_F(FormsTest, RepliesTakeTheFormOfATemplate) {
  Fill(false);
  ExportOptions options = Options("right", "trl-text");
  options.reply_template = "|r|{reasoning}|r|{summary}";
  EXPECT_NE(Text(options).find("|r|hm|r|right 0"), std::string::npos);
  options = Options("all", "openai-chat");
  options.reply_template = "|r|{reasoning}|r|{summary}";
  const std::string text = Text(options);
  EXPECT_NE(text.find("|r|hm|r|right 1"), std::string::npos);
  EXPECT_NE(text.find("\"wrong, "), std::string::npos);  // without reasoning: as it came
  options.reply_template = "{reasoning}";
  EXPECT_EQ(ExportDataset(store_.get(), options).error().code, ErrorCode::kUsage);
}

TEST(ChatColumns, ReasoningIsStripped) {
  EXPECT_EQ(WithoutReasoning("<think>a</think>\n\n4"), "4");
  EXPECT_EQ(WithoutReasoning("<think>never closed"), "<think>never closed");
  EXPECT_EQ(WithoutReasoning("4 <think>a</think>"), "4 <think>a</think>");
}

}  // namespace
}  // namespace assay
