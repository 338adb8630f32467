// A resources server of NeMo Gym: /seed_session and /verify. A rollout's reply is the text of the messages in `response.output`, behind
// its reasoning where that is told apart; the row's other fields say what is right. A rollout that cannot be scored is an error (422
// where the row is wrong, 503 where it is ours), never a reward of 0.
#include <memory>
#include <utility>

#include "cli/serve/fields.h"
#include "cli/serve/reward_row.h"
#include "cli/serve/routes.h"
#include "cli/serve/schemas.h"
#include "core/text.h"

namespace assay {
namespace {

struct VerifyBody {
  Json responses_create_params, response;
};

Fields VerifyFields(VerifyBody* b) {
  const Json part = Json().Set("type", "output_text").Set("text", "\\boxed{4}");
  const Json message = Json()
                           .Set("type", "message")
                           .Set("role", "assistant")
                           .Set("content", Json::MakeArray().Append(part));
  Fields table;
  table
      .AddObject("responses_create_params", &b->responses_create_params,
                 "with the prompt as `input`")
      .Required()
      .Example(Json().Set("input", "2+2?"));
  table
      .AddObject("response", &b->response,
                 "a response of OpenAI's Responses API; beside it the row's own fields, such as "
                 "expected_answer or verification_info")
      .Required()
      .Example(Json().Set("output", Json::MakeArray().Append(message)));
  return table;
}

// The text of a content: a string, or parts that have text.
void AppendTexts(const Json* content, std::string* out) {
  if (content == nullptr) return;
  if (const std::string* text = content->AsString()) {
    *out += *text;
  } else if (const Json::Array* parts = content->AsArray()) {
    for (const Json& part : *parts) *out += part.StringOr("text", "");
  }
}

// Of the rollout's output: what was said, and what was thought before it.
Json CompletionOf(const Json& response) {
  std::string said, thought;
  const Json* output = response.Find("output");
  if (output != nullptr && output->IsArray()) {
    for (const Json& item : *output->AsArray()) {
      const std::string_view type = item.StringOr("type", "message");
      if (type == "reasoning") {
        AppendTexts(item.Find("summary"), &thought);
        AppendTexts(item.Find("content"), &thought);
      } else if (type == "message" && item.StringOr("role", "assistant") == "assistant") {
        AppendTexts(item.Find("content"), &said);
      }
    }
  }
  if (thought.empty() || said.find("</think>") != std::string::npos) return said;
  return Json::MakeArray().Append(
      Json().Set("role", "assistant").Set("content", said).Set("reasoning_content", thought));
}

Json PromptOf(const Json& params) {
  const Json* input = params.Find("input");
  if (input == nullptr || !input->IsArray()) return input != nullptr ? *input : Json("");
  Json messages = Json::MakeArray();
  for (const Json& item : *input->AsArray()) {
    std::string text;
    AppendTexts(item.Find("content"), &text);
    if (item.IsObject())
      messages.Append(Json().Set("role", item.StringOr("role", "user")).Set("content", text));
  }
  return messages;
}

// The row that the rollout's other fields make.
Json RowOf(const Json& body) {
  Json row = Json::MakeObject();
  for (const Json::Member& member : *body.AsObject()) {
    if (member.key != "responses_create_params" && member.key != "response" &&
        member.key != "reward" && member.key != "completions")
      row.Set(member.key, member.value);
  }
  if (const Json* metadata = body.Find("verifier_metadata");
      metadata != nullptr && metadata->IsObject()) {
    for (const Json::Member& member : *metadata->AsObject()) {
      if (row.Find(member.key) == nullptr) row.Set(member.key, member.value);
    }
  }
  row.Set("prompt", PromptOf(*body.Find("responses_create_params")));
  row.Set("completion", CompletionOf(*body.Find("response")));
  return row;
}

HttpResponse Verify(const ServeContext& context, const Rubric& rubric, const Group& group,
                    Json body) {
  const GroupScore score = context.Score(rubric, group);
  const SampleScore& sample = score.samples[0];
  if (!sample.reward) {
    bool blames_row = false;
    const std::string why = WhyNull(score, &blames_row);
    return HttpError(blames_row ? 422 : 503, why);
  }
  body.Set("reward", *sample.reward);
  if (score.labels.size() > 1) {
    Json parts = Json::MakeObject();
    for (size_t t = 0; t < score.labels.size(); ++t)
      parts.Set(score.labels[t], sample.verdicts[t].score);
    body.Set("reward_components", std::move(parts));
  }
  return HttpResponse::OfJson(200, body);
}

}  // namespace

PlanOrResponse PlanSeedSession(const ServeContext&, const HttpRequest& request) {
  if (std::optional<HttpResponse> bad = ReadBody(request, Fields())) return *bad;
  return HttpResponse::OfJson(200, Json::MakeObject());
}

Json SeedSessionRequestSchema() { return Json().Set("type", "object"); }
Json SeedSessionResponseSchema() { return Json().Set("type", "object"); }

PlanOrResponse PlanVerify(const ServeContext& context, const HttpRequest& request) {
  VerifyBody fields;
  if (std::optional<HttpResponse> bad = ReadBody(request, VerifyFields(&fields))) return *bad;
  Result<Json> body = ParseJson(request.body);
  if (!body.ok()) return HttpError(422, body.error().message);
  Result<Group> group = RewardGroup(context, RowOf(*body));
  if (!group.ok()) return HttpError(422, group.error().message, group.error().hint);
  const Result<std::shared_ptr<const Rubric>> rubric = RewardRubric(context);
  if (!rubric.ok()) return HttpError(503, rubric.error().message, rubric.error().hint);
  auto shared = std::make_shared<const Group>(std::move(*group));
  auto answer = std::make_shared<Json>(std::move(*body));
  return OnePiece([&context, rubric = *rubric, shared, answer] {
    return Verify(context, *rubric, *shared, std::move(*answer));
  });
}

Json VerifyRequestSchema() {
  VerifyBody body;
  return VerifyFields(&body).Schema();
}

Json VerifyResponseSchema() {
  return ObjectSchema({{"reward", NumberSchema("")}},
                      "the request's body with `reward`, and `reward_components` of several terms");
}

}  // namespace assay
