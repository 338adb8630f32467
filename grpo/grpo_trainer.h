// GRPO from a recipe to a model folder: one loop, in grpo_trainer.cc. Writes DIR/recipe.json, metrics.jsonl, tensorboard/,
// checkpoint-*/, samples.sqlite (log_completions) and, at the end, DIR/model. Rewards are computed on threads of their own while
// generation goes on; everything else is one thread.
#pragma once

#include "core/result.h"
#include "grpo/config/recipe.h"
#include "grpo/run/run_setup.h"

namespace assay {

// Errors: what the recipe or its files lack (kUsage, kInput), kIo, kUnavailable, kLimit (three steps in a row not finite; more
// rows without a reward than null_rate_stop over ten steps).
Result<TrainSummary> RunGrpo(const GrpoRecipe& recipe, const TrainEnv& env);

}  // namespace assay
