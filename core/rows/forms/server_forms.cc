// What inference servers answer: OpenAI-like batches (vLLM, SGLang, Gemini) and single replies, and vLLM's offline outputs.
#include <string>
#include <string_view>
#include <utility>

#include "core/rows/forms/input_form.h"
#include "core/rows/row_edit.h"
#include "core/text.h"

namespace assay {
namespace {

// Texts of an OpenAI-like body's choices. Reasoning that stands apart (`reasoning_content`) stays apart.
Status FillFromChoices(const Json& body, Json* row) {
  const Json* choices = body.Find("choices");
  if (choices == nullptr || !choices->IsArray())
    return InputError("the response has no 'choices'", "was the request answered?");
  Json texts = Json::MakeArray(), reasons = Json::MakeArray();
  for (const Json& choice : *choices->AsArray()) {
    const Json* message = choice.Find("message");
    const Json* content =
        message != nullptr ? Present(*message, "content") : Present(choice, "text");
    texts.Append(content != nullptr ? *content : Json(""));
    const Json* reason = choice.Find("finish_reason");
    reasons.Append(reason != nullptr ? *reason : Json());
  }
  row->Set("completions", std::move(texts));
  FillWith(row, "finish_reasons", std::move(reasons));
  if (const Json* model = Present(body, "model")) FillWith(row, "model", *model);
  return {};
}

Status FromGemini(const Json& response, Json* row) {
  Json texts = Json::MakeArray(), reasons = Json::MakeArray();
  for (const Json& candidate : *response.Find("candidates")->AsArray()) {
    std::string text;
    const Json* content = candidate.Find("content");
    const Json* parts = content != nullptr ? content->Find("parts") : nullptr;
    if (parts != nullptr && parts->IsArray()) {
      for (const Json& part : *parts->AsArray()) text += part.StringOr("text", "");
    }
    texts.Append(std::move(text));
    const std::string_view reason = candidate.StringOr("finishReason", "");
    reasons.Append(reason == "MAX_TOKENS" ? Json("length") : Json(AsciiLower(reason)));
  }
  row->Set("completions", std::move(texts));
  FillWith(row, "finish_reasons", std::move(reasons));
  return {};
}

Status FromOpenAiBatch(Json* row) {
  Fill(row, "id", {"custom_id", "key"});
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
