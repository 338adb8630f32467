// Supervised fine-tuning from a recipe to a model folder: one loop, in sft_trainer.cc. Writes DIR/recipe.json, metrics.jsonl,
// tensorboard/, checkpoint-*/ and, at the end, DIR/model. One thread.
#pragma once

#include "core/result.h"
#include "grpo/config/recipe.h"
#include "grpo/run/run_setup.h"

namespace assay {

// Errors: what the recipe or its files lack (kUsage, kInput), kIo, kUnavailable, kLimit (three steps in a row not finite).
Result<TrainSummary> RunSft(const SftRecipe& recipe, const TrainEnv& env);

}  // namespace assay
