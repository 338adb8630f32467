#include "grpo/grpo_trainer.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/rng.h"
#include "grpo/learn/learner.h"
#include "grpo/run/grpo_report.h"
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

}  // namespace

Result<TrainSummary> RunGrpo(const GrpoRecipe& recipe, const TrainEnv& env) {
  const TrainSpec& spec = recipe.train;
  TrainingRun run(spec, env);
  if (Status s = run.Open(recipe.json); !s.ok()) return s.error();
  RolloutSource source(recipe, &run);
  if (Status s = source.Load(); !s.ok()) return s.error();
  if (Status s = run.SetUpRewards(); !s.ok()) return s.error();
  const std::vector<double> weights = RewardWeights(recipe, run.rubric());
  GrpoLearner learner(&run.setup().policy, recipe, run.setup().compute);
  GrpoReport report(recipe, &run, source.count());
  if (Status s = report.Open(); !s.ok()) return s.error();
  const int64_t total = TotalSteps(recipe, source.count());
  if (Status s = run.Begin("grpo", total, learner.optimizer(), learner.reference()); !s.ok())
    return s.error();

  int64_t pending = 0;  // micro-batches whose gradient waits for its step
  while (run.GoesOn(pending > 0)) {
    // Generate and score.
    Result<Rollouts> rollouts = source.Next();
    if (!rollouts.ok() && run.interrupted()) continue;
    if (!rollouts.ok()) return rollouts.error();
    run.at.drawn = rollouts->drawn;
    GenerationBatch& batch = rollouts->batch;
    // Advantages, then log-probs of the policy that sampled and of the reference.
    if (Status s = learner.AssignAdvantages(&batch, weights); !s.ok()) return s.error();
    if (Status s = learner.ScoreOldAndReference(&batch); !s.ok()) return s.error();
    if (Status s = report.Batch(*rollouts); !s.ok()) return s.error();
    const double step_tokens = CountTokens(batch) / std::max(1.0, StepsPerBatch(recipe));
    // Micro-batches, num_iterations times over the batch, and a step whenever enough of them have added up.
    for (int64_t iteration = 0; iteration < recipe.num_iterations && !run.done(); ++iteration) {
      Rng rng = RowOrder(spec, *rollouts, iteration);
      for (const MicroBatch& micro : learner.Plan(batch, &rng)) {
        if (run.done()) break;
        if (Status s = learner.Accumulate(batch, micro); !s.ok()) return s.error();
        if (++pending < spec.gradient_accumulation_steps) continue;
        pending = 0;
        const double learning_rate = run.LearningRate();
        Result<StepOutcome> outcome = learner.Step(learning_rate);
        if (!outcome.ok()) return outcome.error();
        run.CountStep(*outcome, step_tokens);
        learner.MaybeSyncReference(run.at.step);
        if (Status s = report.Step(*rollouts, *outcome, learning_rate); !s.ok()) return s.error();
      }
    }
    if (pending > 0) continue;
    if (Status s = run.BetweenSteps(); !s.ok()) return s.error();
  }
  return run.Finish(pending > 0);
}

}  // namespace assay
