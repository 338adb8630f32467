#include "grpo/grpo_trainer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <filesystem>
#include <optional>

#include "core/hash.h"
#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/text.h"
#include "datagen/store/store.h"
#include "grpo/learn/learner.h"
#include "grpo/model/weights.h"
#include "grpo/rollout/rollout_server.h"
#include "grpo/run/checkpoint.h"
#include "grpo/run/train_data.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;
double Seconds(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

// One problem's samples, as text with their verdicts and as tokens.
struct ScoredGroup {
  Group group;
  GroupScore score;
  RolloutGroup tokens;
};

// What is counted through a run and kept in its checkpoints.
struct Counters {
  int64_t step = 0;               // optimiser steps
  int64_t drawn = 0;              // problems drawn
  double tokens = 0;              // prompt and completion tokens trained on
  int64_t skipped = 0;            // steps that were not finite
  std::deque<double> null_rates;  // of the last ten steps
};

// Where rollouts come from: problems and our own policy (or a server), or groups sampled elsewhere.
struct Source {
  std::vector<Problem> problems;
  std::vector<Group> outside;
  int64_t count() const {
    return static_cast<int64_t>(outside.empty() ? problems.size() : outside.size());
  }
};

// --- generating and scoring -------------------------------------------------------------------------------------------

// What a reward function is: the folded reward, or (normalize_then_sum) each of the rubric's terms.
std::vector<Reward> RewardsOf(const GrpoRecipe& recipe, const SampleScore& score) {
  if (recipe.aggregation == RewardAggregation::kSumThenNormalize || !score.reward) {
    return std::vector<Reward>(
        recipe.aggregation == RewardAggregation::kSumThenNormalize ? 1 : score.verdicts.size(),
        score.reward);
  }
  std::vector<Reward> rewards;
  for (const Verdict& verdict : score.verdicts) {
    const bool said = verdict.outcome == Outcome::kPass || verdict.outcome == Outcome::kFail;
    rewards.push_back(said ? Reward(verdict.score) : Reward());
  }
  return rewards;
}

void FillRewards(const GrpoRecipe& recipe, ScoredGroup* scored) {
  const int64_t max = recipe.train.max_completion_length;
  const auto cache = static_cast<int64_t>(
      std::llround(recipe.train.reward.overlong_share * static_cast<double>(max)));
  for (size_t i = 0; i < scored->tokens.rows.size(); ++i) {
    SampleScore& score = scored->score.samples[i];
    RolloutRow& row = scored->tokens.rows[i];
    if (cache > 0 && score.reward) {
      score.reward = *score.reward + SoftOverlongPunishment(
                                         static_cast<int64_t>(row.completion.size()), max, cache);
    }
    row.rewards = RewardsOf(recipe, score);
  }
}

// True if every scored row has the same reward: no gradient comes from such a group.
bool ZeroVariance(const ScoredGroup& scored) {
  Reward first;
  for (const SampleScore& sample : scored.score.samples) {
    if (!sample.reward) continue;
    if (first && std::abs(*first - *sample.reward) > 1e-8) return false;
    if (!first) first = sample.reward;
  }
  return true;
}

// Hands each group the scores that its ticket is for.
void TakeScores(const GrpoRecipe& recipe, const std::vector<size_t>& tickets,
                std::vector<GroupScore> scores, std::vector<ScoredGroup>* groups) {
  for (size_t i = 0; i < groups->size(); ++i) {
    (*groups)[i].score = std::move(scores[tickets[i]]);
    FillRewards(recipe, &(*groups)[i]);
  }
}

// Samples the problems and scores each group as soon as its last sample is done, while the others go on.
Result<std::vector<ScoredGroup>> GenerateAndScore(const GrpoRecipe& recipe,
                                                  const PolicySetup& setup, const Model& model,
                                                  const std::vector<Problem>& problems,
                                                  int64_t first_draw, RewardPool* pool,
                                                  const TrainEnv& env) {
  std::vector<GenerateRequest> requests;
  std::vector<ScoredGroup> groups(problems.size());
  std::vector<int64_t> missing(problems.size(), recipe.num_generations);
  for (size_t i = 0; i < problems.size(); ++i) {
    Result<std::vector<int64_t>> ids = PromptIds(*setup.tokenizer, problems[i]);
    if (!ids.ok())
      return Error{ids.error().code,
                   StrCat("problem '", problems[i].id, "': ", ids.error().message),
                   ids.error().hint};
    groups[i].tokens.prompt = *ids;
    groups[i].tokens.rows.resize(recipe.num_generations);
    groups[i].group.problem = problems[i];
    groups[i].group.samples.resize(recipe.num_generations);
    requests.push_back({std::move(*ids), SampleSeeds(static_cast<uint64_t>(recipe.train.seed),
                                                     static_cast<uint64_t>(first_draw) + i,
                                                     recipe.num_generations)});
  }
  std::vector<size_t> tickets(problems.size());
  GenerateOptions options = RolloutOptions(recipe.train, env);
  options.on_finish = [&](size_t request, size_t index, const Completion& completion) {
    RolloutRow& row = groups[request].tokens.rows[index];
    row.completion = completion.ids;
    row.truncated = completion.finish_reason == "length";
    Sample& sample = groups[request].group.samples[index];
    sample.text = completion.text;
    sample.finish_reason = completion.finish_reason;
    sample.model = "policy";
    sample.seed = static_cast<int64_t>(completion.seed);
    if (--missing[request] == 0) tickets[request] = pool->Submit(groups[request].group);
  };
  Result<std::vector<std::vector<Completion>>> completions =
      Generate(model, setup.tokenizer.get(), requests, options);
  std::vector<GroupScore> scores =
      pool->Collect();  // also when generating failed: the pool is empty again
  if (!completions.ok()) return completions.error();
  TakeScores(recipe, tickets, std::move(scores), &groups);
  return groups;
}

// A group that another sampler made: tokens and log-probs as they came (or our tokenizer's where they did not); no rewards yet.
Result<ScoredGroup> OutsideGroup(const GrpoRecipe& recipe, const PolicySetup& setup, Group group) {
  ScoredGroup out;
  out.group = std::move(group);
  const std::string& id = out.group.problem.id;
  if (static_cast<int64_t>(out.group.samples.size()) < recipe.num_generations) {
    return Error{ErrorCode::kInput,
                 StrCat("group '", id, "' has ", out.group.samples.size(),
                        " samples, num_generations is ", recipe.num_generations),
                 ""};
  }
  out.group.samples.resize(recipe.num_generations);
  Result<std::vector<int64_t>> ids = PromptIds(*setup.tokenizer, out.group.problem);
  if (!ids.ok()) return ids.error();
  out.tokens.prompt = std::move(*ids);
  for (const Sample& sample : out.group.samples) {
    RolloutRow& row = out.tokens.rows.emplace_back();
    row.completion = sample.token_ids;
    if (row.completion.empty()) {
      row.completion = setup.tokenizer->Encode(sample.text, {.special = false});
      if (!sample.truncated()) row.completion.push_back(setup.eos_id);
    }
    for (int64_t token : row.completion) {
      if (token < 0 || token >= setup.policy.config.vocab_size) {
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

// Groups that another sampler made, scored here.
Result<std::vector<ScoredGroup>> TakeOutside(const GrpoRecipe& recipe, const PolicySetup& setup,
                                             const std::vector<const Group*>& given,
                                             RewardPool* pool) {
  std::vector<ScoredGroup> groups;
  std::vector<size_t> tickets;
  for (const Group* group : given) {
    Result<ScoredGroup> out = OutsideGroup(recipe, setup, *group);
    if (!out.ok()) return out.error();
    tickets.push_back(pool->Submit(out->group));
    groups.push_back(std::move(*out));
  }
  TakeScores(recipe, tickets, pool->Collect(), &groups);
  return groups;
}
// Has a server sample the problems; each group is scored as soon as it is there, while others are still sampled.
Result<std::vector<ScoredGroup>> TakeFromServer(const GrpoRecipe& recipe, const PolicySetup& setup,
                                                const std::vector<Problem>& problems,
                                                int64_t first_draw, RewardPool* pool,
                                                const TrainEnv& env) {
  std::vector<ServerRequest> requests;
  for (size_t i = 0; i < problems.size(); ++i) {
    Result<std::vector<int64_t>> ids = PromptIds(*setup.tokenizer, problems[i]);
    if (!ids.ok()) return ids.error();
    const uint64_t seed = SampleSeeds(static_cast<uint64_t>(recipe.train.seed),
                                      static_cast<uint64_t>(first_draw) + i, 1)[0];
    requests.push_back({problems[i], std::move(*ids), static_cast<int64_t>(seed >> 33)});
  }
  ServerSampling sampling;
  sampling.samples = recipe.num_generations;
  sampling.vocab_size = setup.policy.config.vocab_size;
  sampling.interrupted = env.interrupted;
  std::vector<ScoredGroup> groups(problems.size());
  std::vector<size_t> tickets(problems.size());
  Status fetched =
      FetchGroups(recipe.train, sampling, requests, [&](size_t request, Group group) -> Status {
        Result<ScoredGroup> out = OutsideGroup(recipe, setup, std::move(group));
        if (!out.ok()) return out.error();
        groups[request] = std::move(*out);
        tickets[request] = pool->Submit(groups[request].group);
        return {};
      });
  std::vector<GroupScore> scores = pool->Collect();  // also after an error: the pool is empty again
  if (!fetched.ok()) return fetched.error();
  TakeScores(recipe, tickets, std::move(scores), &groups);
  return groups;
}

// One generation batch. With dynamic sampling, groups without variance are put aside and others drawn in their place; what is
// still missing after the last round is filled from those put aside.
Result<std::vector<ScoredGroup>> NextGroups(const GrpoRecipe& recipe, const PolicySetup& setup,
                                            const Source& source, DrawOrder* order,
                                            RewardPool* pool, const TrainEnv& env, int64_t* drawn,
                                            int64_t* refused) {
  const int64_t rows = recipe.train.per_device_train_batch_size * recipe.steps_per_generation;
  const size_t wanted = static_cast<size_t>(rows / recipe.num_generations);
  c10::NoGradGuard no_grad;
  // Our own sampler's weights; none where another samples.
  const bool own = source.outside.empty() && recipe.train.server.url.empty();
  const Model model = own ? CastModel(setup.policy, setup.compute.dtype) : Model{};
  std::vector<ScoredGroup> batch, aside;
  const int64_t rounds = recipe.dynamic_sampling ? recipe.dynamic_sampling_rounds : 1;
  for (int64_t round = 0; round < rounds && batch.size() < wanted; ++round) {
    const size_t count = wanted - batch.size();
    std::vector<Problem> problems;
    std::vector<const Group*> outside;
    for (size_t i = 0; i < count; ++i) {
      const int64_t at = order->At(*drawn + static_cast<int64_t>(i));
      if (source.outside.empty())
        problems.push_back(source.problems[at]);
      else
        outside.push_back(&source.outside[at]);
    }
    Result<std::vector<ScoredGroup>> groups =
        !source.outside.empty() ? TakeOutside(recipe, setup, outside, pool)
        : !recipe.train.server.url.empty()
            ? TakeFromServer(recipe, setup, problems, *drawn, pool, env)
            : GenerateAndScore(recipe, setup, model, problems, *drawn, pool, env);
    if (!groups.ok()) return groups.error();
    *drawn += static_cast<int64_t>(count);
    for (ScoredGroup& group : *groups) {
      const bool keep = !recipe.dynamic_sampling || !ZeroVariance(group);
      (keep ? batch : aside).push_back(std::move(group));
    }
  }
  *refused = static_cast<int64_t>(aside.size());
  for (size_t i = 0; i < aside.size() && batch.size() < wanted; ++i)
    batch.push_back(std::move(aside[i]));
  return batch;
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

// --- what is logged ---------------------------------------------------------------------------------------------------

void AddLengths(const GenerationBatch& batch, NamedValues* values) {
  double sum = 0, least = INFINITY, most = 0, rows = 0, cut = 0;
  double ended_sum = 0, ended_least = INFINITY, ended_most = 0;
  for (const RolloutGroup& group : batch.groups) {
    for (const RolloutRow& row : group.rows) {
      const auto length = static_cast<double>(row.completion.size());
      rows += 1, sum += length, least = std::min(least, length), most = std::max(most, length);
      cut += row.truncated;
      if (row.truncated) continue;
      ended_sum += length, ended_least = std::min(ended_least, length),
                           ended_most = std::max(ended_most, length);
    }
  }
  const double ended = rows - cut;
  values->emplace_back("completions/mean_length", sum / rows);
  values->emplace_back("completions/min_length", least);
  values->emplace_back("completions/max_length", most);
  values->emplace_back("completions/clipped_ratio", cut / rows);
  values->emplace_back("completions/mean_terminated_length", ended > 0 ? ended_sum / ended : 0);
  values->emplace_back("completions/min_terminated_length", ended > 0 ? ended_least : 0);
  values->emplace_back("completions/max_terminated_length", ended_most);
}

// rewards/<term>/{mean,std}: each verifier's own score.
void AddTermStats(const std::vector<ScoredGroup>& groups, NamedValues* values) {
  if (groups.empty()) return;
  const std::vector<std::string>& labels = groups[0].score.labels;
  for (size_t k = 0; k < labels.size(); ++k) {
    std::vector<Reward> column;
    for (const ScoredGroup& group : groups) {
      for (const SampleScore& sample : group.score.samples) {
        if (k >= sample.verdicts.size()) continue;
        const Outcome outcome = sample.verdicts[k].outcome;
        column.push_back(outcome == Outcome::kPass || outcome == Outcome::kFail
                             ? Reward(sample.verdicts[k].score)
                             : Reward());
      }
    }
    const RewardStats stats = StatsOf(column);
    values->emplace_back(StrCat("rewards/", labels[k], "/mean"), stats.mean);
    values->emplace_back(StrCat("rewards/", labels[k], "/std"), stats.std);
  }
}

double CountTokens(const GenerationBatch& batch) {
  double tokens = 0;
  for (const RolloutGroup& group : batch.groups) {
    for (const RolloutRow& row : group.rows)
      tokens += static_cast<double>(group.prompt.size() + row.completion.size());
  }
  return tokens;
}

Json StateJson(const Counters& at, int64_t metrics_bytes) {
  Json state = Json::MakeObject();
  state.Set("step", at.step)
      .Set("drawn", at.drawn)
      .Set("tokens", at.tokens)
      .Set("skipped", at.skipped);
  Json rates = Json::MakeArray();
  for (double rate : at.null_rates) rates.Append(rate);
  state.Set("null_rates", rates).Set("metrics_bytes", metrics_bytes);
  return state;
}

Counters CountersOf(const Json& state) {
  Counters at;
  at.step = state.IntOr("step", 0);
  at.drawn = state.IntOr("drawn", 0);
  at.tokens = state.DoubleOr("tokens", 0);
  at.skipped = state.IntOr("skipped", 0);
  if (const Json* rates = state.Find("null_rates"); rates != nullptr && rates->IsArray()) {
    for (const Json& rate : *rates->AsArray()) at.null_rates.push_back(rate.NumberOr(0));
  }
  return at;
}

// The batch that could not be learned from, for people: DIR/nonfinite_batch.jsonl.
Status DumpBatch(const std::string& folder, const std::vector<ScoredGroup>& groups,
                 const GenerationBatch& batch) {
  std::string text;
  for (size_t g = 0; g < groups.size(); ++g) {
    Json line = GroupToJson(groups[g].group);
    Json rewards = Json::MakeArray(), advantages = Json::MakeArray(), ids = Json::MakeArray();
    for (const RolloutRow& row : batch.groups[g].rows) {
      rewards.Append(row.reward ? Json(*row.reward) : Json());
      advantages.Append(row.advantage.value);
      Json tokens = Json::MakeArray();
      for (int64_t id : row.completion) tokens.Append(id);
      ids.Append(tokens);
    }
    line.Set("rewards", rewards).Set("advantages", advantages).Set("completion_ids", ids);
    text += line.Dump() + "\n";
  }
  return WriteFileAtomic((std::filesystem::path(folder) / "nonfinite_batch.jsonl").string(), text);
}

// Every sample with its verdicts, reward and advantage into DIR/samples.sqlite; replayed steps of a resumed run are there already.
class SampleLog {
 public:
  static Result<std::unique_ptr<SampleLog>> Open(const std::string& folder,
                                                 const RubricSpec& rubric, const TrainEnv& env) {
    std::unique_ptr<SampleLog> log(new SampleLog);
    Result<std::unique_ptr<Store>> store =
        Store::Open((std::filesystem::path(folder) / "samples.sqlite").string(), OpenMode::kCreate);
    if (!store.ok()) return store.error();
    log->store_ = std::move(*store);
    RunInfo info;
    info.name = "train";
    info.rubric_json = rubric.ToJson().Dump();
    info.config_hash = HashBytes128(info.rubric_json).Hex();
    info.tool_version = env.tool_version;
    Result<RunId> run = log->store_->BeginRun(info, /*resume=*/true);
    if (!run.ok()) return run.error();
    log->run_ = *run;
    return log;
  }
  Status Add(int64_t batch, const std::vector<ScoredGroup>& groups,
             const GenerationBatch& learned) {
    for (size_t g = 0; g < groups.size(); ++g) {
      RowKey key{StrCat("batch-", batch), static_cast<int64_t>(g) + 1,
                 HashBytes128(groups[g].group.problem.id)};
      GroupScore score = groups[g].score;
      for (size_t i = 0; i < score.samples.size(); ++i)
        score.samples[i].advantage = learned.groups[g].rows[i].advantage;
      if (Status status = store_->AddGroup(run_, key, groups[g].group, score, /*with_times=*/false);
          !status.ok())
        return status;
    }
    return store_->Commit();
  }

 private:
  SampleLog() = default;
  std::unique_ptr<Store> store_;
  RunId run_ = 0;
};

}  // namespace

Result<TrainSummary> RunGrpo(const GrpoRecipe& recipe, const TrainEnv& env) {
  const TrainSpec& spec = recipe.train;
  // --- set up: folder, policy, data, rewards, learner, and where a resumed run goes on
  Result<std::string> checkpoint = OpenRunFolder(env, recipe.json);
  if (!checkpoint.ok()) return checkpoint.error();
  Result<PolicySetup> setup = SetUpPolicy(spec);
  if (!setup.ok()) return setup.error();
  Source source;
  if (!spec.data.rollouts.empty()) {
    Result<std::vector<Group>> groups = LoadGroups(spec.data.rollouts, spec.data);
    if (!groups.ok()) return groups.error();
    source.outside = std::move(*groups);
  } else {
    Result<std::vector<Problem>> problems = LoadProblems(spec.data.train, spec.data);
    if (!problems.ok()) return problems.error();
    source.problems = std::move(*problems);
  }
  if (source.count() == 0) return Error{ErrorCode::kInput, "there is nothing to train on", ""};
  std::vector<Problem> held_out;
  if (spec.eval.steps > 0) {
    Result<std::vector<Problem>> problems =
        LoadProblems(spec.data.eval, spec.data, spec.eval.limit);
    if (!problems.ok()) return problems.error();
    held_out = std::move(*problems);
  }
  Result<std::shared_ptr<const Rubric>> rubric = SetUpRubric(spec.reward, env.verifiers);
  if (!rubric.ok()) return rubric.error();
  RewardPool pool(*rubric, PoolOptions(spec.reward));
  std::vector<double> weights;
  if (recipe.aggregation == RewardAggregation::kNormalizeThenSum) {
    for (const RubricTerm& term : (*rubric)->spec().terms) weights.push_back(term.weight);
  }
  GrpoLearner learner(&setup->policy, recipe, setup->compute);
  const int64_t ga = spec.gradient_accumulation_steps;
  const int64_t groups_per_batch =
      spec.per_device_train_batch_size * recipe.steps_per_generation / recipe.num_generations;
  const double steps_per_batch =
      static_cast<double>(recipe.steps_per_generation * recipe.num_iterations) /
      static_cast<double>(ga);
  const int64_t total =
      spec.max_steps > 0
          ? spec.max_steps
          : std::max<int64_t>(
                1, static_cast<int64_t>(std::ceil(spec.num_train_epochs * source.count() /
                                                  groups_per_batch * steps_per_batch)));
  const Schedule schedule = MakeSchedule(spec.optim, total);
  Counters at;
  int64_t metrics_bytes = -1;
  if (!checkpoint->empty()) {
    Result<Json> state =
        LoadCheckpoint(*checkpoint, &setup->policy, learner.optimizer(), learner.reference());
    if (!state.ok()) return state.error();
    at = CountersOf(*state);
    metrics_bytes = state->IntOr("metrics_bytes", -1);
    if (env.note) env.note(StrCat("going on from step ", at.step));
  }
  Result<std::unique_ptr<RunLog>> opened =
      RunLog::Open({env.out, metrics_bytes, at.step, total, "grpo", env.progress});
  if (!opened.ok()) return opened.error();
  RunLog& log = **opened;
  std::unique_ptr<SampleLog> samples;
  if (recipe.log_completions) {
    Result<std::unique_ptr<SampleLog>> made = SampleLog::Open(env.out, (*rubric)->spec(), env);
    if (!made.ok()) return made.error();
    samples = std::move(*made);
  }
  DrawOrder order(static_cast<uint64_t>(spec.seed), source.count(), spec.shuffle_dataset);

  TrainSummary summary;
  summary.stopped_by = "steps";
  const auto save = [&](const Counters& now) -> Status {
    Result<int64_t> bytes = log.SyncedBytes();
    if (!bytes.ok()) return bytes.error();
    return SaveCheckpoint(env.out, now.step, StateJson(now, *bytes), setup->policy,
                          *learner.optimizer(), learner.reference(), setup->tokenizer.get(),
                          spec.save_total_limit);
  };
  const auto evaluate = [&]() -> Status {
    Result<NamedValues> values = Evaluate(*setup, spec, held_out, &pool, env);
    if (!values.ok()) return values.error();
    summary.last_eval = *values;
    if (env.note)
      env.note(StrCat("step ", at.step, ": held-out pass@1 ",
                      FixedDigits(100 * ValueOf(*values, "eval/pass@1", 0), 1), " %"));
    return log.Write(at.step, *values);
  };
  if (spec.eval.steps > 0 && at.step == 0 && spec.eval.at_start) {
    if (Status status = evaluate(); !status.ok()) return status.error();
  }

  // --- the loop: generate and score -> advantages -> old and reference log-probs -> micro-batches -> mu iterations
  const Clock::time_point begun = Clock::now();
  Clock::time_point step_started = begun;
  int64_t accumulated = 0, skipped_in_row = 0, saved_at = at.step, evaluated_at = at.step;
  int64_t batch_number = at.drawn;
  while (at.step < total) {
    const Counters boundary =
        at;  // nothing of this batch is done yet: where an interrupted run goes on
    if (Interrupted(env)) {
      summary.interrupted = true;
    } else if (spec.max_seconds > 0 && Seconds(begun) > spec.max_seconds && accumulated == 0) {
      summary.stopped_by = "max_seconds";
      break;
    }
    std::vector<ScoredGroup> scored;
    int64_t refused = 0;
    if (!summary.interrupted) {
      Result<std::vector<ScoredGroup>> groups =
          NextGroups(recipe, *setup, source, &order, &pool, env, &at.drawn, &refused);
      if (groups.ok())
        scored = std::move(*groups);
      else if (Interrupted(env))
        summary.interrupted = true;
      else
        return groups.error();
    }
    if (summary.interrupted) {
      at = boundary;
      summary.stopped_by = "interrupt";
      break;
    }
    const double generation_s = Seconds(step_started);
    GenerationBatch batch;
    for (ScoredGroup& group : scored) batch.groups.push_back(group.tokens);
    if (spec.reward.shuffle) {
      Rng rng(static_cast<uint64_t>(spec.seed), "shuffled-rewards",
              static_cast<uint64_t>(boundary.drawn));
      ShuffleRewards(&rng, &batch);
    }
    if (Status status = learner.AssignAdvantages(&batch, weights); !status.ok())
      return status.error();
    if (Status status = learner.ScoreOldAndReference(&batch); !status.ok()) return status.error();
    if (samples != nullptr) {
      if (Status status = samples->Add(batch_number, scored, batch); !status.ok())
        return status.error();
    }
    batch_number = at.drawn;
    const double batch_tokens = CountTokens(batch);

    for (int64_t iteration = 0; iteration < recipe.num_iterations; ++iteration) {
      Rng rng(static_cast<uint64_t>(spec.seed), "rows",
              static_cast<uint64_t>(boundary.drawn) * 64 + iteration);
      for (const MicroBatch& micro : learner.Plan(batch, &rng)) {
        if (Status status = learner.Accumulate(batch, micro); !status.ok()) return status.error();
        if (++accumulated % ga != 0) continue;
        const double learning_rate = LearningRateAt(schedule, at.step);
        Result<StepOutcome> outcome = learner.Step(learning_rate);
        if (!outcome.ok()) return outcome.error();
        accumulated = 0;
        ++at.step;
        at.tokens += batch_tokens / std::max(1.0, steps_per_batch);
        at.skipped += outcome->skipped;
        skipped_in_row = outcome->skipped ? skipped_in_row + 1 : 0;
        at.null_rates.push_back(batch.null_rate);
        if (at.null_rates.size() > 10) at.null_rates.pop_front();
        learner.MaybeSyncReference(at.step);

        NamedValues values = {{"epoch", static_cast<double>(at.drawn) / source.count()},
                              {"loss", outcome->loss},
                              {"grad_norm", outcome->grad_norm},
                              {"learning_rate", learning_rate},
                              {"num_tokens", at.tokens},
                              {"reward", batch.stats.reward.mean},
                              {"reward_std", batch.stats.reward.std},
                              {"frac_reward_zero_std", batch.stats.frac_reward_zero_std},
                              {"null_rate", batch.null_rate}};
        AddTermStats(scored, &values);
        AddLengths(batch, &values);
        values.insert(values.end(), outcome->metrics.begin(), outcome->metrics.end());
        if (recipe.dynamic_sampling)
          values.emplace_back("dynamic_sampling/refused_groups", refused);
        const double step_s = Seconds(step_started);
        values.insert(values.end(), {{"skipped_steps", static_cast<double>(at.skipped)},
                                     {"generation_time", generation_s},
                                     {"step_time", step_s},
                                     {"tokens_per_second", batch_tokens / std::max(1e-9, step_s)}});
        if (at.step % spec.logging_steps == 0 || at.step == total || outcome->skipped) {
          if (Status status = log.Write(at.step, values); !status.ok()) return status.error();
        }
        log.Show(at.step,
                 StrCat("reward ", FixedDigits(batch.stats.reward.mean, 3), ", length ",
                        FixedDigits(ValueOf(values, "completions/mean_length", 0), 1), ", kl ",
                        FixedDigits(ValueOf(values, "kl", 0), 4), ", ",
                        WithThousands(static_cast<int64_t>(batch_tokens / std::max(1e-9, step_s))),
                        " tokens/s"));
        step_started = Clock::now();
        if (skipped_in_row == 3) {
          if (Status status = DumpBatch(env.out, scored, batch); !status.ok())
            return status.error();
          return Error{ErrorCode::kLimit,
                       StrCat("three steps in a row were not finite (step ", at.step,
                              "); the batch is in '", env.out, "/nonfinite_batch.jsonl'"),
                       "lower learning_rate"};
        }
        double null_sum = 0;
        for (double rate : at.null_rates) null_sum += rate;
        if (at.null_rates.size() == 10 && null_sum / 10 > recipe.null_rate_stop) {
          return Error{ErrorCode::kLimit,
                       StrCat("null_rate is ", FixedDigits(10 * null_sum, 1),
                              " % over the last 10 steps: too many samples could not be scored"),
                       "look at the faults with log_completions = true, or raise null_rate_stop"};
        }
        if (at.step == total) break;
      }
      if (at.step == total) break;
    }

    // --- between batches, when no gradient is pending: evaluate, save
    if (accumulated != 0) continue;
    if (spec.eval.steps > 0 &&
        (at.step / spec.eval.steps > evaluated_at / spec.eval.steps || at.step == total)) {
      evaluated_at = at.step;
      Status status = evaluate();
      if (!status.ok() && !Interrupted(env)) return status.error();
      if (spec.eval.stop_at > 0 &&
          ValueOf(summary.last_eval, "eval/pass@1", 0) >= spec.eval.stop_at) {
        summary.stopped_by = "eval.stop_at";
        break;
      }
      step_started = Clock::now();
    }
    if (spec.save_steps > 0 && at.step < total &&
        at.step / spec.save_steps > saved_at / spec.save_steps) {
      saved_at = at.step;
      if (Status status = save(at); !status.ok()) return status.error();
    }
  }
  // --- the end: a checkpoint to go on from, and the model
  if (accumulated == 0) {
    if (Status status = save(at); !status.ok()) return status.error();
  }
  if (!summary.interrupted) {
    const std::string folder = (std::filesystem::path(env.out) / "model").string();
    if (Status status = SaveModel(setup->policy, setup->tokenizer.get(), folder); !status.ok())
      return status.error();
  }
  if (Status status = log.Close(); !status.ok()) return status.error();
  summary.steps = at.step;
  return summary;
}

}  // namespace assay
