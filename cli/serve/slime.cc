// slime's remote reward model: /rm. One sample a call; the answer is its reward alone. What cannot be scored fails the request (422 where
// the row is wrong, 503 where it is ours), which slime tries again and then reports: it has no word for "not scored".
#include <memory>
#include <utility>

#include "cli/serve/fields.h"
#include "cli/serve/reward_row.h"
#include "cli/serve/routes.h"
#include "cli/serve/schemas.h"

namespace assay {
namespace {

struct RemoteBody {
  Json prompt, label;
  std::string response;
};

Fields RemoteFields(RemoteBody* b) {
  Fields table;
  table.AddAny("prompt", &b->prompt, "a text, or chat messages").Example("1+1?");
  table.Add("response", &b->response, "the reply").Required().Example("\\boxed{2}");
  table
      .AddAny("label", &b->label,
              "the reference answer; or an object (or one as JSON text) with a row's keys: answer, "
              "task, verification_info")
      .Example("2");
  return table;
}

}  // namespace

PlanOrResponse PlanRemoteReward(const ServeContext& context, const HttpRequest& request) {
  auto body = std::make_shared<RemoteBody>();
  if (std::optional<HttpResponse> bad = ReadBody(request, RemoteFields(body.get()))) return *bad;
  const Result<std::shared_ptr<const Rubric>> rubric = RewardRubric(context);
  if (!rubric.ok()) return HttpError(503, rubric.error().message, rubric.error().hint);
  return OnePiece([&context, body, rubric = *rubric] {
    Result<Group> group = RewardGroup(
        context,
        LabelledRow(std::move(body->prompt), WithoutEndMarks(body->response), body->label));
    if (!group.ok()) return HttpError(422, group.error().message, group.error().hint);
    const GroupScore score = context.Score(*rubric, *group);
    if (const Reward reward = score.samples[0].reward) return HttpResponse::OfJson(200, *reward);
    bool blames_row = false;
    const std::string why = WhyNull(score, &blames_row);
    return HttpError(blames_row ? 422 : 503, why);
  });
}

Json RemoteRewardRequestSchema() {
  RemoteBody body;
  return RemoteFields(&body).Schema();
}

Json RemoteRewardResponseSchema() { return NumberSchema("the reward"); }

}  // namespace assay
