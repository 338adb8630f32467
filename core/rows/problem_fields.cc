#include "core/rows/problem_fields.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "core/rows/row_edit.h"
#include "core/text.h"

namespace assay {
namespace {

// What can stand as a reference answer: a scalar, or a list of them.
bool IsAnswer(const Json& value) {
  const Json::Array* list = value.AsArray();
  if (list == nullptr) return !value.IsObject();
  return std::none_of(list->begin(), list->end(),
                      [](const Json& item) { return item.IsArray() || item.IsObject(); });
}

// A list of {input, output} as tests of a whole program.
Json Cases(const Json& tests) {
  Json cases = Json::MakeArray();
  for (const Json& test : *tests.AsArray()) {
    cases.Append(Json()
                     .Set("type", "stdin_stdout")
                     .Set("input", std::string(test.StringOr("input", "")))
                     .Set("output", std::string(test.StringOr("output", ""))));
  }
  return cases;
}

// Pairs of inputs and outputs as tests of ours.
Json StdinTests(const Json& inputs, const Json& outputs, const Json* fn_name) {
  const Json::Array *in = inputs.AsArray(), *out = outputs.AsArray();
  if (in == nullptr || out == nullptr || in->size() != out->size()) return Json();
  Json cases = Json::MakeArray();
  for (size_t i = 0; i < in->size(); ++i) {
    Json test = Json().Set("type", fn_name != nullptr ? "function_call" : "stdin_stdout");
    // Each value may stand in a list of its own.
    if (fn_name != nullptr) test.Set("fn_name", *fn_name).Set("wrapped", true);
    test.Set("input", (*in)[i]).Set("output", (*out)[i]);
    cases.Append(std::move(test));
  }
  return Json().Set("language", "python").Set("test_cases", std::move(cases));
}

// verl's ground truth: text for mathematics; for code a struct of inputs and outputs, or of asserts.
void FillFromGroundTruth(const Json& truth, Json* row) {
  const Json tests = Struct(&truth);
  if (const Json* asserts = tests.Find("assert_case")) {
    FillWith(row, "verification_info", Json().Set("asserts", *asserts));
  } else if (tests.Find("inputs") != nullptr && tests.Find("outputs") != nullptr) {
    FillWith(row, "verification_info",
             StdinTests(*tests.Find("inputs"), *tests.Find("outputs"), Present(tests, "fn_name")));
  } else if (IsAnswer(truth)) {
    FillWith(row, "answer", truth);
  }
}

// The only entry of a list of one; everything else as it is.
Json OnlyEntry(const Json& value) {
  const Json::Array* list = value.AsArray();
  return list != nullptr && list->size() == 1 ? (*list)[0] : value;
}

// open-instruct names its verifier in `dataset`; the ground truth of code is asserts, or inputs and outputs.
void FillFromOpenInstruct(Json* row) {
  const Json *dataset = Present(*row, "dataset"), *truth = Present(*row, "ground_truth");
  if (dataset == nullptr || truth == nullptr) return;
  const Json name = OnlyEntry(*dataset);
  if (!name.IsString()) return;
  const std::string kind = *name.AsString();
  const Json only = dataset->IsArray() ? OnlyEntry(*truth) : *truth;
  const Json tests = Struct(&only);
  if (kind == "gsm8k" || kind == "math" || kind == "strict_math") FillWith(row, "task", "math");
  if (kind == "ifeval") FillWith(row, "task", "instructions");
  if (kind == "string_matcher") FillWith(row, "task", "exact");
  if (kind == "string_f1") {
    FillWith(row, "task", "qa");
    FillWith(row, "options", Json().Set("qa", Json().Set("metric", "f1")));
  }
  if (kind != "code" && kind != "code_stdio") return;
  FillWith(row, "task", "code");
  if (kind == "code") {
    FillWith(row, "verification_info", Json().Set("asserts", tests));
  } else if (tests.IsArray()) {
    FillWith(row, "verification_info", Json().Set("test_cases", Cases(tests)));
  }
}

constexpr const char* kLiveCodeBenchTests[] = {"public_test_cases", "private_test_cases"};

// LiveCodeBench: tests as JSON text in two columns, the method's name in a third.
void FillFromLiveCodeBench(Json* row) {
  if (Has(*row, "verification_info") || !CheckTests(*row).ok()) return;
  Json cases = Json::MakeArray();
  for (const char* key : kLiveCodeBenchTests) {
    if (!Has(*row, key)) continue;
    const Json tests = Struct(row->Find(key));
    for (const Json& test : *tests.AsArray()) cases.Append(test);
  }
  if (cases.AsArray()->empty()) return;
  Json info = Json().Set("language", "python").Set("test_cases", std::move(cases));
  const std::string name(Struct(Present(*row, "metadata")).StringOr("func_name", ""));
  if (!name.empty()) info.Set("fn_name", name);
  row->Set("verification_info", std::move(info));
  FillWith(row, "task", "code");
}

// MBPP: the question in `text`, asserts in `test_list`, what they need as a list of imports.
void FillFromMbpp(Json* row) {
  if (!IsArrayAt(*row, "test_list")) return;
  FillWith(row, "task", "code");
  Fill(row, "prompt", {"text"});
  const Json* imports = Present(*row, "test_imports");
  if (imports == nullptr || !imports->IsArray() || Has(*row, "setup")) return;
  std::string setup;
  for (const Json& line : *imports->AsArray()) setup += line.ScalarText() + "\n";
  if (!setup.empty()) row->Set("setup", setup);
}

// Turns that end with a question are the prompt.
void FillFromMessages(Json* row) {
  const Json* messages = Present(*row, "messages");
  const Json::Array* list = messages != nullptr ? messages->AsArray() : nullptr;
  if (Has(*row, "prompt") || list == nullptr || list->empty() ||
      list->back().StringOr("role", "assistant") == "assistant")
    return;
  Move(row, "messages", "prompt");
}

// open-r1/codeforces: tests, checker and limits as columns of the row.
void FillFromCodeforces(Json* row) {
  const Json* tests = Present(*row, "official_tests");
  if (tests == nullptr || !tests->IsArray() || Has(*row, "verification_info")) return;
  Json info = Json::MakeObject();
  info.Set("language", std::string(row->StringOr("language", "python")));
  info.Set("test_cases", Cases(*tests));
  if (const Json* checker = Present(*row, "generated_checker")) info.Set("checker", *checker);
  if (const Json* mode = Present(*row, "input_mode")) info.Set("input_mode", *mode);
  Json limits = Json::MakeObject();
  if (const double seconds = row->DoubleOr("time_limit", 0); seconds > 0)
    limits.Set("cpu_ms", static_cast<int64_t>(seconds * 1000));
  if (const double mib = row->DoubleOr("memory_limit", 0); mib > 0)
    limits.Set("memory_mib", static_cast<int64_t>(mib));
  if (!limits.AsObject()->empty()) info.Set("limits", std::move(limits));
  row->Set("verification_info", std::move(info));
  FillWith(row, "task", "code");
}

void FillId(Json* row) {
  for (const char* key : {"task_id", "example_id", "problem_id", "uuid", "question_id"}) {
    const Json* name = Present(*row, key);
    if (name != nullptr && (name->IsString() || name->IsNumber())) Fill(row, "id", {key});
  }
}

// SYNTHETIC-1 says `verifiable_math`, verl `math` in `ability`; ours are the verifiers' names.
void FillTask(Json* row) {
  if (Has(*row, "task")) return;
  for (const char* key : {"task_type", "ability"}) {
    const std::string_view kind = row->StringOr(key, "");
    if (kind.empty()) continue;
    const bool math = kind.find("math") != std::string_view::npos;
    const bool code = kind.find("code") != std::string_view::npos || kind.find("coding") == 0;
    row->Set("task", math ? Json("math") : code ? Json("code") : Json(kind));
    return;
  }
  // OpenR1-Math's and NeMo-Skills' columns of a mathematics checker's verdicts; OpenThoughts' domains.
  const bool checked = Has(*row, "correctness_math_verify") || Has(*row, "symbolic_correct");
  const bool solved = Has(*row, "ground_truth_solution") && row->StringOr("domain", "") == "math";
  if (checked || solved) row->Set("task", "math");
}

}  // namespace

void FillProblem(Json* row) {
  FillId(row);
  FillTask(row);
  FillFromMessages(row);
  FillFromMbpp(row);
  if (Has(*row, "entry_point") && Has(*row, "test")) FillWith(row, "task", "code");  // HumanEval
  // In front of HumanEval's tests the prompt is a piece of the program: no description may take its place.
  if (!Has(*row, "entry_point"))
    Fill(row, "prompt", {"problem", "question", "instruction", "question_content"});
  if (const Json* model = Present(*row, "reward_model"); model != nullptr && model->IsObject()) {
    if (const Json* truth = Present(*model, "ground_truth")) FillFromGroundTruth(Json(*truth), row);
  }
  if (Has(*row, "verification_info")) {
    const Json info = Struct(row->Find("verification_info"));
    if (const Json* truth = Present(info, "ground_truth")) FillWith(row, "answer", *truth);
  }
  FillFromCodeforces(row);
  FillFromLiveCodeBench(row);
  FillFromOpenInstruct(row);
  for (const char* key :
       {"expected_answer", "ground_truth", "gold_standard_solution", "solution"}) {
    const Json* value = Present(*row, key);
    if (value != nullptr && IsAnswer(*value)) FillWith(row, "answer", Json(*value));
  }
}

Status CheckTests(const Json& row) {
  if (Has(row, "verification_info")) return {};
  for (const char* key : kLiveCodeBenchTests) {
    const Json* tests = Present(row, key);
    if (tests == nullptr || Struct(tests).IsArray()) continue;
    return InputError(StrCat("'", key, "' is no list and no JSON text of one"),
                      "LiveCodeBench packs private tests as pickles, which run what they hold when "
                      "they are read: give the tests as JSON");
  }
  return {};
}

}  // namespace assay
