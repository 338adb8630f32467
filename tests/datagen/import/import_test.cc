// Rows of every input form into a store and out again.
#include "datagen/import/import.h"

#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "datagen/export/export.h"
#include "datagen/select/select.h"
#include "tests/datagen/store_fixture.h"

namespace assay {
namespace {

class ImportTest : public StoreFixture {
 protected:
  std::string File(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomic(folder_ + "/" + name, text).ok());
    return folder_ + "/" + name;
  }
  ImportResult Import(ImportOptions options) {
    if (store_ == nullptr) store_ = OpenStore();
    const Result<ImportResult> result = ImportFiles(store_.get(), options);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
    return result.ok() ? *result : ImportResult{};
  }
  std::vector<Json> Exported(const std::string& dataset, bool group = true) {
    const std::string path = folder_ + "/" + dataset + ".out.jsonl";
    const Result<ExportResult> result =
        ExportDataset(store_.get(), {dataset, "jsonl", path, group});
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
    std::vector<Json> lines;
    const std::string text = *ReadFile(path);
    for (const std::string_view line : SplitChar(Trim(text), '\n'))
      if (!line.empty()) lines.push_back(*ParseJson(line));
    return lines;
  }
  std::unique_ptr<Store> store_;
};

// One row of every form that docs/formats.md names.
constexpr const char* kForms[] = {
    R"({"prompt":[{"role":"user","content":"2+2?"}],"completion":[{"role":"assistant","content":"4"}],"solution":"$4$"})",
    R"({"prompt":"The sky is","completion":" blue.","label":false})",
    R"({"prompt":"2+2?","chosen":[{"role":"assistant","content":"4"}],"rejected":[{"role":"assistant","content":"5"}]})",
    R"({"data_source":"openai/gsm8k","prompt":[{"role":"user","content":"q"}],"ability":"math","reward_model":{"style":"rule","ground_truth":"72"},"completions":["x","y"],"extra_info":{"index":0}})",
    R"({"problem_id":"p","task_type":"verifiable_math","prompt":"2+2?","llm_response":"x","response_id":"r","model_name":"m","verification_info":{"ground_truth":"4"}})",
    R"({"uuid":"a1","problem":"2+2?","answer":"4","generations":["x","y"],"finish_reasons":["stop","length"],"api_metadata":[{"completion_tokens":8},{"completion_tokens":9}]})",
    R"({"problem":"2+2?","expected_answer":"4","generation":"x","symbolic_correct":true,"predicted_answer":"4"})",
    R"({"instruction":"2+2?","generation":["x","y"],"model_name":"m"})",
    R"({"id":"b","custom_id":"p1","response":{"status_code":200,"body":{"model":"m","choices":[{"message":{"role":"assistant","content":"x","reasoning_content":"hm"},"finish_reason":"stop"}]}},"error":null})",
    R"({"key":"p1","response":{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}]}})",
    R"({"id":"c","object":"chat.completion","choices":[{"message":{"content":"x"},"finish_reason":"stop"}]})",
    R"({"prompt":"2+2?","outputs":[{"index":0,"text":"x","token_ids":[1,2],"finish_reason":"stop"}]})",
    R"({"doc_id":3,"doc":{"q":1},"target":"4","arguments":{"gen_args_0":{"arg_0":"2+2?","arg_1":{}}},"resps":[["x","y"]],"filter":"none","exact_match":1.0})",
    R"({"__doc__":{"query":"2+2?","choices":["3","4"],"gold_index":[1]},"__model_response__":{"text":["x"]},"__metric__":{"em":1.0}})",
    R"({"question_id":"q","question_content":"do","output_list":["x"],"code_list":["c"],"graded_list":[true]})",
    R"({"task_id":"HumanEval/0","solution":"def f(): pass"})",
    R"({"task_id":"HumanEval/0","prompt":"def f():","entry_point":"f","test":"def check(c): pass","completion":"  pass"})",
    R"({"task_id":2,"text":"write f","code":"c","test_list":["assert f(1) == 2"],"completion":"def f(x): return 2"})",
    R"({"conversations":[{"from":"human","value":"2+2?"},{"from":"gpt","value":"4"}],"system":"be short"})",
    R"({"instruction":"add","input":"2 2","output":"4"})",
    R"({"instruction":"add","input":"2 2","output":"4","system":"s","history":[["hi","hello"]]})",
    R"({"instruction":"add","input":"2 2","chosen":"4","rejected":"5"})",
    R"({"conversations":[{"from":"human","value":"q"}],"chosen":{"from":"gpt","value":"4"},"rejected":{"from":"gpt","value":"5"}})",
    R"({"problem":"2+2?","deepseek_reasoning":"add","deepseek_solution":"4","ground_truth_solution":"4"})",
    R"({"input":"user: 2+2?","output":"4","gts":"4","score":1.0,"step":3})",
    R"({"text":"A book."})",
    R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a","tool_calls":[{"type":"function","function":{"name":"f","arguments":{"x":1}}}]}]})",
    R"({"messages":[{"role":"user","content":"q"}],"ground_truth":"4","dataset":"gsm8k","completions":["a"]})",
    R"({"question":"2+2?","answer":"4","metadata":{"source_dataset":"s","source_index":3,"difficulty":{"n":2}},"completion":"4"})",
    R"({"example_id":7,"prompt":[{"role":"user","content":"q"}],"completion":[{"role":"assistant","content":"a"}],"reward":1.0,"metrics":{"m":1},"answer":"4","info":{"k":[1]}})",
};

// What a row says as ours is what the store gives back; and what the export wrote, imported again, says the same.
TEST_F(ImportTest, EveryFormComesBack) {
  int number = 0;
  for (const char* row : kForms) {
    const std::string name = StrCat("f", number++);
    Json wanted = *ParseJson(row);
    ASSERT_TRUE(ToAssayRow("", &wanted).ok()) << row;
    const Group group = *GroupFromJson(wanted);
    ImportOptions options;
    options.files = {File(name + ".jsonl", std::string(row) + "\n")};
    options.run = options.dataset = name;
    ASSERT_EQ(Import(options).samples, static_cast<int64_t>(group.samples.size())) << row;
    for (int round = 0; round < 2; ++round) {
      const std::vector<Json> lines = Exported(options.dataset);
      ASSERT_EQ(lines.size(), 1u) << row;
      Json expected = GroupToJson(group);
      for (const char* key : {"id", "task", "prompt", "answer", "verification_info", "completions",
                              "finish_reasons", "token_ids"}) {
        const Json* want = expected.Find(key);
        const Json* got = lines[0].Find(key);
        if (want == nullptr || want->IsNull()) continue;
        if (group.flat && std::string_view(key) == "finish_reasons") continue;
        ASSERT_NE(got, nullptr) << row << " lacks " << key;
        EXPECT_EQ(got->Dump(), want->Dump()) << row << " at " << key;
      }
      // Numbers stay numbers of their kind, unknown columns stay.
      for (const Json::Member& member : *group.problem.extra.AsObject()) {
        if (member.key == "reward") continue;
        const Json* got = lines[0].Find(member.key);
        ASSERT_NE(got, nullptr) << row << " lacks " << member.key;
      }
      options.files = {File(name + ".again.jsonl", lines[0].Dump() + "\n")};
      options.run = options.dataset = name + "again";
      if (round == 0) Import(options);
    }
  }
}

TEST_F(ImportTest, LabelsAndRewardsBecomeScores) {
  ImportOptions options;
  options.files = {File(
      "l.jsonl",
      R"({"id":"a","prompt":"p","completions":["x","y","z"],"labels":[true,false,null],"scores":[0.5,null,2]})"
      "\n")};
  options.labels = "labels";
  EXPECT_EQ(Import(options).scored, 2);
  SelectOptions select;
  select.strategy = "all-correct";
  select.runs = {"default"};
  select.dataset = "d";
  EXPECT_EQ(SelectSamples(store_.get(), select)->kept, 1);
  options.run = "scores";
  options.labels = "";
  options.rewards = "scores";
  EXPECT_EQ(Import(options).scored, 2);
  select.strategy = "all";
  select.runs = {"scores"};
  select.min_reward = 1;
  select.replace = true;
  EXPECT_EQ(SelectSamples(store_.get(), select)->kept, 1);
}

TEST_F(ImportTest, BatchesAreJoinedWithTheirProblems) {
  ImportOptions options;
  options.files = {File(
      "r.jsonl",
      R"({"custom_id":"p2#0","response":{"status_code":200,"body":{"choices":[{"message":{"content":"4"},"finish_reason":"stop"}]}}})"
      "\n"
      R"({"custom_id":"p1#1","response":{"status_code":200,"body":{"choices":[{"message":{"content":"2"},"finish_reason":"length"}]}}})"
      "\n"
      R"({"custom_id":"p2#1","response":null,"error":{"code":"x","message":"late"}})"
      "\n"
      R"({"custom_id":"p9#1","response":{"status_code":200,"body":{"choices":[{"message":{"content":"2"}}]}}})"
      "\n")};
  options.problems = {File(
      "q.jsonl",
      R"({"custom_id":"p1","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"1+1?"}]},"answer":"2"})"
      "\n"
      R"({"id":"p2","question":"2+2?","answer":"4"})"
      "\n")};
  options.id_pattern = "^(.*)#[0-9]+$";
  options.dataset = "d";
  const ImportResult result = Import(options);
  EXPECT_EQ(result.rows, 2);
  EXPECT_EQ(result.bad_rows, 2);
  const std::vector<Json> lines = Exported("d");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].StringOr("prompt", ""), "2+2?");
  EXPECT_EQ(lines[0].StringOr("answer", ""), "4");
  EXPECT_EQ(lines[0].StringOr("id", ""), "p2");
  EXPECT_EQ(lines[1].Find("prompt")->Dump(), R"([{"role":"user","content":"1+1?"}])");
  options.id_pattern = "p";
  options.run = "other";
  EXPECT_EQ(ImportFiles(store_.get(), options).error().code, ErrorCode::kUsage);
}

TEST_F(ImportTest, GoesOnWhereItWas) {
  std::string text;
  for (int i = 0; i < 100; ++i)
    StrAppend(&text, Json().Set("id", i).Set("prompt", "p").Set("completion", StrCat(i)).Dump(),
              "\n");
  ImportOptions options;
  options.files = {File("g.jsonl", text)};
  EXPECT_EQ(Import(options).rows, 100);
  ImportResult again = Import(options);
  EXPECT_EQ(again.rows, 0);
  EXPECT_EQ(again.skipped, 100);
  const std::string once = Dump(path_);
  store_.reset();
  path_ = folder_ + "/two.sqlite";
  options.files = {File("g.jsonl", text.substr(0, text.size() / 2))};
  (void)Import(options);  // its last line is broken, as a killed writer leaves it
  options.files = {File("g.jsonl", text)};
  EXPECT_EQ(ImportFiles(store_.get(), options).error().code,
            ErrorCode::kInput);  // that line changed
}

TEST_F(ImportTest, RepliesThatLmEvalRepeatsForAFilterCountOnce) {
  const std::string row = R"({"doc_id":0,"target":"4","filter":"strict","resps":[["a"]]})";
  std::string other = row;
  other.replace(other.find("strict"), 6, "flexible");
  ImportOptions options;
  options.files = {File("a.jsonl", row + "\n" + other + "\n")};
  const ImportResult result = Import(options);
  EXPECT_EQ(result.samples, 1);
  EXPECT_EQ(result.repeats, 1);
}

TEST_F(ImportTest, ProblemsAloneHaveNoSamples) {
  ImportOptions options;
  options.files = {
      File("p.jsonl", "{\"id\":\"a\",\"question\":\"2+2?\",\"answer\":\"4\"}\n{\"x\":1}\n")};
  const ImportResult result = Import(options);
  EXPECT_EQ(result.rows, 1);
  EXPECT_EQ(result.samples, 0);
  EXPECT_EQ(result.bad_rows, 1);
}

}  // namespace
}  // namespace assay
