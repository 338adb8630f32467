// Sets of sampled answers: TRL's rows, which are ours but for a few names, open-r1, OpenThoughts, NeMo-Skills and distilabel, SYNTHETIC-1,
// verl's dumps, texts alone.
#include <utility>

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
  // What the server counted, one entry a reply.
  if (const Json* said = Present(*row, "api_metadata"); said != nullptr && said->IsArray()) {
    Json counts = Json::MakeArray();
    for (const Json& one : *said->AsArray()) {
      const int64_t count = one.IntOr("completion_tokens", -1);
      counts.Append(count >= 0 ? Json(count) : Json());
    }
    FillWith(row, "token_counts", std::move(counts));
  }
  return {};
}

// OpenThoughts' metadata keeps reasoning and answer apart.
Status FromOpenThoughts(Json* row) {
  Json message = Json()
                     .Set("role", "assistant")
                     .Set("content", *row->Find("deepseek_solution"))
                     .Set("reasoning_content", *row->Find("deepseek_reasoning"));
  row->Set("completion", Json().Append(std::move(message)));
  row->Erase("deepseek_solution");
  row->Erase("deepseek_reasoning");
  Fill(row, "answer", {"ground_truth_solution"});
  return {};
}

// NeMo-Skills' rows for training, verl's dumps of rollouts and validation.
Status FromInputOutput(Json* row) {
  if (!Has(*row, "prompt")) Move(row, "input", "prompt");
  Move(row, "output", "completion");
  Fill(row, "answer", {"gts"});
  return {};
}

// A text to be learned from: nobody asked for it.
Status FromText(Json* row) {
  Move(row, "text", "completion");
  return {};
}

// NeMo-Skills has one text a line, distilabel's groups a list.
Status FromGeneration(Json* row) {
  Move(row, "generation", row->Find("generation")->IsArray() ? "completions" : "completion");
  Fill(row, "label", {"symbolic_correct", "is_correct"});
  Fill(row, "id", {"prompt_id"});
  Fill(row, "model", {"model_name"});
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

const InputForm kOpenThoughtsForm = {
    "open-thoughts",
    [](const Json& row) { return Has(row, "deepseek_reasoning") && Has(row, "deepseek_solution"); },
    "'deepseek_reasoning' and 'deepseek_solution'", FromOpenThoughts};

const InputForm kInputOutputForm = {"input-output",
                                    [](const Json& row) {
                                      const Json* output = Present(row, "output");
                                      return Has(row, "input") && output != nullptr &&
                                             output->IsString() && !Has(row, "instruction");
                                    },
                                    "'input' and 'output'", FromInputOutput};

// A text beside what makes a problem (MBPP's is its question) is no completion.
const InputForm kTextForm = {
    "text",
    [](const Json& row) {
      const Json* text = Present(row, "text");
      if (text == nullptr || !text->IsString()) return false;
      for (const char* key : {"prompt", "problem", "question", "messages", "answer", "task_id",
                              "test_list", "code", "solution", "verification_info"}) {
        if (row.Find(key) != nullptr) return false;
      }
      return true;
    },
    "'text'", FromText};

}  // namespace assay
