// Conversations and instructions for fine-tuning: messages, ShareGPT, Alpaca, preference pairs.
#include <string>
#include <string_view>
#include <utility>

#include "core/rows/forms/input_form.h"
#include "core/rows/row_edit.h"
#include "core/text.h"

namespace assay {
namespace {

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

}  // namespace

const InputForm kMessagesForm = {
    "messages",
    [](const Json& row) {
      const Json* list = Present(row, "messages");
      return list != nullptr && list->IsArray() && !list->AsArray()->empty() &&
             list->AsArray()->back().StringOr("role", "") == "assistant";
    },
    "a list 'messages' that ends with the assistant's", FromMessages};

const InputForm kShareGptForm = {"sharegpt",
                                 [](const Json& row) { return IsArrayAt(row, "conversations"); },
                                 "a list 'conversations'", FromShareGpt};

const InputForm kAlpacaForm = {
    "alpaca", [](const Json& row) { return Has(row, "instruction") && Has(row, "output"); },
    "'instruction' and 'output'", FromAlpaca};

const InputForm kPreferenceForm = {
    "preference", [](const Json& row) { return Has(row, "chosen") && Has(row, "rejected"); },
    "'chosen' and 'rejected'", FromPreference};

}  // namespace assay
