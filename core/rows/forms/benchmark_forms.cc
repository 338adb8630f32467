// What evaluation harnesses leave behind: lighteval, lm-eval, LiveCodeBench, EvalPlus.
#include <cstdint>
#include <utility>

#include "core/rows/forms/input_form.h"
#include "core/rows/row_edit.h"

namespace assay {
namespace {

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

}  // namespace

const InputForm kLightevalForm = {"lighteval",
                                  [](const Json& row) { return Has(row, "__model_response__"); },
                                  "'__doc__' and '__model_response__'", FromLighteval};

const InputForm kLmEvalForm = {"lm-eval", [](const Json& row) { return IsArrayAt(row, "resps"); },
                               "a list 'resps'", FromLmEval};

const InputForm kLiveCodeBenchForm = {
    "livecodebench",
    [](const Json& row) { return IsArrayAt(row, "output_list") || IsArrayAt(row, "code_list"); },
    "a list 'output_list' or 'code_list'", FromLiveCodeBench};

const InputForm kEvalPlusForm = {
    "evalplus", [](const Json& row) { return Has(row, "task_id") && Has(row, "solution"); },
    "'task_id' and 'solution'", FromEvalPlus};

}  // namespace assay
