#include "grpo/run/rollout_source.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/GradMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/rng.h"
#include "core/text.h"
#include "grpo/model/torch_error.h"
#include "grpo/rollout/generate.h"
#include "grpo/rollout/rollout_server.h"
#include "grpo/run/rollout_exchange.h"
#include "grpo/run/train_data.h"
#include "grpo/run/weight_push.h"

namespace assay {
namespace {

// What a term said, before its weight: what it brought, over the weight; so thresholds, penalties, clamps and places in the group count.
// Empty: it was left out. Under rules that do not add up, what it brought.
Reward TermReward(const RubricSpec& rubric, const SampleScore& score, size_t place) {
  const std::optional<double>& part = score.parts[place];
  if (!part || place >= rubric.terms.size()) return part;
  const bool adds = rubric.rule == RubricSpec::Rule::kSum || rubric.rule == RubricSpec::Rule::kGate;
  const double weight = rubric.terms[place].weight;
  if (weight == 0) return score.verdicts[place].score;
  return adds ? *part / weight : *part;
}

// What a reward function is: the folded reward, or (normalize_then_sum) each of the rubric's terms.
std::vector<Reward> RewardsOf(RewardAggregation aggregation, const RubricSpec& rubric,
                              const SampleScore& score) {
  if (aggregation == RewardAggregation::kSumThenNormalize) return {score.reward};
  std::vector<Reward> rewards(score.verdicts.size());
  for (size_t i = 0; score.reward && i < rewards.size(); ++i) {
    // A group whose time was up is scored 0 whole, and has no parts.
    rewards[i] = score.parts.empty() ? Reward(0.0) : TermReward(rubric, score, i);
  }
  return rewards;
}

// True if every scored row has the same reward: no gradient comes from such a group.
bool ZeroVariance(const GroupScore& score) {
  Reward first;
  for (const SampleScore& sample : score.samples) {
    if (!sample.reward) continue;
    if (first && std::abs(*first - *sample.reward) > 1e-8) return false;
    if (!first) first = sample.reward;
  }
  return true;
}

// The control experiment: the same rewards, dealt out at random within the batch.
void ShuffleRewards(Rng* rng, GenerationBatch* batch) {
  std::vector<std::vector<Reward>> rewards;
  for (RolloutGroup& group : batch->groups) {
    for (RolloutRow& row : group.rows) rewards.push_back(row.rewards);
  }
  rng->Shuffle(&rewards);
  size_t i = 0;
  for (RolloutGroup& group : batch->groups) {
    for (RolloutRow& row : group.rows) row.rewards = rewards[i++];
  }
}

}  // namespace

Status RolloutSource::Load() {
  const TrainSpec& spec = recipe_.train;
  if (!spec.data.rollouts.empty()) {
    Result<std::vector<Group>> groups = LoadGroups(spec.data.rollouts, spec.data);
    if (!groups.ok()) return groups.error();
    outside_ = std::move(*groups);
  } else {
    Result<std::vector<Problem>> problems = LoadProblems(spec.data.train, spec.data);
    if (!problems.ok()) return problems.error();
    problems_ = std::move(*problems);
    if (Status s = LoadPrompts(); !s.ok()) return s;
  }
  if (count() == 0) return Error{ErrorCode::kInput, "there is nothing to train on", ""};
  order_.emplace(static_cast<uint64_t>(spec.seed), count(), spec.shuffle_dataset);
  return {};
}

Status RolloutSource::LoadPrompts() {
  const TrainSpec& spec = recipe_.train;
  const auto read = static_cast<int64_t>(problems_.size());
  const PolicySetup& setup = run_->setup();
  const Result<int64_t> longest = LongestPrompt(spec, setup.policy.config);
  if (!longest.ok()) return longest.error();
  const int64_t most = *longest;
  PromptLengths lengths;
  Result<std::vector<std::vector<int64_t>>> ids =
      EncodePrompts(*setup.tokenizer, spec.data, most, &problems_, &lengths);
  if (!ids.ok()) return ids.error();
  prompts_ = std::move(*ids);
  const auto& note = run_->env().note;
  if (!note) return {};
  if (lengths.dropped + lengths.cut > 0) {
    note(StrCat(lengths.dropped + lengths.cut, " of ", read, " prompts have more than ", most,
                " tokens and are ", lengths.dropped > 0 ? "left out" : "cut at their left",
                "; the first is '", lengths.first, "'"));
  }
  if (const std::string text = UnjudgedNote(spec.reward, problems_, "problems"); !text.empty())
    note(text);
  return {};
}

int64_t RolloutSource::longest_prompt() const {
  size_t longest = 0;
  for (const std::vector<int64_t>& prompt : prompts_) longest = std::max(longest, prompt.size());
  return static_cast<int64_t>(longest);
}

RolloutSource::~RolloutSource() {
  given_up_ = true;
  Settle();
}

size_t RolloutSource::GroupsOfBatch() const {
  const int64_t rows = recipe_.train.per_device_train_batch_size * recipe_.steps_per_generation;
  return static_cast<size_t>(rows / recipe_.num_generations);
}

// With dynamic sampling, groups without variance are put aside and others drawn in their place; what is still missing after the
// last round is filled from those put aside.
Result<Rollouts> RolloutSource::Next() {
  const size_t wanted = GroupsOfBatch();
  c10::NoGradGuard no_grad;
  Rollouts out;
  out.first_draw = out.drawn = run_->at.drawn;
  std::vector<Drawn> batch, aside;
  const int64_t rounds = recipe_.dynamic_sampling ? recipe_.dynamic_sampling_rounds : 1;
  for (int64_t round = 0; round < rounds && batch.size() < wanted; ++round) {
    const size_t count = wanted - batch.size();
    DrawnGroups groups = Draw(out.drawn, count);
    if (!groups.ok()) return groups.error();
    out.drawn += static_cast<int64_t>(count);
    for (Drawn& group : *groups) {
      const bool keep = !recipe_.dynamic_sampling || !ZeroVariance(group.text.score);
      (keep ? batch : aside).push_back(std::move(group));
    }
  }
  out.refused = static_cast<int64_t>(aside.size());
  for (size_t i = 0; i < aside.size() && batch.size() < wanted; ++i)
    batch.push_back(std::move(aside[i]));
  for (Drawn& group : batch) {
    out.batch.groups.push_back(std::move(group.tokens));
    out.groups.push_back(std::move(group.text));
  }
  if (recipe_.train.reward.shuffle) {
    Rng rng(static_cast<uint64_t>(recipe_.train.seed), "shuffled-rewards",
            static_cast<uint64_t>(out.first_draw));
    ShuffleRewards(&rng, &out.batch);
  }
  out.seconds = run_->StepSeconds();
  return out;
}

// --- the weights that sample ------------------------------------------------------------------------------------------

// The weights that sample, in the dtype of the computation; none where another samples.
Result<Model> RolloutSource::Snapshot() const {
  if (!OwnSampler()) return Model{};
  const PolicySetup& setup = run_->setup();
  return CatchTorch("copying the policy", [&]() -> Result<Model> {
    c10::NoGradGuard no_grad;
    const bool shared = setup.policy.lora == nullptr && setup.policy.source == nullptr &&
                        setup.policy.dtype() == setup.compute.dtype;
    // Who learns meanwhile changes its weights in place.
    return recipe_.async_steps > 0 && shared ? PackModel(setup.policy)
                                             : CastModel(setup.policy, setup.compute.dtype);
  });
}

// A server that follows the policy loads the weights of the step at hand, unless it has them.
Status RolloutSource::FollowPolicy() {
  const ServerSpec& server = recipe_.train.server;
  const int64_t step = run_->at.step;
  if (OwnSampler()) sampler_step_ = step;
  if (server.push.empty() || (pushed_ && sampler_step_ == step)) return {};
  const auto push = [&]() -> Status {
    const Result<Model> whole = run_->WholePolicy();
    if (!whole.ok()) return whole.error();
    if (!run_->processes()->first()) return {};
    PolicySetup setup = run_->setup();
    setup.policy = *whole;
    return PushWeights(server, setup, run_->env());
  };
  if (Status s = run_->Together(push()); !s.ok()) return s;
  sampler_step_ = step;
  pushed_ = true;
  return {};
}

Status RolloutSource::Ahead(int64_t drawn) {
  if (Status s = FollowPolicy(); !s.ok()) return s;
  Result<Model> policy = Snapshot();
  if (!policy.ok()) return policy.error();
  std::optional<c10::Event> copied;
  if (OwnSampler() && policy->device().is_cuda()) {
    const auto* guard = c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA);
    if (!stream_) stream_ = guard->getStreamFromGlobalPool(policy->device());
    copied.emplace(c10::DeviceType::CUDA);
    copied->record(guard->getStream(policy->device()));
    copied->block(*stream_);
  }
  const size_t count = GroupsOfBatch();
  auto draw = [this, drawn, count, model = std::move(*policy)] {
    std::optional<c10::StreamGuard> own;
    if (stream_) own.emplace(*stream_);
    return DrawMine(model, drawn, count);
  };
  coming_ = Coming{drawn, count, std::async(std::launch::async, std::move(draw))};
  return {};
}

void RolloutSource::Settle() const {
  if (coming_) coming_->groups.wait();
}

// --- the three ways to come by groups ---------------------------------------------------------------------------------

// Of several processes each draws whole groups of its own and gets those of the others.
RolloutSource::DrawnGroups RolloutSource::Draw(int64_t first_draw, size_t count) {
  const auto draw = [&]() -> DrawnGroups {
    if (coming_ && coming_->first_draw == first_draw && coming_->count == count) {
      DrawnGroups groups = coming_->groups.get();
      coming_.reset();
      return groups;
    }
    Settle();
    coming_.reset();
    if (Status s = FollowPolicy(); !s.ok()) return s.error();
    Result<Model> policy = Snapshot();
    if (!policy.ok()) return policy.error();
    return DrawMine(*policy, first_draw, count);
  };
  DrawnGroups mine = draw();
  return run_->processes()->alone() ? std::move(mine) : Share(std::move(mine), count);
}

RolloutSource::DrawnGroups RolloutSource::DrawMine(const Model& policy, int64_t first_draw,
                                                   size_t count) {
  Draws draws;
  for (size_t i = 0; i < count; ++i) {
    if (!run_->processes()->Owns(static_cast<int64_t>(i))) continue;
    draws.numbers.push_back(first_draw + static_cast<int64_t>(i));
    draws.places.push_back(order_->At(draws.numbers.back()));
  }
  if (!outside_.empty()) return FromFile(draws);
  if (!recipe_.train.server.url.empty()) return FromServer(draws);
  return FromPolicy(policy, draws);
}

// `count` groups of all processes, in the order of their draws.
RolloutSource::DrawnGroups RolloutSource::Share(DrawnGroups mine, size_t count) const {
  if (Status s = run_->Together(mine.ok() ? Status() : mine.error()); !s.ok()) return s.error();
  return CatchTorch("exchanging samples", [&]() -> DrawnGroups {
    Json say = Json::MakeArray();
    for (const Drawn& group : *mine) say.Append(ExchangeForm(group.text, group.tokens));
    const std::vector<std::string> all = run_->processes()->Gather(say.Dump());
    std::vector<Drawn> groups(count);
    for (size_t rank = 0; rank < all.size(); ++rank) {
      const Result<Json> theirs = ParseJson(all[rank]);
      if (!theirs.ok()) return theirs.error();
      size_t at = rank;
      for (const Json& json : *theirs->AsArray()) {
        if (at >= count) break;
        Status read = FromExchangeForm(json, &groups[at].text, &groups[at].tokens);
        if (!read.ok()) return read.error();
        at += all.size();
      }
    }
    return groups;
  });
}

// Groups of the problems at these places, with their prompts as tokens and room for the samples.
std::vector<RolloutSource::Drawn> RolloutSource::Prompts(const std::vector<int64_t>& places) const {
  std::vector<Drawn> groups(places.size());
  for (size_t i = 0; i < places.size(); ++i) {
    groups[i].tokens.prompt = prompts_[places[i]];
    groups[i].tokens.sampled_at = sampler_step_;
    groups[i].tokens.rows.resize(recipe_.num_generations);
    groups[i].text.group.problem = problems_[places[i]];
    Undress(recipe_.train.data, &groups[i].text.group.problem);
    groups[i].text.group.samples.resize(recipe_.num_generations);
  }
  return groups;
}

// Samples the problems and scores each group as soon as its last sample is done, while the others go on.
RolloutSource::DrawnGroups RolloutSource::FromPolicy(const Model& policy, const Draws& draws) {
  std::vector<Drawn> groups = Prompts(draws.places);
  std::vector<GenerateRequest> requests;
  for (size_t i = 0; i < groups.size(); ++i) {
    requests.push_back(
        {groups[i].tokens.prompt,
         SampleSeeds(static_cast<uint64_t>(recipe_.train.seed),
                     static_cast<uint64_t>(draws.numbers[i]), recipe_.num_generations)});
  }
  std::vector<int64_t> missing(groups.size(), recipe_.num_generations);
  std::vector<size_t> tickets(groups.size());
  GenerateOptions options = RolloutOptions(recipe_.train, run_->env());
  options.cancelled = [this] { return GivesUp(); };
  const bool ahead = recipe_.async_steps > 0;
  const std::string name = ahead ? StrCat("policy@", sampler_step_) : "policy";
  options.on_finish = [&](size_t request, size_t index, const Completion& completion) {
    RolloutRow& row = groups[request].tokens.rows[index];
    row.completion = completion.ids;
    row.truncated = completion.finish_reason == "length";
    // Other weights may be learning by now.
    if (ahead) row.sampler_logp = completion.logprobs;
    Sample& sample = groups[request].text.group.samples[index];
    sample.text = completion.text;
    sample.token_ids = completion.ids;  // what is judged by its length is judged in tokens
    sample.finish_reason = completion.finish_reason;
    sample.model = name;
    sample.seed = static_cast<int64_t>(completion.seed);
    if (--missing[request] == 0) tickets[request] = run_->pool().Submit(groups[request].text.group);
  };
  Result<std::vector<std::vector<Completion>>> completions =
      Generate(policy, run_->setup().tokenizer.get(), requests, options);
  // Also when generating failed: the pool is empty again.
  Scores scores = CollectScores();
  if (!completions.ok()) return completions.error();
  if (!scores.ok()) return scores.error();
  TakeScores(tickets, std::move(*scores), &groups);
  return groups;
}

// Has a server sample the problems; each group is scored as soon as it is there, while others are still sampled.
RolloutSource::DrawnGroups RolloutSource::FromServer(const Draws& draws) {
  const PolicySetup& setup = run_->setup();
  const std::vector<int64_t>& places = draws.places;
  std::vector<ServerRequest> requests;
  for (size_t i = 0; i < places.size(); ++i) {
    const uint64_t seed = SampleSeeds(static_cast<uint64_t>(recipe_.train.seed),
                                      static_cast<uint64_t>(draws.numbers[i]), 1)[0];
    requests.push_back(
        {problems_[places[i]], prompts_[places[i]], static_cast<int64_t>(seed >> 33)});
  }
  ServerSampling sampling;
  sampling.params = SamplingOf(recipe_.train);
  sampling.samples = recipe_.num_generations;
  sampling.vocab_size = std::min(setup.policy.config.vocab_size, setup.tokenizer->vocab_size());
  sampling.interrupted = run_->env().interrupted;
  std::vector<Drawn> groups(places.size());
  std::vector<size_t> tickets(places.size());
  // A server that is not told of new weights has those that it was started with.
  const int64_t server_step = sampler_step_;
  const Status fetched = FetchGroups(
      recipe_.train.server, sampling, requests, [&](size_t request, Group group) -> Status {
        Result<Drawn> out = FromOutside(std::move(group));
        if (!out.ok()) return out.error();
        groups[request] = std::move(*out);
        groups[request].tokens.sampled_at = server_step;
        tickets[request] = run_->pool().Submit(groups[request].text.group);
        return {};
      });
  // Also after an error: the pool is empty again.
  Scores scores = CollectScores();
  if (!fetched.ok()) return fetched.error();
  if (!scores.ok()) return scores.error();
  TakeScores(tickets, std::move(*scores), &groups);
  return groups;
}

// Groups that another sampler made, scored here.
RolloutSource::DrawnGroups RolloutSource::FromFile(const Draws& draws) {
  std::vector<Drawn> groups;
  std::vector<size_t> tickets;
  for (int64_t place : draws.places) {
    Result<Drawn> out = FromOutside(outside_[place]);
    if (!out.ok()) return out.error();
    tickets.push_back(run_->pool().Submit(out->text.group));
    groups.push_back(std::move(*out));
  }
  Scores scores = CollectScores();
  if (!scores.ok()) return scores.error();
  TakeScores(tickets, std::move(*scores), &groups);
  return groups;
}

// A group that another sampler made: tokens and log-probs as they came (or our tokenizer's where they did not); no rewards yet.
Result<RolloutSource::Drawn> RolloutSource::FromOutside(Group given) const {
  const PolicySetup& setup = run_->setup();
  Drawn out;
  out.text.group = std::move(given);
  Group& group = out.text.group;
  const std::string& id = group.problem.id;
  if (static_cast<int64_t>(group.samples.size()) < recipe_.num_generations) {
    return Error{ErrorCode::kInput,
                 StrCat("group '", id, "' has ", group.samples.size(),
                        " samples, num_generations is ", recipe_.num_generations),
                 ""};
  }
  group.samples.resize(recipe_.num_generations);
  Result<std::vector<int64_t>> ids = PromptIds(*setup.tokenizer, group.problem);
  if (!ids.ok()) return ids.error();
  out.tokens.prompt = std::move(*ids);
  Undress(recipe_.train.data, &group.problem);
  for (const Sample& sample : group.samples) {
    RolloutRow& row = out.tokens.rows.emplace_back();
    row.completion = sample.token_ids;
    if (row.completion.empty()) {
      row.completion = setup.tokenizer->Encode(sample.text, {.special = false});
      if (!sample.truncated()) row.completion.push_back(setup.eos_id);
    }
    for (int64_t token : row.completion) {
      if (token < 0 || token >= setup.policy.config.vocab_size ||
          token >= setup.tokenizer->vocab_size()) {
        return Error{ErrorCode::kInput,
                     StrCat("group '", id, "': token id ", token, " is not in the vocabulary"),
                     "the samples are of a model with another tokenizer"};
      }
    }
    row.truncated = sample.truncated();
    row.sampler_logp.assign(row.completion.size(), std::nanf(""));
    if (sample.logprobs.size() == row.completion.size())
      row.sampler_logp.assign(sample.logprobs.begin(), sample.logprobs.end());
  }
  return out;
}

// --- rewards ----------------------------------------------------------------------------------------------------------

bool RolloutSource::GivesUp() const { return given_up_ || Interrupted(run_->env()); }

// Does not wait for tests that still run when the run is interrupted: the step is drawn again when it goes on.
RolloutSource::Scores RolloutSource::CollectScores() const {
  std::vector<GroupScore> scores = run_->pool().Collect([this] { return GivesUp(); });
  if (GivesUp()) return Error{ErrorCode::kLimit, "cancelled", ""};
  return scores;
}

// Hands each group the scores that its ticket is for.
void RolloutSource::TakeScores(const std::vector<size_t>& tickets, std::vector<GroupScore> scores,
                               std::vector<Drawn>* groups) const {
  for (size_t i = 0; i < groups->size(); ++i) {
    (*groups)[i].text.score = std::move(scores[tickets[i]]);
    FillRewards(&(*groups)[i]);
  }
}

void RolloutSource::FillRewards(Drawn* drawn) const {
  const int64_t max = recipe_.train.max_completion_length;
  const auto cache = static_cast<int64_t>(
      std::llround(recipe_.train.reward.overlong_share * static_cast<double>(max)));
  for (size_t i = 0; i < drawn->tokens.rows.size(); ++i) {
    SampleScore& score = drawn->text.score.samples[i];
    RolloutRow& row = drawn->tokens.rows[i];
    if (cache > 0 && score.reward) {
      score.reward = *score.reward + SoftOverlongPunishment(
                                         static_cast<int64_t>(row.completion.size()), max, cache);
    }
    row.rewards = RewardsOf(recipe_.aggregation, run_->rubric(), score);
  }
}

}  // namespace assay
