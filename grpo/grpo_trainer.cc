#include "grpo/grpo_trainer.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/rng.h"
#include "grpo/learn/learner.h"
#include "grpo/model/shards.h"
#include "grpo/run/grpo_report.h"
#include "grpo/run/memory_plan.h"
#include "grpo/run/rollout_source.h"
#include "grpo/run/training_run.h"

namespace assay {
namespace {

// Optimiser steps that one generation batch is good for.
double StepsPerBatch(const GrpoRecipe& recipe) {
  return static_cast<double>(recipe.steps_per_generation * recipe.num_iterations) /
         static_cast<double>(recipe.train.gradient_accumulation_steps);
}

int64_t TotalSteps(const GrpoRecipe& recipe, int64_t problems) {
  const TrainSpec& spec = recipe.train;
  if (spec.max_steps > 0) return spec.max_steps;
  const int64_t groups_per_batch =
      spec.per_device_train_batch_size * recipe.steps_per_generation / recipe.num_generations;
  return std::max<int64_t>(
      1, static_cast<int64_t>(std::ceil(spec.num_train_epochs * problems / groups_per_batch *
                                        StepsPerBatch(recipe))));
}

// One weight a reward function: the rubric's terms where each is normalised by itself.
std::vector<double> RewardWeights(const GrpoRecipe& recipe, const RubricSpec& rubric) {
  std::vector<double> weights;
  if (recipe.aggregation == RewardAggregation::kNormalizeThenSum) {
    for (const RubricTerm& term : rubric.terms) weights.push_back(term.weight);
  }
  return weights;
}

// The order of the batch's rows in iteration `iteration` over it.
Rng RowOrder(const TrainSpec& spec, const Rollouts& rollouts, int64_t iteration) {
  return {static_cast<uint64_t>(spec.seed), "rows",
          static_cast<uint64_t>(rollouts.first_draw) * 64 + iteration};
}

// Micro-batches are counted over all processes: so many do what one would do with so many times the accumulation steps.
GrpoRecipe OfAllProcesses(GrpoRecipe recipe, int64_t processes) {
  recipe.train.gradient_accumulation_steps *= processes;
  recipe.steps_per_generation *= processes;
  return recipe;
}

// What the loop works with; all of it outlives the loop.
struct Parts {
  TrainingRun* run;
  RolloutSource* source;
  GrpoLearner* learner;
  GrpoReport* report;
  std::vector<double> weights;  // of the reward functions
};

// Micro-batches of one iteration over the batch, and a step whenever enough of them have added up. `pending`: micro-batches whose
// gradient waits for its step.
Status UseBatch(const GrpoRecipe& recipe, const Parts& parts, const Rollouts& rollouts,
                const std::vector<MicroBatch>& plan, int64_t* pending) {
  TrainingRun& run = *parts.run;
  const double step_tokens = CountTokens(rollouts.batch) / std::max(1.0, StepsPerBatch(recipe));
  Status accumulated;
  for (size_t i = 0; i < plan.size(); ++i) {
    if (run.done()) break;
    // Of several processes each takes its share of a step's micro-batches.
    if (accumulated.ok() && run.processes()->Owns(static_cast<int64_t>(i)))
      accumulated = parts.learner->Accumulate(rollouts.batch, plan[i]);
    // Where weights are shared out nobody gets on without this process: what failed cannot wait for the step.
    if ((run.processes()->alone() || ShardsOf(run.setup().policy) != nullptr) && !accumulated.ok())
      return accumulated;
    if (++*pending < recipe.train.gradient_accumulation_steps) continue;
    *pending = 0;
    if (Status s = run.Together(accumulated); !s.ok()) return s;
    const double learning_rate = run.LearningRate();
    Result<StepOutcome> outcome = parts.learner->Step(learning_rate);
    if (!outcome.ok()) return outcome.error();
    run.CountStep(*outcome, step_tokens);
    parts.learner->MaybeSyncReference(run.at.step);
    if (Status s = parts.report->Step(rollouts, *outcome, learning_rate); !s.ok()) return s;
  }
  return {};
}

// With async_steps the next batch is sampled while this one is learned from, unless this one is the last.
Status SampleAhead(const GrpoRecipe& recipe, const Parts& parts, const Rollouts& rollouts,
                   int64_t pending) {
  if (recipe.async_steps == 0) return {};
  const int64_t uses = recipe.steps_per_generation * recipe.num_iterations;
  const int64_t steps = (pending + uses) / recipe.train.gradient_accumulation_steps;
  if (parts.run->steps_left() <= steps) return {};
  return parts.run->Together(parts.source->Ahead(rollouts.drawn));
}

Status Train(const GrpoRecipe& recipe, const Parts& parts) {
  TrainingRun& run = *parts.run;
  int64_t pending = 0;
  while (run.GoesOn(pending > 0)) {
    // Generate and score.
    Result<Rollouts> rollouts = parts.source->Next();
    if (!rollouts.ok() && run.interrupted()) continue;
    if (!rollouts.ok()) return rollouts.error();
    run.at.drawn = rollouts->drawn;
    if (Status s = SampleAhead(recipe, parts, *rollouts, pending); !s.ok()) return s;
    GenerationBatch& batch = rollouts->batch;
    // Advantages, then log-probs of the policy that sampled and of the reference.
    if (Status s = parts.learner->AssignAdvantages(&batch, parts.weights); !s.ok()) return s;
    if (Status s = parts.learner->ScoreOldAndReference(&batch); !s.ok()) return s;
    if (Status s = parts.report->Batch(*rollouts); !s.ok()) return s;
    // num_iterations times over the batch.
    for (int64_t iteration = 0; iteration < recipe.num_iterations && !run.done(); ++iteration) {
      Rng rng = RowOrder(recipe.train, *rollouts, iteration);
      const std::vector<MicroBatch> plan = parts.learner->Plan(batch, &rng);
      if (Status s = UseBatch(recipe, parts, *rollouts, plan, &pending); !s.ok()) return s;
    }
    // What comes between steps samples and scores too.
    parts.source->Settle();
    if (pending > 0) continue;
    if (Status s = run.BetweenSteps(); !s.ok()) return s;
  }
  return {};
}

}  // namespace

Result<TrainSummary> RunGrpo(const GrpoRecipe& given, const TrainEnv& env) {
  TrainingRun run(given.train, env);
  if (Status s = run.Join(); !s.ok()) return s.error();
  const GrpoRecipe recipe = OfAllProcesses(given, run.processes()->count());
  if (Status s = run.Together(run.Open(recipe.json)); !s.ok()) return s.error();
  RolloutSource source(recipe, &run);
  if (Status s = run.Together(source.Load()); !s.ok()) return s.error();
  // Sampling and learning rotate by the same frequencies, however long the rows of a batch are.
  run.setup().policy.config.rope.least_length =
      source.longest_prompt() + recipe.train.max_completion_length;
  // Of one process.
  const MemoryPlan plan = PlanMemory(run.setup().policy.config, given, source.longest_prompt(),
                                     run.processes()->count());
  if (Status s = run.Together(run.CheckFits(plan)); !s.ok()) return s.error();
  if (Status s = run.Together(run.SetUpRewards()); !s.ok()) return s.error();
  GrpoLearner learner(&run.setup().policy, recipe, run.setup().compute, nullptr, run.processes());
  GrpoReport report(recipe, &run, source.count());
  if (Status s = report.Open(); !s.ok()) return s.error();
  const int64_t total = TotalSteps(recipe, source.count());
  if (Status s = run.Begin("grpo", total, learner.optimizer(), learner.reference()); !s.ok())
    return s.error();
  const Parts parts = {&run, &source, &learner, &report, RewardWeights(recipe, run.rubric())};
  if (Status s = Train(recipe, parts); !s.ok()) return run.GiveUp(s.error());
  if (!run.interrupted()) {
    if (Status s = report.Finish(); !s.ok()) return s.error();
  }
  return run.Finish();
}

}  // namespace assay
