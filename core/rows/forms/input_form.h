// InputForm: one layout of rows that other tools write: how it is recognised, and how it becomes ours. A form is a constant beside its
// reader in one of this folder's files; core/rows/input_format.cc lists them in the order in which they are tried.
#pragma once

#include "core/json.h"
#include "core/result.h"

namespace assay {

struct InputForm {
  const char* name;
  bool (*fits)(const Json& row);
  const char* keys;  // what `fits` looks for, for people
  // Puts completions and what belongs to them (id, labels, finish reasons, model) under our keys; the problem is found by
  // core/rows/problem_fields.h. Only for rows that fit. Errors: kInput.
  Status (*convert)(Json* row);
};

// data_set_forms.cc: sets of sampled answers, ours first
extern const InputForm kTrlForm, kOpenR1Form, kOpenThoughtsForm, kNemoSkillsForm, kSynthetic1Form,
    kInputOutputForm, kTextForm;
// server_forms.cc: what inference servers answer
extern const InputForm kOpenAiBatchForm, kChatCompletionForm, kVllmForm;
// benchmark_forms.cc: what evaluation harnesses leave behind
extern const InputForm kLightevalForm, kLmEvalForm, kLiveCodeBenchForm, kEvalPlusForm;
// chat_forms.cc: conversations and instructions for fine-tuning
extern const InputForm kPreferenceForm, kShareGptForm, kAlpacaForm, kMessagesForm;

}  // namespace assay
