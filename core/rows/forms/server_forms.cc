// What inference servers answer: OpenAI-like batches (vLLM, SGLang, Gemini) and single replies, and vLLM's offline outputs.
#include <string>
#include <string_view>
#include <utility>

#include "core/rows/forms/input_form.h"
#include "core/rows/messages.h"
#include "core/rows/row_edit.h"
#include "core/text.h"

namespace assay {
namespace {

// Completions of an OpenAI-like body's choices; messages that say more than a text (reasoning, tool calls) stay whole.
Status FillFromChoices(const Json& body, Json* row) {
  const Json* choices = body.Find("choices");
  if (choices == nullptr || !choices->IsArray())
    return InputError("the response has no 'choices'", "was the request answered?");
  Json texts = Json::MakeArray(), reasons = Json::MakeArray();
  for (const Json& choice : *choices->AsArray()) {
    const Json* message = choice.Find("message");
    texts.Append(message != nullptr ? CompletionOfReply(*message)
                                    : Json(std::string(choice.StringOr("text", ""))));
    const Json* reason = choice.Find("finish_reason");
    reasons.Append(reason != nullptr ? *reason : Json());
  }
  row->Set("completions", std::move(texts));
  FillWith(row, "finish_reasons", std::move(reasons));
  if (const Json* model = Present(body, "model")) FillWith(row, "model", *model);
  return {};
}

// A candidate as a message: thoughts are reasoning, function calls tool calls.
Json FromGeminiParts(const Json& candidate) {
  std::string text, thought;
  Json calls = Json::MakeArray();
  const Json* content = candidate.Find("content");
  const Json* parts = content != nullptr ? content->Find("parts") : nullptr;
  if (parts != nullptr && parts->IsArray()) {
    for (const Json& part : *parts->AsArray()) {
      (part.BoolOr("thought", false) ? thought : text) += part.StringOr("text", "");
      const Json* call = part.Find("functionCall");
      if (call == nullptr || !call->IsObject()) continue;
      const Json* arguments = call->Find("args");
      calls.Append(
          Json()
              .Set("type", "function")
              .Set("function",
                   Json()
                       .Set("name", std::string(call->StringOr("name", "")))
                       .Set("arguments", arguments != nullptr ? *arguments : Json::MakeObject())));
    }
  }
  Json message = Json().Set("role", "assistant").Set("content", std::move(text));
  if (!thought.empty()) message.Set("reasoning_content", std::move(thought));
  if (!calls.AsArray()->empty()) message.Set("tool_calls", std::move(calls));
  return message;
}

Status FromGemini(const Json& response, Json* row) {
  Json texts = Json::MakeArray(), reasons = Json::MakeArray();
  for (const Json& candidate : *response.Find("candidates")->AsArray()) {
    texts.Append(CompletionOfReply(FromGeminiParts(candidate)));
    const std::string_view reason = candidate.StringOr("finishReason", "");
    reasons.Append(reason == "MAX_TOKENS" ? Json("length") : Json(AsciiLower(reason)));
  }
  row->Set("completions", std::move(texts));
  FillWith(row, "finish_reasons", std::move(reasons));
  return {};
}

Status FromOpenAiBatch(Json* row) {
  // The line's own `id` is the server's name for the request; ours is what the asker called it, by which problems are joined.
  for (const char* key : {"custom_id", "key"}) {
    const Json* name = Present(*row, key);
    if (name == nullptr) continue;
    const Json asked = *name;
    if (const Json* request = Present(*row, "id"); request != nullptr && *request != asked)
      FillWith(row, "request_id", Json(*request));
    row->Set("id", asked);
    break;
  }
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

}  // namespace

const InputForm kOpenAiBatchForm = {
    "openai-batch",
    [](const Json& row) {
      return row.Find("response") != nullptr &&
             (Has(row, "custom_id") || Has(row, "error") || row.Find("response")->IsObject());
    },
    "'custom_id' and 'response'", FromOpenAiBatch};

const InputForm kChatCompletionForm = {
    "chat-completion",
    [](const Json& row) { return IsArrayAt(row, "choices") && Has(row, "object"); },
    "'object' and a list 'choices'", FromChatCompletion};

const InputForm kVllmForm = {"vllm", [](const Json& row) { return IsArrayAt(row, "outputs"); },
                             "a list 'outputs'", FromVllm};

}  // namespace assay
