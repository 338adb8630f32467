#include "core/rows/input_format.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

Error InputError(std::string message, std::string hint = "") {
  return {ErrorCode::kInput, std::move(message), std::move(hint)};
}

// Null counts as absent everywhere: `datasets` fills rows of unlike keys with nulls.
const Json* Present(const Json& object, std::string_view key) {
  const Json* value = object.Find(key);
  return value != nullptr && !value->IsNull() ? value : nullptr;
}

bool Has(const Json& row, std::string_view key) { return Present(row, key) != nullptr; }

// Sets `key` to the first of the named keys that is there, unless the row has it already.
void Fill(Json* row, std::string_view key, std::initializer_list<const char*> sources) {
  if (Has(*row, key)) return;
  for (const char* source : sources) {
    if (const Json* value = Present(*row, source)) {
      row->Set(key, Json(*value));
      return;
    }
  }
}

void FillWith(Json* row, std::string_view key, Json value) {
  if (!Has(*row, key) && !value.IsNull()) row->Set(key, std::move(value));
}

// Moves `from` to `to`: the completions are not written out twice.
void Move(Json* row, std::string_view from, std::string_view to) {
  Json value = std::move(*row->Find(from));
  row->Erase(from);
  row->Set(to, std::move(value));
}

// A struct column, which some writers keep as a JSON string.
Json Struct(const Json* value) {
  if (value == nullptr) return Json();
  const std::string* text = value->AsString();
  if (text == nullptr) return *value;
  Result<Json> parsed = ParseJson(*text);
  return parsed.ok() ? *parsed : Json();
}

bool IsArrayAt(const Json& row, std::string_view key) {
  const Json* value = Present(row, key);
  return value != nullptr && value->IsArray();
}

// ------------------------------------------------------------------------------------------------ answers and tests

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
    if (fn_name != nullptr) test.Set("fn_name", *fn_name);
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

// open-instruct names its verifier in `dataset`; the ground truth of code is asserts, or inputs and outputs.
void FillFromOpenInstruct(Json* row) {
  const std::string kind(row->StringOr("dataset", ""));
  if (kind.empty() || !Has(*row, "ground_truth")) return;
  const Json tests = Struct(row->Find("ground_truth"));
  if (kind == "gsm8k" || kind == "math" || kind == "strict_math") FillWith(row, "task", "math");
  if (kind != "code" && kind != "code_stdio") return;
  FillWith(row, "task", "code");
  if (kind == "code") {
    FillWith(row, "verification_info", Json().Set("asserts", tests));
  } else if (tests.IsArray()) {
    FillWith(row, "verification_info", Json().Set("test_cases", Cases(tests)));
  }
}

// open-r1/codeforces: tests, checker and limits as columns of the row.
void FillFromCodeforces(Json* row) {
  const Json* tests = Present(*row, "official_tests");
  if (tests == nullptr || !tests->IsArray() || Has(*row, "verification_info")) return;
  Json info = Json::MakeObject();
  info.Set("language", std::string(row->StringOr("language", "python")));
  info.Set("test_cases", Cases(*tests));
  if (const Json* checker = Present(*row, "generated_checker")) info.Set("checker", *checker);
  Json limits = Json::MakeObject();
  if (const double seconds = row->DoubleOr("time_limit", 0); seconds > 0)
    limits.Set("cpu_ms", static_cast<int64_t>(seconds * 1000));
  if (const double mib = row->DoubleOr("memory_limit", 0); mib > 0)
    limits.Set("memory_mib", static_cast<int64_t>(mib));
  if (!limits.AsObject()->empty()) info.Set("limits", std::move(limits));
  row->Set("verification_info", std::move(info));
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
}

// What a verifier needs, from wherever the sets keep it.
void FillProblem(Json* row) {
  FillTask(row);
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
  FillFromOpenInstruct(row);
  for (const char* key :
       {"expected_answer", "ground_truth", "gold_standard_solution", "solution"}) {
    const Json* value = Present(*row, key);
    if (value != nullptr && IsAnswer(*value)) FillWith(row, "answer", Json(*value));
  }
}

// ------------------------------------------------------------------------------------------------ completions

// Texts of an OpenAI-like body's choices. Reasoning that stands apart (`reasoning_content`) stays apart.
Status FillFromChoices(const Json& body, Json* row) {
  const Json* choices = body.Find("choices");
  if (choices == nullptr || !choices->IsArray())
    return InputError("the response has no 'choices'", "was the request answered?");
  Json texts = Json::MakeArray(), reasons = Json::MakeArray();
  for (const Json& choice : *choices->AsArray()) {
    const Json* message = choice.Find("message");
    const Json* content =
        message != nullptr ? Present(*message, "content") : Present(choice, "text");
    texts.Append(content != nullptr ? *content : Json(""));
    const Json* reason = choice.Find("finish_reason");
    reasons.Append(reason != nullptr ? *reason : Json());
  }
  row->Set("completions", std::move(texts));
  FillWith(row, "finish_reasons", std::move(reasons));
  if (const Json* model = Present(body, "model")) FillWith(row, "model", *model);
  return {};
}

Status FromGemini(const Json& response, Json* row) {
  Json texts = Json::MakeArray(), reasons = Json::MakeArray();
  for (const Json& candidate : *response.Find("candidates")->AsArray()) {
    std::string text;
    const Json* content = candidate.Find("content");
    const Json* parts = content != nullptr ? content->Find("parts") : nullptr;
    if (parts != nullptr && parts->IsArray()) {
      for (const Json& part : *parts->AsArray()) text += part.StringOr("text", "");
    }
    texts.Append(std::move(text));
    const std::string_view reason = candidate.StringOr("finishReason", "");
    reasons.Append(reason == "MAX_TOKENS" ? Json("length") : Json(AsciiLower(reason)));
  }
  row->Set("completions", std::move(texts));
  FillWith(row, "finish_reasons", std::move(reasons));
  return {};
}

Status FromOpenAiBatch(Json* row) {
  Fill(row, "id", {"custom_id", "key"});
  const Json response = Present(*row, "response") != nullptr ? *row->Find("response") : Json();
  const Json* error = Present(*row, "error");
  const int64_t status = response.IntOr("status_code", 200);
  if (error != nullptr || !response.IsObject() || status != 200) {
    const std::string said = error == nullptr    ? StrCat("status code ", status)
                             : error->IsObject() ? std::string(error->StringOr("message", "error"))
                                                 : error->ScalarText();
    return InputError(StrCat("the request failed: ", Shorten(said, 200)),
                      "ask the server again for the failed requests");
  }
  row->Erase("response");
  row->Erase("error");
  if (const Json* found = response.Find("candidates"); found != nullptr && found->IsArray())
    return FromGemini(response, row);
  const Json* body = response.Find("body");
  return FillFromChoices(body != nullptr ? *body : response, row);
}

Status FromChatCompletion(Json* row) {
  const Json body = *row;
  row->Erase("choices");
  return FillFromChoices(body, row);
}

Status FromVllm(Json* row) {
  Json texts = Json::MakeArray(), reasons = Json::MakeArray(), ids = Json::MakeArray();
  bool all_ids = true;
  for (const Json& output : *row->Find("outputs")->AsArray()) {
    texts.Append(std::string(output.StringOr("text", "")));
    const Json* reason = output.Find("finish_reason");
    reasons.Append(reason != nullptr ? *reason : Json());
    const Json* tokens = Present(output, "token_ids");
    all_ids &= tokens != nullptr;
    ids.Append(tokens != nullptr ? *tokens : Json());
  }
  row->Erase("outputs");
  row->Set("completions", std::move(texts));
  FillWith(row, "finish_reasons", std::move(reasons));
  if (all_ids) FillWith(row, "token_ids", std::move(ids));
  return {};
}

Status FromOpenR1(Json* row) {
  Move(row, "generations", "completions");
  Fill(row, "id", {"uuid", "problem_id"});
  Fill(row, "labels", {"correctness_math_verify"});
  return {};
}

// NeMo-Skills has one text a line, distilabel's groups a list.
Status FromGeneration(Json* row) {
  Move(row, "generation", row->Find("generation")->IsArray() ? "completions" : "completion");
  Fill(row, "label", {"symbolic_correct", "is_correct"});
  Fill(row, "id", {"prompt_id"});
  return {};
}

Status FromLmEval(Json* row) {
  const Json* resps = row->Find("resps");
  const Json::Array* requests = resps->AsArray();
  if (requests->empty() || !(*requests)[0].IsArray())
    return InputError("'resps' is no list of lists", "");
  Json texts = (*requests)[0];
  row->Erase("resps");
  row->Set("completions", std::move(texts));
  Fill(row, "id", {"doc_id"});
  Fill(row, "answer", {"target"});
  if (const Json* arguments = Present(*row, "arguments")) {
    Json prompt;
    if (const Json* first = arguments->Find("gen_args_0")) {
      if (const Json* text = first->Find("arg_0")) prompt = *text;
    } else if (const Json::Array* list = arguments->AsArray(); list != nullptr && !list->empty()) {
      const Json::Array* words = (*list)[0].AsArray();
      if (words != nullptr && !words->empty()) prompt = (*words)[0];
    }
    if (prompt.IsString()) FillWith(row, "prompt", std::move(prompt));
  }
  return {};
}

Status FromLighteval(Json* row) {
  const Json doc = Struct(row->Find("__doc__")), reply = Struct(row->Find("__model_response__"));
  const Json* texts = reply.Find("text");
  if (texts == nullptr || !texts->IsArray())
    return InputError("'__model_response__' has no list 'text'", "");
  row->Set("completions", *texts);
  row->Erase("__model_response__");
  if (const Json* query = Present(doc, "query")) FillWith(row, "prompt", *query);
  const Json *choices = doc.Find("choices"), *gold = Present(doc, "gold_index");
  if (gold != nullptr && gold->IsArray() && !gold->AsArray()->empty())
    gold = &(*gold->AsArray())[0];
  const Json::Array* list = choices != nullptr ? choices->AsArray() : nullptr;
  const int64_t* place = gold != nullptr ? gold->AsInt() : nullptr;
  if (list != nullptr && place != nullptr && *place >= 0 &&
      static_cast<size_t>(*place) < list->size())
    FillWith(row, "answer", (*list)[static_cast<size_t>(*place)]);
  return {};
}

Status FromLiveCodeBench(Json* row) {
  Move(row, IsArrayAt(*row, "output_list") ? "output_list" : "code_list", "completions");
  Fill(row, "id", {"question_id"});
  Fill(row, "labels", {"graded_list"});
  return {};
}

Status FromEvalPlus(Json* row) {
  Move(row, "solution", "completion");
  Fill(row, "id", {"task_id"});
  return {};
}

Status FromSynthetic1(Json* row) {
  Move(row, "llm_response", "completion");
  Fill(row, "id", {"problem_id"});
  Fill(row, "model", {"model_name"});
  return {};
}

// A message alone counts as a list of one.
Json AsCompletion(const Json& value) { return value.IsObject() ? Json().Append(value) : value; }

Status FromPreference(Json* row) {
  row->Set("completions", Json()
                              .Append(AsCompletion(*row->Find("chosen")))
                              .Append(AsCompletion(*row->Find("rejected"))));
  row->Erase("chosen");
  row->Erase("rejected");
  FillWith(row, "labels", Json().Append(true).Append(false));
  return {};
}

// Chat data: the last turn is the completion, what comes before it the prompt.
Status FromTurns(Json turns, std::string_view assistant, Json* row) {
  Json::Array* list = turns.AsArray();
  if (list == nullptr || list->empty() || list->back().StringOr("role", "") != assistant) {
    return InputError("the conversation does not end with an answer",
                      "the last message's role must be the assistant's");
  }
  const Json* content = list->back().Find("content");
  Json last = content != nullptr ? *content : Json("");
  list->pop_back();
  row->Set("completion", std::move(last));
  if (!list->empty()) FillWith(row, "prompt", std::move(turns));
  return {};
}

Status FromMessages(Json* row) {
  Json turns = *row->Find("messages");
  row->Erase("messages");
  return FromTurns(std::move(turns), "assistant", row);
}

Status FromShareGpt(Json* row) {
  Json turns = Json::MakeArray();
  const std::string_view system = row->StringOr("system", "");
  if (!system.empty())
    turns.Append(Json().Set("role", "system").Set("content", std::string(system)));
  for (const Json& turn : *row->Find("conversations")->AsArray()) {
    const std::string_view from = turn.StringOr("from", "");
    const std::string_view role = from == "human" || from == "user"      ? "user"
                                  : from == "gpt" || from == "assistant" ? "assistant"
                                                                         : from;
    turns.Append(Json().Set("role", role).Set("content", std::string(turn.StringOr("value", ""))));
  }
  row->Erase("conversations");
  return FromTurns(std::move(turns), "assistant", row);
}

Status FromAlpaca(Json* row) {
  const std::string_view input = row->StringOr("input", "");
  FillWith(row, "prompt",
           Json(StrCat(row->StringOr("instruction", ""), input.empty() ? "" : "\n", input)));
  Move(row, "output", "completion");
  return {};
}

// What is ours already, the few names aside that others give our keys.
Status FromOurs(Json* row) {
  for (const char* key : {"completions", "completion"}) {
    if (row->Find(key) != nullptr && !Has(*row, key)) row->Erase(key);
  }
  Fill(row, "id", {"task_id", "example_id", "problem_id"});
  return {};
}

// ------------------------------------------------------------------------------------------------ the table

struct Format {
  const char* name;
  bool (*fits)(const Json& row);
  const char* keys;  // what `fits` looks for, for people
  Status (*convert)(Json* row);
};

// In this order: the first that fits is taken.
const Format kFormats[] = {
    {"trl", [](const Json& r) { return Has(r, "completions") || Has(r, "completion"); },
     "'completions' or 'completion'", FromOurs},
    {"open-r1", [](const Json& r) { return IsArrayAt(r, "generations"); }, "a list 'generations'",
     FromOpenR1},
    {"lighteval", [](const Json& r) { return Has(r, "__model_response__"); },
     "'__doc__' and '__model_response__'", FromLighteval},
    {"lm-eval", [](const Json& r) { return IsArrayAt(r, "resps"); }, "a list 'resps'", FromLmEval},
    {"livecodebench",
     [](const Json& r) { return IsArrayAt(r, "output_list") || IsArrayAt(r, "code_list"); },
     "a list 'output_list' or 'code_list'", FromLiveCodeBench},
    {"openai-batch",
     [](const Json& r) {
       return r.Find("response") != nullptr &&
              (Has(r, "custom_id") || Has(r, "error") || r.Find("response")->IsObject());
     },
     "'custom_id' and 'response'", FromOpenAiBatch},
    {"chat-completion", [](const Json& r) { return IsArrayAt(r, "choices") && Has(r, "object"); },
     "'object' and a list 'choices'", FromChatCompletion},
    {"vllm", [](const Json& r) { return IsArrayAt(r, "outputs"); }, "a list 'outputs'", FromVllm},
    {"synthetic-1", [](const Json& r) { return Has(r, "llm_response"); }, "'llm_response'",
     FromSynthetic1},
    {"nemo-skills", [](const Json& r) { return Has(r, "generation"); }, "'generation'",
     FromGeneration},
    {"preference", [](const Json& r) { return Has(r, "chosen") && Has(r, "rejected"); },
     "'chosen' and 'rejected'", FromPreference},
    {"evalplus", [](const Json& r) { return Has(r, "task_id") && Has(r, "solution"); },
     "'task_id' and 'solution'", FromEvalPlus},
    {"sharegpt", [](const Json& r) { return IsArrayAt(r, "conversations"); },
     "a list 'conversations'", FromShareGpt},
    {"alpaca", [](const Json& r) { return Has(r, "instruction") && Has(r, "output"); },
     "'instruction' and 'output'", FromAlpaca},
    {"messages",
     [](const Json& r) {
       const Json* list = Present(r, "messages");
       return list != nullptr && list->IsArray() && !list->AsArray()->empty() &&
              list->AsArray()->back().StringOr("role", "") == "assistant";
     },
     "a list 'messages' that ends with the assistant's", FromMessages},
};

constexpr std::pair<const char*, const char*> kOtherNames[] = {{"distilabel", "nemo-skills"},
                                                               {"gemini-batch", "openai-batch"},
                                                               {"humaneval", "trl"},
                                                               {"prime", "trl"},
                                                               {"verl", "trl"}};

Status Convert(const Format& format, Json* row) {
  if (Status status = format.convert(row); !status.ok()) return status;
  FillProblem(row);
  return {};
}

}  // namespace

const std::vector<std::string>& InputFormats() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names = {"auto", "assay"};
    for (const Format& format : kFormats) names.push_back(format.name);
    for (const auto& [name, same] : kOtherNames) names.push_back(name);
    return names;
  }();
  return kNames;
}

Status ToAssayRow(std::string_view name, Json* row) {
  if (name == "assay" || !row->IsObject()) return {};
  const bool by_keys = name.empty() || name == "auto";
  for (const auto& [other, same] : kOtherNames) {
    if (name == other) name = same;
  }
  for (const Format& format : kFormats) {
    if (!by_keys && name != format.name) continue;
    if (format.fits(*row)) return Convert(format, row);
    if (by_keys) continue;
    return InputError(StrCat("the row is not of format '", name, "': it lacks ", format.keys),
                      "leave --input-format out to go by the keys");
  }
  if (by_keys) return {};
  return Error{ErrorCode::kUsage, StrCat("unknown input format '", name, "'"),
               DidYouMean(name, InputFormats())};
}

}  // namespace assay
