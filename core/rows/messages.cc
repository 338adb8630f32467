#include "core/rows/messages.h"

#include <utility>

#include "core/rows/row_edit.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr const char* kReasoningKeys[] = {"reasoning_content", "reasoning", "thinking"};

bool IsTextPart(const Json& part) {
  const std::string_view type = part.StringOr("type", "text");
  return part.IsString() || type == "text" || type == "input_text" || type == "output_text";
}

}  // namespace

std::string MessageText(const Json& message) {
  const Json* content = message.Find("content");
  if (content == nullptr) return "";
  if (const std::string* text = content->AsString()) return *text;
  std::string out;
  if (const Json::Array* parts = content->AsArray()) {
    for (const Json& part : *parts) {
      if (part.IsString()) out += *part.AsString();
      if (IsTextPart(part)) out += part.StringOr("text", "");
    }
  }
  return out;
}

std::string MessageReasoning(const Json& message) {
  for (const char* key : kReasoningKeys) {
    const std::string_view text = message.StringOr(key, "");
    if (!text.empty()) return std::string(text);
  }
  std::string out;
  const Json* content = message.Find("content");
  if (content == nullptr || !content->IsArray()) return out;
  for (const Json& part : *content->AsArray()) {
    const std::string_view type = part.StringOr("type", "text");
    if (type != "thinking" && type != "reasoning") continue;
    out += part.StringOr("thinking", part.StringOr("text", ""));
  }
  return out;
}

bool SaysMore(const Json& message) {
  const Json::Object* members = message.AsObject();
  if (members == nullptr) return false;
  for (const Json::Member& member : *members) {
    if (member.key != "role" && member.key != "content") return true;
  }
  const Json* content = message.Find("content");
  return content != nullptr && !content->IsString();
}

Message MessageFromJson(const Json& item) {
  Message message{std::string(item.StringOr("role", "user")), MessageText(item)};
  if (SaysMore(item)) message.source = item;
  return message;
}

Json MessageToJson(const Message& message) {
  if (!message.source.IsNull()) return message.source;
  return Json().Set("role", message.role).Set("content", message.content);
}

Json MessagesToJson(const std::vector<Message>& messages) {
  Json out = Json::MakeArray();
  for (const Message& message : messages) out.Append(MessageToJson(message));
  return out;
}

Status ReadCompletion(const Json& value, size_t index, Sample* sample) {
  if (const std::string* text = value.AsString()) {
    sample->text = *text;
    return {};
  }
  if (value.IsObject()) return ReadCompletion(Json().Append(value), index, sample);
  const Json::Array* messages = value.AsArray();
  if (messages == nullptr) {
    return InputError(
        StrCat("completion ", index, value.IsNull() ? " is null" : " is no text and no message"),
        "each completion is a string or a list of messages");
  }
  std::string text, reasoning;
  bool more = messages->size() > 1;
  for (const Json& message : *messages) {
    if (!message.IsObject()) {
      return InputError(StrCat("a message in completion ", index, " is not an object"),
                        "messages look like {\"role\": \"assistant\", \"content\": \"...\"}");
    }
    const bool assistant = message.StringOr("role", "assistant") == "assistant";
    more = more || !assistant || SaysMore(message);
    if (!assistant) continue;
    text += MessageText(message);
    const std::string thought = MessageReasoning(message);
    if (!thought.empty()) StrAppend(&reasoning, reasoning.empty() ? "" : "\n\n", thought);
  }
  // Some servers leave the tags in the content and repeat what stands in them.
  const bool tagged = text.find("</think>") != std::string::npos;
  sample->text = reasoning.empty() || tagged ? std::move(text)
                                             : StrCat("<think>\n", reasoning, "\n</think>\n", text);
  if (more) sample->messages = value;
  return {};
}

Json CompletionToJson(const Sample& sample) {
  return sample.messages.IsNull() ? Json(sample.text) : sample.messages;
}

Json CompletionMessages(const Sample& sample) {
  if (!sample.messages.IsNull()) return sample.messages;
  return Json().Append(Json().Set("role", "assistant").Set("content", sample.text));
}

Json CompletionOfReply(const Json& message) {
  if (SaysMore(message)) {
    const Json* content = message.Find("content");
    bool only_text = content == nullptr || content->IsNull() || content->IsString();
    for (const Json::Member& member : *message.AsObject()) {
      const bool known = member.key == "role" || member.key == "content";
      only_text = only_text && (known || member.value.IsNull() ||
                                (member.value.IsArray() && member.value.AsArray()->empty()));
    }
    if (!only_text) return Json().Append(message);
  }
  return Json(MessageText(message));
}

}  // namespace assay
