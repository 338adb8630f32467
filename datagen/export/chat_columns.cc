#include "datagen/export/chat_columns.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "core/reasoning.h"
#include "core/rows/messages.h"
#include "core/text.h"

namespace assay {
namespace {

// A message as chat templates take it: text content is text, arguments of calls are JSON text as in OpenAI's own form (as structs,
// every call would get the keys of all others).
Json TemplateMessage(Json message) {
  if (Json* content = message.Find("content"); content != nullptr && content->IsArray()) {
    const Json::Array& parts = *content->AsArray();
    const bool all_text = std::all_of(parts.begin(), parts.end(), [](const Json& part) {
      return part.StringOr("type", "text") == "text";
    });
    if (all_text) *content = Json(MessageText(message));
  }
  Json* calls = message.Find("tool_calls");
  if (calls == nullptr || !calls->IsArray()) return message;
  for (Json& call : *calls->AsArray()) {
    Json* function = call.Find("function");
    Json* arguments = function != nullptr ? function->Find("arguments") : nullptr;
    if (arguments != nullptr && arguments->IsObject()) *arguments = Json(arguments->Dump());
  }
  return message;
}

void StripReasoning(Json* message) {
  for (const char* key : {"reasoning_content", "reasoning", "thinking"}) message->Erase(key);
  Json* content = message->Find("content");
  if (content != nullptr && content->IsString()) *content = WithoutReasoning(*content->AsString());
}

// The reply in the template, or as it is where it has no single block of reasoning.
std::string InTemplate(const std::string& text, const std::string& form) {
  const std::optional<ReasonedReply> parts = SplitReasoning(text);
  if (!parts) return text;
  std::string out;
  for (size_t at = 0; at < form.size();) {
    const std::string_view rest = std::string_view(form).substr(at);
    if (StartsWith(rest, kReasoningMark)) {
      out += parts->reasoning;
      at += kReasoningMark.size();
    } else if (StartsWith(rest, kSummaryMark)) {
      out += parts->summary;
      at += kSummaryMark.size();
    } else {
      out += form[at++];
    }
  }
  return out;
}

void Reform(Json* message, const std::string& form) {
  Json* content = message->Find("content");
  if (content != nullptr && content->IsString()) *content = InTemplate(*content->AsString(), form);
}

Json SystemMessage(const std::string& text) {
  return Json().Set("role", "system").Set("content", text);
}

}  // namespace

std::string WithoutReasoning(const std::string& text) {
  constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  const std::string_view trimmed = Trim(text);
  if (!StartsWith(trimmed, kOpen)) return text;
  const size_t close = text.find(kClose);
  return close == std::string::npos ? text : std::string(Trim(text.substr(close + kClose.size())));
}

Json PromptMessages(const Problem& problem, const ExportOptions& options) {
  Json out = Json::MakeArray();
  const bool has_system = !problem.messages.empty() && problem.messages[0].role == "system";
  if (!options.system.empty() && !has_system) out.Append(SystemMessage(options.system));
  for (const Message& message : problem.messages)
    out.Append(TemplateMessage(MessageToJson(message)));
  if (problem.messages.empty() && !problem.prompt.empty())
    out.Append(Json().Set("role", "user").Set("content", problem.prompt));
  return out;
}

Json ReplyMessages(const Sample& sample, const ExportOptions& options) {
  Json out = Json::MakeArray();
  const Json messages = CompletionMessages(sample);
  for (const Json& message : *messages.AsArray()) {
    Json one = TemplateMessage(message);
    if (options.strip_reasoning) StripReasoning(&one);
    if (!options.reply_template.empty()) Reform(&one, options.reply_template);
    out.Append(std::move(one));
  }
  return out;
}

Json WholeChat(const Problem& problem, const Sample& sample, const ExportOptions& options) {
  Json out = PromptMessages(problem, options);
  const Json reply = ReplyMessages(sample, options);
  for (const Json& message : *reply.AsArray()) out.Append(message);
  return out;
}

std::string PromptText(const Problem& problem, const ExportOptions& options) {
  if (options.system.empty()) return problem.prompt;
  return StrCat(options.system, "\n\n", problem.prompt);
}

std::string ReplyText(const Sample& sample, const ExportOptions& options) {
  if (!options.reply_template.empty()) return InTemplate(sample.text, options.reply_template);
  return options.strip_reasoning ? WithoutReasoning(sample.text) : sample.text;
}

}  // namespace assay
