// Recipes: what a training run is, as TOML with TRL's names, presets and `--set key=value` on top. Every key is in one
// table (recipe.cc), so an unknown one is an error with "did you mean" and the whole recipe can be written back
// (DIR/recipe.json). Plain values without LibTorch; reading is pure but for the file.
//
//   preset = "dapo"                 # r1-zero | deepseekmath | dapo | dr-grpo | gspo (GRPO only)
//   learning_rate = 1e-5
//   num_generations = 8
//   [model]
//   path = "models/SmolLM2"
//   [data]
//   train = "problems.jsonl"
//   [reward]
//   verifiers = "math"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/options.h"
#include "core/result.h"
#include "grpo/config/advantage_config.h"
#include "grpo/config/loss_config.h"
#include "grpo/config/run_spec.h"

namespace assay {

struct SftRecipe {
  TrainSpec train;
  Json json;                  // every key with its value, as resolved: what DIR/recipe.json holds
  int64_t max_length = 1024;  // longer rows keep their start
  bool completion_only_loss = true;     // prompt/completion and chat data
  std::string assistant_turns = "all";  // of a chat: all | last
  bool packing = false;  // fill micro-batches up to per_device_train_batch_size * max_length tokens
};

struct GrpoRecipe {
  TrainSpec train;
  Json json;  // as in SftRecipe
  std::string preset;
  LossConfig loss;
  int64_t num_generations = 8;
  int64_t steps_per_generation = 0;  // 0: gradient_accumulation_steps
  int64_t num_iterations = 1;
  int64_t async_steps = 0;  // 1: a batch is sampled while the one before it is learned from
  AdvantageEstimator estimator = AdvantageEstimator::kGroup;
  RewardAggregation aggregation = RewardAggregation::kSumThenNormalize;
  RewardScale scale = RewardScale::kGroup;
  NullRows null_rows = NullRows::kMask;
  double null_rate_stop = 0.05;  // mean over the last 10 steps
  bool mask_truncated_completions = false;
  bool dynamic_sampling = false;
  int64_t dynamic_sampling_rounds = 8;  // generation rounds for one batch at most
  bool sync_ref_model = false;
  double ref_model_mixup_alpha = 0.6;
  int64_t ref_model_sync_steps = 512;
  std::string shuffle_rows =
      "auto";  // rows | groups | auto: rows as TRL does, groups (prompts shared) where it is the same
  CorrectionMode correction = CorrectionMode::kSequenceMask;
  double correction_max = 3.0;
  std::optional<double> correction_min;
  bool log_completions = false;  // every sample with its reward into DIR/samples.sqlite
};

// From a recipe's text and the overrides in order. Errors: kUsage/kInput naming the key and, for a file, its line.
Result<SftRecipe> SftRecipeFromToml(const std::string& text, const std::string& file_name,
                                    const std::vector<std::string>& overrides);
Result<GrpoRecipe> GrpoRecipeFromToml(const std::string& text, const std::string& file_name,
                                      const std::vector<std::string>& overrides);

// What may stand in either.
std::vector<OptionInfo> SftRecipeOptionInfos();
std::vector<OptionInfo> GrpoRecipeOptionInfos();

// The first key that differs and that a resumed run may not change ("" if none): run lengths, saving, evaluation, logging, and
// what decides memory and speed alone (threads, generation_rows, gradient_checkpointing) may.
std::string FirstFixedDifference(const Json& saved, const Json& now);

}  // namespace assay
