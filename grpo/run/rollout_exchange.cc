#include "grpo/run/rollout_exchange.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/rows/group_json.h"

namespace assay {
namespace {

template <typename Values>
Json Array(const Values& values) {
  Json array = Json::MakeArray();
  for (const auto& value : values) array.Append(Json(value));
  return array;
}

Json RewardJson(const Reward& reward) { return reward ? Json(*reward) : Json(); }
Reward RewardOf(const Json& json) {
  return json.IsNumber() ? Reward(json.NumberOr(0)) : std::nullopt;
}

Json SampleJson(const SampleScore& sample) {
  Json json = Json::MakeObject();
  Json verdicts = Json::MakeArray(), parts = Json::MakeArray();
  for (const Verdict& verdict : sample.verdicts) verdicts.Append(VerdictToJson(verdict, true));
  for (const std::optional<double>& part : sample.parts) parts.Append(RewardJson(part));
  return json.Set("verdicts", verdicts)
      .Set("reward", RewardJson(sample.reward))
      .Set("parts", parts);
}

Json RowJson(const RolloutRow& row) {
  Json json = Json::MakeObject();
  Json rewards = Json::MakeArray(), logp = Json::MakeArray();
  for (const Reward& reward : row.rewards) rewards.Append(RewardJson(reward));
  for (float value : row.sampler_logp)
    logp.Append(std::isnan(value) ? Json() : Json(static_cast<double>(value)));
  std::vector<int64_t> own(row.own.begin(), row.own.end());
  return json.Set("ids", Array(row.completion))
      .Set("own", Array(own))
      .Set("logp", logp)
      .Set("truncated", row.truncated)
      .Set("rewards", rewards);
}

// The elements of an array; none where there is no array.
const std::vector<Json>& Elements(const Json& json, const char* key) {
  static const std::vector<Json> kNone;
  const Json* found = json.Find(key);
  return found != nullptr && found->IsArray() ? *found->AsArray() : kNone;
}

Verdict VerdictOf(const Json& json) {
  Verdict verdict;
  verdict.outcome = OutcomeFromName(json.StringOr("outcome", "")).value_or(Outcome::kFault);
  verdict.score = json.DoubleOr("score", 0);
  verdict.reason = json.StringOr("reason", "");
  verdict.detail = json.StringOr("detail", "");
  verdict.ms = json.DoubleOr("ms", 0);
  if (const Json* evidence = json.Find("evidence"); evidence != nullptr)
    verdict.evidence = *evidence;
  return verdict;
}

SampleScore ScoreOf(const Json& json) {
  SampleScore score;
  for (const Json& verdict : Elements(json, "verdicts"))
    score.verdicts.push_back(VerdictOf(verdict));
  for (const Json& part : Elements(json, "parts")) score.parts.push_back(RewardOf(part));
  if (const Json* reward = json.Find("reward"); reward != nullptr) score.reward = RewardOf(*reward);
  return score;
}

RolloutRow RowOf(const Json& json) {
  RolloutRow row;
  for (const Json& id : Elements(json, "ids"))
    row.completion.push_back(id.IsInt() ? *id.AsInt() : 0);
  for (const Json& own : Elements(json, "own"))
    row.own.push_back(static_cast<uint8_t>(own.NumberOr(0)));
  for (const Json& logp : Elements(json, "logp"))
    row.sampler_logp.push_back(static_cast<float>(logp.NumberOr(NAN)));
  row.truncated = json.BoolOr("truncated", false);
  for (const Json& reward : Elements(json, "rewards")) row.rewards.push_back(RewardOf(reward));
  return row;
}

}  // namespace

Json ExchangeForm(const ScoredGroup& text, const RolloutGroup& tokens) {
  Json json = Json::MakeObject();
  Json samples = Json::MakeArray(), rows = Json::MakeArray();
  for (const SampleScore& sample : text.score.samples) samples.Append(SampleJson(sample));
  for (const RolloutRow& row : tokens.rows) rows.Append(RowJson(row));
  return json.Set("group", GroupToJson(text.group))
      .Set("labels", Array(text.score.labels))
      .Set("show_parts", text.score.show_parts)
      .Set("scores", samples)
      .Set("sampled_at", tokens.sampled_at)
      .Set("prompt", Array(tokens.prompt))
      .Set("rows", rows);
}

Status FromExchangeForm(const Json& json, ScoredGroup* text, RolloutGroup* tokens) {
  const Json* given = json.Find("group");
  if (given == nullptr)
    return Error{ErrorCode::kInput, "another process sent something that is no group", ""};
  Result<Group> group = GroupFromJson(*given);
  if (!group.ok()) return group.error();
  text->group = std::move(*group);
  for (const Json& label : Elements(json, "labels"))
    text->score.labels.push_back(label.IsString() ? *label.AsString() : "");
  text->score.show_parts = json.BoolOr("show_parts", false);
  for (const Json& sample : Elements(json, "scores"))
    text->score.samples.push_back(ScoreOf(sample));
  tokens->sampled_at = json.IntOr("sampled_at", -1);
  for (const Json& id : Elements(json, "prompt"))
    tokens->prompt.push_back(id.IsInt() ? *id.AsInt() : 0);
  for (const Json& row : Elements(json, "rows")) tokens->rows.push_back(RowOf(row));
  if (tokens->rows.size() != text->score.samples.size() || tokens->prompt.empty())
    return Error{ErrorCode::kInput, "another process sent half a group", ""};
  return {};
}

}  // namespace assay
