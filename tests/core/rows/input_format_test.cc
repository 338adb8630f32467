// Rows as other tools write them become rows of ours: one line of each format, and what is left alone.
#include "core/rows/input_format.h"

#include <gtest/gtest.h>

#include "core/rows/group_json.h"

namespace assay {
namespace {

struct Case {
  const char* format;  // as which it must be recognised
  const char* row;
  const char* becomes;  // the keys that count, as JSON
};

const Case kCases[] = {
    {"open-r1",
     R"({"uuid":"a1","problem":"2+2?","answer":"4","generations":["x","y"],"finish_reasons":["stop","length"],)"
     R"("api_metadata":[{"completion_tokens":8},{"completion_tokens":9}],"correctness_math_verify":[true,false]})",
     R"({"id":"a1","task":"math","prompt":"2+2?","answer":"4","completions":["x","y"],"finish_reasons":["stop","length"],)"
     R"("labels":[true,false],"generations":null,"api_metadata":[{"completion_tokens":8},{"completion_tokens":9}]})"},
    {"nemo-skills",
     R"({"problem":"2+2?","expected_answer":"4","generation":"x","symbolic_correct":true,"predicted_answer":"4"})",
     R"({"task":"math","prompt":"2+2?","answer":"4","completion":"x","label":true,"predicted_answer":"4"})"},
    {"distilabel", R"({"instruction":"2+2?","generation":["x","y"],"model_name":"m"})",
     R"({"prompt":"2+2?","completions":["x","y"],"model_name":"m"})"},
    {"openai-batch",
     R"({"id":"batch_1","custom_id":"p1","response":{"status_code":200,"body":{"model":"m","choices":[)"
     R"({"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"},)"
     R"({"index":1,"message":{"role":"assistant","content":null},"finish_reason":"length"}]}},"error":null})",
     R"({"completions":["x",""],"finish_reasons":["stop","length"],"model":"m","custom_id":"p1","error":null})"},
    {"openai-batch", R"({"custom_id":"p1","response":{"choices":[{"text":"x"}]}})",
     R"({"id":"p1","completions":["x"],"response":null})"},
    {"gemini-batch",
     R"({"key":"p1","response":{"candidates":[{"content":{"parts":[{"text":"x"},{"text":"y"}]},"finishReason":"MAX_TOKENS"}]}})",
     R"({"id":"p1","completions":["xy"],"finish_reasons":["length"]})"},
    {"chat-completion",
     R"({"id":"chatcmpl-1","object":"chat.completion","choices":[{"message":{"content":"x"},"finish_reason":"stop"}]})",
     R"({"id":"chatcmpl-1","completions":["x"],"finish_reasons":["stop"],"choices":null})"},
    {"vllm",
     R"({"prompt":"2+2?","outputs":[{"index":0,"text":"x","token_ids":[1,2],"finish_reason":"stop"}]})",
     R"({"prompt":"2+2?","completions":["x"],"token_ids":[[1,2]],"finish_reasons":["stop"],"outputs":null})"},
    {"lm-eval",
     R"({"doc_id":3,"doc":{"q":1},"target":"4","arguments":{"gen_args_0":{"arg_0":"2+2?","arg_1":{}}},)"
     R"("resps":[["x","y"]],"filtered_resps":["x"],"filter":"none","exact_match":1.0})",
     R"({"id":3,"answer":"4","prompt":"2+2?","completions":["x","y"],"exact_match":1.0})"},
    {"lm-eval", R"({"doc_id":3,"target":4,"arguments":[["2+2?",{}]],"resps":[["x"]]})",
     R"({"prompt":"2+2?","answer":4})"},
    {"lighteval",
     R"({"__doc__":"{\"query\":\"2+2?\",\"choices\":[\"3\",\"4\"],\"gold_index\":[1]}","__model_response__":{"text":["x"]}})",
     R"({"prompt":"2+2?","answer":"4","completions":["x"]})"},
    {"livecodebench",
     R"({"question_id":"q","question_content":"do","output_list":["x"],"code_list":["c"],"graded_list":[true]})",
     R"({"id":"q","prompt":"do","completions":["x"],"labels":[true],"code_list":["c"]})"},
    {"evalplus", R"({"task_id":"HumanEval/0","solution":"def f(): pass"})",
     R"({"id":"HumanEval/0","completion":"def f(): pass"})"},
    {"humaneval", R"({"task_id":"HumanEval/0","completion":"  pass"})",
     R"({"id":"HumanEval/0","completion":"  pass"})"},
    {"synthetic-1",
     R"({"problem_id":"p","task_type":"verifiable_math","prompt":"2+2?","llm_response":"x","response_id":"r",)"
     R"("model_name":"m","verification_info":{"ground_truth":"4"}})",
     R"({"id":"p","task":"math","answer":"4","completion":"x","model":"m","response_id":"r"})"},
    {"preference",
     R"({"prompt":"2+2?","chosen":[{"role":"assistant","content":"4"}],"rejected":[{"role":"assistant","content":"5"}]})",
     R"({"completions":[[{"role":"assistant","content":"4"}],[{"role":"assistant","content":"5"}]],"labels":[true,false]})"},
    // The prompt inside of both replies, as chat and as text.
    {"preference",
     R"({"chosen":[{"role":"user","content":"2+2?"},{"role":"assistant","content":"4"}],"rejected":[{"role":"user","content":"2+2?"},{"role":"assistant","content":"5"}]})",
     R"({"prompt":[{"role":"user","content":"2+2?"}],"completions":[[{"role":"assistant","content":"4"}],[{"role":"assistant","content":"5"}]]})"},
    {"preference",
     R"({"prompt":"2+2?","chosen":[{"role":"user","content":"2+2?"},{"role":"assistant","content":"4"}],"rejected":[{"role":"user","content":"2+2?"},{"role":"assistant","content":"4"}]})",
     R"({"prompt":[{"role":"user","content":"2+2?"}],"completions":[[{"role":"assistant","content":"4"}],[{"role":"assistant","content":"4"}]],"input_prompt":null})"},
    {"preference",
     R"({"prompt":[{"role":"user","content":"a"}],"chosen":[{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"d"}],"rejected":[{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"e"}]})",
     R"({"prompt":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],"completions":[[{"role":"assistant","content":"d"}],[{"role":"assistant","content":"e"}]]})"},
    {"preference",
     R"({"chosen":"\n\nHuman: hi\n\nAssistant: 4 is it","rejected":"\n\nHuman: hi\n\nAssistant: 4 or so"})",
     R"({"prompt":"\n\nHuman: hi\n\nAssistant:","completions":[" 4 is it"," 4 or so"]})"},
    {"preference", R"({"chosen":"The answer is 4","rejected":"The answer is 5"})",
     R"({"prompt":null,"completions":["The answer is 4","The answer is 5"]})"},
    // Reasoning and tool calls stay in the message.
    {"openai-batch",
     R"({"id":"batch_req_1","custom_id":"p1","response":{"status_code":200,"body":{"choices":[{"message":{"role":"assistant","content":"4","reasoning_content":"so","tool_calls":[]},"finish_reason":"stop"},{"message":{"role":"assistant","content":"5","refusal":null}}]}}})",
     R"({"id":"p1","request_id":"batch_req_1","completions":[[{"role":"assistant","content":"4","reasoning_content":"so","tool_calls":[]}],"5"]})"},
    {"messages",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a","thinking":"t"}]})",
     R"({"prompt":[{"role":"user","content":"q"}],"completion":[{"role":"assistant","content":"a","thinking":"t"}]})"},
    {"gemini-batch",
     R"({"key":"k","response":{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"4"}]},"finishReason":"STOP"}]}})",
     R"({"id":"k","completions":[[{"role":"assistant","content":"4","reasoning_content":"hm"}]]})"},
    {"sharegpt",
     R"({"conversations":[{"from":"human","value":"2+2?"},{"from":"gpt","value":"4"}],"system":"be short"})",
     R"({"prompt":[{"role":"system","content":"be short"},{"role":"user","content":"2+2?"}],"completion":"4"})"},
    {"alpaca", R"({"instruction":"add","input":"2 2","output":"4"})",
     R"({"prompt":"add\n2 2","completion":"4","output":null})"},
    {"messages",
     R"({"messages":[{"role":"user","content":"2+2?"},{"role":"assistant","content":"4"}],"solution":"$4$"})",
     R"({"prompt":[{"role":"user","content":"2+2?"}],"completion":"4","answer":"$4$"})"},
    {"verl",
     R"({"data_source":"openai/gsm8k","prompt":[{"role":"user","content":"q"}],"ability":"math",)"
     R"("reward_model":{"style":"rule","ground_truth":"72"},"completions":["x"]})",
     R"({"task":"math","answer":"72","completions":["x"]})"},
    {"verl",
     R"({"ability":"code","reward_model":{"ground_truth":"{\"inputs\":[\"1\"],\"outputs\":[\"2\"]}"},"completions":["x"]})",
     R"({"task":"code","verification_info":{"language":"python","test_cases":[{"type":"stdin_stdout","input":"1","output":"2"}]}})"},
    {"open-r1",
     R"({"id":"1873/A","language":"cpp","time_limit":1.5,"memory_limit":256.0,"official_tests":[{"input":"1","output":"2"}],)"
     R"("generated_checker":null,"input_mode":"file","generations":["x"]})",
     R"({"task":"code","verification_info":{"language":"cpp","test_cases":[{"type":"stdin_stdout","input":"1","output":"2"}],)"
     R"("input_mode":"file","limits":{"cpu_ms":1500,"memory_mib":256}}})"},
    {"trl", R"({"task_id":2,"text":"add","test_list":["assert f(1) == 2"],"completion":"x"})",
     R"({"task":"code","prompt":"add"})"},
    {"trl", R"({"dataset":"code","ground_truth":"[\"assert f(1) == 2\"]","completion":"x"})",
     R"({"task":"code","verification_info":{"asserts":["assert f(1) == 2"]}})"},
    // What a server counted, who answered, who won.
    {"open-r1",
     R"({"generations":["x","y"],"api_metadata":[{"completion_tokens":8},{"prompt_tokens":3}],"prompt":"q"})",
     R"({"token_counts":[8,null]})"},
    {"distilabel", R"({"instruction":"2+2?","generation":"x","model_name":"m"})",
     R"({"model":"m"})"},
    {"preference",
     R"({"prompt":"q","chosen":"a","chosen_model":"m","rejected":"b","rejected_model":"k"})",
     R"({"models":["m","k"]})"},
    {"open-thoughts",
     R"({"problem":"2+2?","deepseek_reasoning":"add","deepseek_solution":"\\boxed{4}","ground_truth_solution":"4","domain":"math"})",
     R"({"task":"math","prompt":"2+2?","answer":"4","completion":[{"role":"assistant","content":"\\boxed{4}","reasoning_content":"add"}]})"},
    {"input-output", R"({"input":"user: 2+2?","output":"4","gts":"4","score":1.0,"step":3})",
     R"({"prompt":"user: 2+2?","completion":"4","answer":"4","score":1.0})"},
    {"text", R"({"text":"A book."})", R"({"completion":"A book.","text":null})"},
    // LLaMA-Factory's system prompts, earlier turns, pairs.
    {"alpaca",
     R"({"instruction":"add","input":"2 2","output":"4","system":"s","history":[["hi","hello"],[1]]})",
     R"({"prompt":[{"role":"system","content":"s"},{"role":"user","content":"hi"},{"role":"assistant","content":"hello"},{"role":"user","content":"add\n2 2"}],"completion":"4"})"},
    {"preference", R"({"instruction":"add","input":"2 2","chosen":"4","rejected":"5"})",
     R"({"prompt":"add\n2 2","completions":["4","5"]})"},
    {"preference",
     R"({"conversations":[{"from":"human","value":"q"}],"system":"s","chosen":{"from":"gpt","value":"4"},"rejected":{"from":"gpt","value":"5"}})",
     R"({"prompt":[{"role":"system","content":"s"},{"role":"user","content":"q"}],"completions":[[{"role":"assistant","content":"4"}],[{"role":"assistant","content":"5"}]],"conversations":null})"},
    // open-instruct: turns that end with a question are the prompt; one verifier may stand in a list.
    {"trl",
     R"({"messages":[{"role":"user","content":"q"}],"ground_truth":["4"],"dataset":["gsm8k"],"completion":"x"})",
     R"({"task":"math","answer":["4"],"prompt":[{"role":"user","content":"q"}],"messages":null})"},
    {"trl",
     R"({"ground_truth":["[\"assert f(1) == 2\"]"],"dataset":["code"],"completion":"x","prompt":"p"})",
     R"({"task":"code","verification_info":{"asserts":["assert f(1) == 2"]}})"},
    {"trl", R"({"ground_truth":"Paris","dataset":"string_f1","completion":"x","prompt":"p"})",
     R"({"task":"qa","options":{"qa":{"metric":"f1"}},"answer":"Paris"})"},
    {"trl", R"({"ground_truth":"{}","dataset":"ifeval","completion":"x","prompt":"p"})",
     R"({"task":"instructions"})"},
    // Tests of LiveCodeBench's problems, MBPP's question and imports.
    {"trl",
     R"({"question_id":"q","question_content":"do","public_test_cases":"[{\"input\":\"1\",\"output\":\"2\",\"testtype\":\"functional\"}]","private_test_cases":"[{\"input\":\"3\",\"output\":\"4\",\"testtype\":\"functional\"}]","metadata":"{\"func_name\":\"f\"}","completion":"x"})", R"({"id":"q","task":"code","prompt":"do","verification_info":{"language":"python","test_cases":[{"input":"1","output":"2","testtype":"functional"},{"input":"3","output":"4","testtype":"functional"}],"fn_name":"f"}})"},
    {"trl",
     R"({"task_id":2,"text":"write f","test_list":["assert f(1) == 2"],"test_imports":["import math"],"completion":"x"})",
     R"({"id":2,"prompt":"write f","setup":"import math\n"})"},
    // Tests that cannot be read beside those that are ours already.
    {"trl",
     R"({"prompt":"p","completion":"x","verification_info":{"asserts":"assert f(1) == 2"},"private_test_cases":"eJxrYJ"})",
     R"({"verification_info":{"asserts":"assert f(1) == 2"}})"},
    {"trl", R"({"completions":null,"completion":"x","question":"2+2?","answer":"4"})",
     R"({"completion":"x","prompt":"2+2?","answer":"4"})"},
};

TEST(InputFormat, RowsBecomeOurs) {
  for (const Case& one : kCases) {
    for (const char* name : {"", "auto", one.format}) {
      Json row = *ParseJson(one.row);
      const Status status = ToAssayRow(name, &row);
      ASSERT_TRUE(status.ok()) << one.row << ": " << status.error().message;
      const Json wanted = *ParseJson(one.becomes);
      for (const Json::Member& member : *wanted.AsObject()) {
        const Json* found = row.Find(member.key);
        const Json value = found != nullptr ? *found : Json();
        EXPECT_EQ(value.Dump(), member.value.Dump()) << one.row << "\n  at " << member.key;
      }
      const Result<Group> group = GroupFromJson(row);
      EXPECT_TRUE(group.ok()) << row.Dump() << ": " << group.error().message;
    }
  }
}

TEST(InputFormat, OursStaysAsItIs) {
  const char* kRow =
      R"({"id":"a","prompt":"p","answer":"1","problem":"other","solution":"2","completions":["x"],"meta":{"source":1}})";
  for (const char* name : {"", "assay", "trl"}) {
    Json row = *ParseJson(kRow);
    ASSERT_TRUE(ToAssayRow(name, &row).ok());
    EXPECT_EQ(row.Dump(), ParseJson(kRow)->Dump());
  }
  // In front of HumanEval's tests a description would be a piece of the program.
  Json row =
      *ParseJson(R"({"task_id":"a","question":"q","test":"t","entry_point":"f","completion":"x"})");
  ASSERT_TRUE(ToAssayRow("", &row).ok());
  EXPECT_EQ(row.Find("prompt"), nullptr);
  EXPECT_EQ(row.StringOr("task", ""), "code");
}

TEST(InputFormat, WhatDoesNotFitIsSaid) {
  Json row =
      *ParseJson(R"({"custom_id":"p1","response":null,"error":{"code":"x","message":"too long"}})");
  Status status = ToAssayRow("", &row);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "the request failed: too long");
  row = *ParseJson(R"({"custom_id":"p1","response":{"status_code":429,"body":{}}})");
  EXPECT_EQ(ToAssayRow("", &row).error().message, "the request failed: status code 429");
  row = *ParseJson(R"({"completion":"x"})");
  status = ToAssayRow("open-r1", &row);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kInput);
  EXPECT_NE(status.error().message.find("'generations'"), std::string::npos);
  status = ToAssayRow("openr1", &row);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kUsage);
  EXPECT_EQ(status.error().hint, "did you mean 'open-r1'?");
  row = *ParseJson(R"({"conversations":[{"from":"human","value":"2+2?"}]})");
  EXPECT_FALSE(ToAssayRow("", &row).ok());
  // A pickle runs what it holds when it is read.
  row = *ParseJson(
      R"({"question_id":"q","private_test_cases":"eJxrYJmqxwABGo","public_test_cases":"[]","completion":"x"})");
  EXPECT_NE(ToAssayRow("", &row).error().hint.find("pickles"), std::string::npos);
  // What a problem calls its text is no completion.
  row = *ParseJson(R"({"task_id":2,"text":"write f","test_list":["assert f(1) == 2"]
})");
  ASSERT_TRUE(ToAssayRow("", &row).ok());
  EXPECT_EQ(row.Find("completion"), nullptr);
  row = *ParseJson("[1]");
  EXPECT_TRUE(ToAssayRow("", &row).ok());  // GroupFromJson says what is wrong with it
}

// Rows of wrong kinds in every known key: an error or a row, never more.
TEST(InputFormat, WrongKindsAreNoCrash) {
  const char* kKeys[] = {"completions",
                         "completion",
                         "generations",
                         "__doc__",
                         "__model_response__",
                         "resps",
                         "arguments",
                         "output_list",
                         "response",
                         "custom_id",
                         "choices",
                         "object",
                         "outputs",
                         "llm_response",
                         "generation",
                         "chosen",
                         "rejected",
                         "conversations",
                         "instruction",
                         "output",
                         "messages",
                         "reward_model",
                         "official_tests",
                         "ground_truth",
                         "dataset",
                         "deepseek_reasoning",
                         "deepseek_solution",
                         "input",
                         "history",
                         "system",
                         "text",
                         "test_list",
                         "test_imports",
                         "public_test_cases",
                         "private_test_cases",
                         "metadata",
                         "api_metadata",
                         "uuid",
                         "verification_info",
                         "task_type",
                         "solution"};
  const char* kValues[] = {"null",
                           "1",
                           "\"x\"",
                           "\"[1]\"",
                           "[]",
                           "[1]",
                           "[null]",
                           "[[]]",
                           "[[1]]",
                           "{}",
                           "[{}]",
                           R"({"choices":[1],"candidates":[1],"text":[1],"ground_truth":[{}]})",
                           R"({"candidates":[{"content":{"parts":[1]}}]})",
                           R"([{"role":"assistant"}])"};
  for (const char* key : kKeys) {
    for (const char* value : kValues) {
      for (const char* other : kKeys) {
        Json row = Json().Set(key, *ParseJson(value)).Set(other, *ParseJson(value));
        if (ToAssayRow("", &row).ok()) (void)GroupFromJson(row);
      }
    }
  }
}

}  // namespace
}  // namespace assay
