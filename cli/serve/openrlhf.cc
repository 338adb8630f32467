// OpenRLHF's remote reward model: /get_reward. A reply is the query without its prompt and without the end-of-text marks that OpenRLHF
// keeps. What cannot be scored is null in `rewards`; if nothing can, the request fails: 422 where the rows are wrong, 503 where it is ours.
#include <algorithm>
#include <memory>
#include <utility>

#include "cli/serve/fields.h"
#include "cli/serve/reward_row.h"
#include "cli/serve/routes.h"
#include "cli/serve/schemas.h"
#include "core/text.h"

namespace assay {
namespace {

struct RewardBody {
  std::vector<std::string> query, prompts;
  Json labels;
};

Fields RewardFields(RewardBody* b) {
  Fields table;
  table.Add("query", &b->query, "prompt and reply, as one text")
      .Required()
      .Example(Json::MakeArray().Append("1+1? \\boxed{2}"));
  table.Add("prompts", &b->prompts, "the prompts")
      .Required()
      .Example(Json::MakeArray().Append("1+1? "));
  table
      .AddList(
          "labels", &b->labels,
          "for each, the reference answer; or an object (or one as JSON text) with a row's keys: "
          "answer, task, verification_info")
      .Required()
      .Example(Json::MakeArray().Append("2"));
  return table;
}

std::string_view Reply(std::string_view query, std::string_view prompt) {
  const size_t at = prompt.empty() ? 0 : query.find(prompt);
  return WithoutEndMarks(at == std::string_view::npos
                             ? query
                             : query.substr(at + (prompt.empty() ? 0 : prompt.size())));
}

struct RewardWork {
  std::shared_ptr<const Rubric> rubric;
  RewardBody body;
  std::vector<GroupScore> scores;
  std::vector<std::string> problems;  // why there is no reward
  std::vector<char> ours;             // whether that is the server's fault
};

void ScoreOne(const ServeContext& context, RewardWork* work, size_t i) {
  Result<Group> group = RewardGroup(
      context, LabelledRow(work->body.prompts[i], Reply(work->body.query[i], work->body.prompts[i]),
                           (*work->body.labels.AsArray())[i]));
  if (!group.ok()) {
    work->problems[i] = group.error().message;
    return;
  }
  work->scores[i] = context.Score(*work->rubric, *group);
  if (work->scores[i].samples[0].reward) return;
  bool blames_row = false;
  work->problems[i] = WhyNull(work->scores[i], &blames_row);
  work->ours[i] = blames_row ? 0 : 1;
}

HttpResponse RewardResponse(const RewardWork& work) {
  Json rewards = Json::MakeArray(), scores = Json::MakeArray(), logs = Json::MakeObject();
  size_t nulls = 0;
  for (size_t i = 0; i < work.scores.size(); ++i) {
    const GroupScore& score = work.scores[i];
    const Reward reward = score.samples.empty() ? Reward() : score.samples[0].reward;
    nulls += reward ? 0 : 1;
    rewards.Append(reward ? Json(*reward) : Json());
    scores.Append(reward ? Json(std::clamp(*reward, 0.0, 1.0)) : Json());
    for (size_t t = 0; t < score.labels.size() && reward; ++t) {
      if (logs.Find(score.labels[t]) == nullptr)
        logs.Set(score.labels[t], Json(Json::Array(work.scores.size())));
      (*logs.Find(score.labels[t])->AsArray())[i] = Json(score.samples[0].verdicts[t].score);
    }
  }
  if (nulls > 0 && nulls == work.scores.size()) {
    const bool ours = std::find(work.ours.begin(), work.ours.end(), 1) != work.ours.end();
    return HttpError(ours ? 503 : 422, work.problems[0]);
  }
  return HttpResponse::OfJson(200, Json()
                                       .Set("rewards", std::move(rewards))
                                       .Set("scores", std::move(scores))
                                       .Set("extra_logs", std::move(logs)));
}

}  // namespace

PlanOrResponse PlanGetReward(const ServeContext& context, const HttpRequest& request) {
  auto work = std::make_shared<RewardWork>();
  RewardBody& body = work->body;
  if (std::optional<HttpResponse> bad = ReadBody(request, RewardFields(&body))) return *bad;
  const size_t count = body.query.size();
  if (body.prompts.size() != count || body.labels.AsArray()->size() != count) {
    return FieldErrors(Json::MakeArray().Append(
        FieldError("value_error", {"body"},
                   "Value error, query, prompts and labels must be of one length", Json())));
  }
  const Result<std::shared_ptr<const Rubric>> rubric = RewardRubric(context);
  if (!rubric.ok()) return HttpError(503, rubric.error().message, rubric.error().hint);
  work->rubric = *rubric;
  work->scores.resize(count);
  work->problems.resize(count);
  work->ours.resize(count);
  if (count == 0) return RewardResponse(*work);
  WorkPlan plan;
  plan.pieces = count;
  plan.run = [&context, work](size_t i) { ScoreOne(context, work.get(), i); };
  plan.finish = [work] { return RewardResponse(*work); };
  return plan;
}

Json GetRewardRequestSchema() {
  RewardBody body;
  return RewardFields(&body).Schema();
}

Json GetRewardResponseSchema() {
  return ObjectSchema(
      {{"rewards", ArraySchema(OrNull(NumberSchema("")), "null: not scored")},
       {"scores", ArraySchema(OrNull(NumberSchema("")), "rewards brought into 0 to 1")},
       {"extra_logs", Json().Set("type", "object").Set("description", "a list for each term")}});
}

}  // namespace assay
