#include "core/rows/input_format.h"

#include <utility>

#include "core/rows/forms/input_form.h"
#include "core/rows/problem_fields.h"
#include "core/rows/row_edit.h"
#include "core/text.h"

namespace assay {
namespace {

// In this order: the first that fits is taken.
constexpr const InputForm* kForms[] = {
    &kTrlForm,           &kOpenR1Form,      &kOpenThoughtsForm,   &kLightevalForm, &kLmEvalForm,
    &kLiveCodeBenchForm, &kOpenAiBatchForm, &kChatCompletionForm, &kVllmForm,      &kSynthetic1Form,
    &kNemoSkillsForm,    &kPreferenceForm,  &kEvalPlusForm,       &kShareGptForm,  &kAlpacaForm,
    &kMessagesForm,      &kInputOutputForm, &kTextForm,
};

constexpr std::pair<const char*, const char*> kOtherNames[] = {{"distilabel", "nemo-skills"},
                                                               {"gemini-batch", "openai-batch"},
                                                               {"humaneval", "trl"},
                                                               {"prime", "trl"},
                                                               {"verl", "trl"}};

Status Convert(const InputForm& form, Json* row) {
  if (Status status = form.convert(row); !status.ok()) return status;
  FillProblem(row);
  return CheckTests(*row);
}

}  // namespace

const std::vector<std::string>& InputFormats() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names = {"auto", "assay"};
    for (const InputForm* form : kForms) names.push_back(form->name);
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
  for (const InputForm* form : kForms) {
    if (!by_keys && name != form->name) continue;
    if (form->fits(*row)) return Convert(*form, row);
    if (by_keys) continue;
    return InputError(StrCat("the row is not of format '", name, "': it lacks ", form->keys),
                      "leave --input-format out to go by the keys");
  }
  if (by_keys) return {};
  return Error{ErrorCode::kUsage, StrCat("unknown input format '", name, "'"),
               DidYouMean(name, InputFormats())};
}

}  // namespace assay
