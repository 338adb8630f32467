// Conversations and instructions for fine-tuning: messages, ShareGPT, Alpaca, preference pairs.
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "core/rows/forms/input_form.h"
#include "core/rows/messages.h"
#include "core/rows/row_edit.h"
#include "core/text.h"

namespace assay {
namespace {

// ShareGPT's turn as a message; one that is a message already stays as it is.
Json MessageOfTurn(const Json& turn) {
  if (turn.Find("from") == nullptr) return turn;
  const std::string_view from = turn.StringOr("from", "");
  const std::string_view role = from == "human" || from == "user"      ? "user"
                                : from == "gpt" || from == "assistant" ? "assistant"
                                                                       : from;
  Json message = Json().Set("role", role).Set("content", std::string(turn.StringOr("value", "")));
  for (const Json::Member& member : *turn.AsObject()) {
    if (member.key != "from" && member.key != "value") message.Set(member.key, member.value);
  }
  return message;
}

// ShareGPT's turns, behind the system prompt that stands beside them.
Json MessagesOfTurns(const Json& row) {
  Json turns = Json::MakeArray();
  const std::string_view system = row.StringOr("system", "");
  if (!system.empty())
    turns.Append(Json().Set("role", "system").Set("content", std::string(system)));
  for (const Json& turn : *row.Find("conversations")->AsArray()) turns.Append(MessageOfTurn(turn));
  return turns;
}

// Alpaca's instruction and input: text, or a chat where a system prompt or earlier turns stand beside them.
Json AlpacaPrompt(const Json& row) {
  const std::string_view input = row.StringOr("input", "");
  const std::string text =
      StrCat(row.StringOr("instruction", ""), input.empty() ? "" : "\n", input);
  const std::string_view system = row.StringOr("system", "");
  const Json* history = Present(row, "history");
  Json turns = Json::MakeArray();
  const auto add = [&turns](const char* role, std::string_view content) {
    turns.Append(Json().Set("role", role).Set("content", std::string(content)));
  };
  if (!system.empty()) add("system", system);
  if (history != nullptr && history->IsArray()) {
    for (const Json& turn : *history->AsArray()) {
      const Json::Array* pair = turn.AsArray();
      if (pair == nullptr || pair->size() != 2) continue;
      add("user", (*pair)[0].ScalarText());
      add("assistant", (*pair)[1].ScalarText());
    }
  }
  if (turns.AsArray()->empty()) return Json(text);
  add("user", text);
  return turns;
}

// A message alone counts as a list of one.
Json AsCompletion(const Json& value) {
  return value.IsObject() ? Json().Append(MessageOfTurn(value)) : value;
}

// How many messages two conversations have in common at their start; each keeps at least one for itself.
size_t SharedTurns(const Json::Array& a, const Json::Array& b) {
  const size_t most = std::min(a.size(), b.size());
  size_t shared = 0;
  while (shared + 1 < most && a[shared] == b[shared]) ++shared;
  return shared;
}

// The end of the prompt in two texts of the form "\n\nHuman: ..\n\nAssistant: ..", 0 if they are of another.
size_t SharedDialogue(std::string_view a, std::string_view b) {
  constexpr std::string_view kTurn = "\n\nAssistant:";
  const size_t most = std::min(a.size(), b.size());
  size_t shared = 0;
  while (shared < most && a[shared] == b[shared]) ++shared;
  const size_t turn = a.substr(0, shared).rfind(kTurn);
  return turn == std::string_view::npos ? 0 : turn + kTurn.size();
}

// `shared`: the turns that both replies began with. Beside a prompt that the row names already they are the rest of it, or all of it.
void SetPrompt(Json::Array shared, Json* row) {
  const Json* prompt = Present(*row, "prompt");
  if (const Json::Array* named = prompt != nullptr ? prompt->AsArray() : nullptr) {
    const bool inside =
        named->size() <= shared.size() && std::equal(named->begin(), named->end(), shared.begin());
    if (!inside) shared.insert(shared.begin(), named->begin(), named->end());
  } else if (prompt != nullptr) {
    const bool inside = std::any_of(shared.begin(), shared.end(), [&](const Json& message) {
      const Json* content = message.Find("content");
      return content != nullptr && *content == *prompt;
    });
    if (!inside) row->Set("input_prompt", Json(*prompt));
  }
  row->Set("prompt", Json(std::move(shared)));
}

// Many sets have the prompt inside of both replies: what they begin with alike is the prompt, not a part of an answer.
void TakePromptOut(Json* chosen, Json* rejected, Json* row) {
  Json::Array *a = chosen->AsArray(), *b = rejected->AsArray();
  std::string *text = chosen->AsString(), *other = rejected->AsString();
  if (a != nullptr && b != nullptr) {
    const auto count = static_cast<std::ptrdiff_t>(SharedTurns(*a, *b));
    if (count > 0) SetPrompt(Json::Array(a->begin(), a->begin() + count), row);
    a->erase(a->begin(), a->begin() + count);
    b->erase(b->begin(), b->begin() + count);
  } else if (text != nullptr && other != nullptr && !Has(*row, "prompt")) {
    const size_t size = SharedDialogue(*text, *other);
    if (size > 0) row->Set("prompt", text->substr(0, size));
    text->erase(0, size);
    other->erase(0, size);
  }
}

// LLaMA-Factory's pairs have the prompt as its other rows do.
void TakePromptOfRow(Json* row) {
  if (Has(*row, "prompt")) return;
  if (IsArrayAt(*row, "conversations")) {
    row->Set("prompt", MessagesOfTurns(*row));
    row->Erase("conversations");
  } else if (Has(*row, "instruction")) {
    row->Set("prompt", AlpacaPrompt(*row));
  }
}

Status FromPreference(Json* row) {
  TakePromptOfRow(row);
  Json chosen = AsCompletion(*row->Find("chosen")), rejected = AsCompletion(*row->Find("rejected"));
  TakePromptOut(&chosen, &rejected, row);
  row->Set("completions", Json().Append(std::move(chosen)).Append(std::move(rejected)));
  row->Erase("chosen");
  row->Erase("rejected");
  FillWith(row, "labels", Json().Append(true).Append(false));
  if (Has(*row, "chosen_model") && Has(*row, "rejected_model"))
    FillWith(row, "models",
             Json().Append(*row->Find("chosen_model")).Append(*row->Find("rejected_model")));
  return {};
}

// Chat data: the last turn is the completion, what comes before it the prompt.
Status FromTurns(Json turns, std::string_view assistant, Json* row) {
  Json::Array* list = turns.AsArray();
  if (list == nullptr || list->empty() || list->back().StringOr("role", "") != assistant) {
    return InputError("the conversation does not end with an answer",
                      "the last message's role must be the assistant's");
  }
  Json last = CompletionOfReply(list->back());
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
  Json turns = MessagesOfTurns(*row);
  row->Erase("conversations");
  return FromTurns(std::move(turns), "assistant", row);
}

Status FromAlpaca(Json* row) {
  FillWith(row, "prompt", AlpacaPrompt(*row));
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
