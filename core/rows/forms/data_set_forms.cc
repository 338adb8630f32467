// Sets of sampled answers: TRL's rows, which are ours but for a few names, open-r1, NeMo-Skills and distilabel, SYNTHETIC-1.

#include "core/rows/forms/input_form.h"
#include "core/rows/row_edit.h"

namespace assay {
namespace {

// What is ours already, the few names aside that others give our keys.
Status FromOurs(Json* row) {
  for (const char* key : {"completions", "completion"}) {
    if (row->Find(key) != nullptr && !Has(*row, key)) row->Erase(key);
  }
  Fill(row, "id", {"task_id", "example_id", "problem_id"});
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

Status FromSynthetic1(Json* row) {
  Move(row, "llm_response", "completion");
  Fill(row, "id", {"problem_id"});
  Fill(row, "model", {"model_name"});
  return {};
}

}  // namespace

const InputForm kTrlForm = {
    "trl", [](const Json& row) { return Has(row, "completions") || Has(row, "completion"); },
    "'completions' or 'completion'", FromOurs};

const InputForm kOpenR1Form = {"open-r1",
                               [](const Json& row) { return IsArrayAt(row, "generations"); },
                               "a list 'generations'", FromOpenR1};

const InputForm kNemoSkillsForm = {"nemo-skills",
                                   [](const Json& row) { return Has(row, "generation"); },
                                   "'generation'", FromGeneration};

const InputForm kSynthetic1Form = {"synthetic-1",
                                   [](const Json& row) { return Has(row, "llm_response"); },
                                   "'llm_response'", FromSynthetic1};

}  // namespace assay
