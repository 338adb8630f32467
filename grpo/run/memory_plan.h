// What a run takes of a GPU's memory, reckoned from shapes before it starts. The parts are those of the fused path in bfloat16 over float32
// masters (grpo/model/cuda/), without what LibTorch's allocator keeps for later. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"
#include "grpo/config/model_config.h"
#include "grpo/config/recipe.h"

namespace assay {

struct MemoryPlan {
  // Bytes of one process. The first three are there all the time, sampling and learning take turns, or with async_steps go on at once.
  double weights =
      0;  // masters in float32, or frozen ones in the dtype of the computation or 8 bits; its share where they are shared
  double moments = 0;    // Adam's
  double reference = 0;  // 0 beside an adapter, whose frozen weights it is
  double sampling = 0;   // the copy that samples, keys and values, logits; 0 where another samples
  double sampling_least = 0;  // the same with the samples of one problem side by side
  double learning = 0;        // the copy that learns, gradients, activations, a slice of logits
  bool at_once = false;

  double peak() const {
    const double turn = sampling > learning ? sampling : learning;
    return weights + moments + reference + (at_once ? sampling + learning : turn);
  }
};

int64_t CountParameters(const ModelConfig& config);
int64_t CountAdapterParameters(const ModelConfig& config, const LoraConfig& lora);

// `prompt`: tokens of the longest prompt; completions are reckoned with their full length, SFT's rows with max_length. `processes` share
// what the recipe says, which is each one's.
MemoryPlan PlanMemory(const ModelConfig& config, const GrpoRecipe& recipe, int64_t prompt,
                      int64_t processes = 1);
MemoryPlan PlanMemory(const ModelConfig& config, const SftRecipe& recipe, int64_t prompt,
                      int64_t processes = 1);
// Whether a run whose weights have been loaded fits into `available_bytes` more (below 0: not known). Sampling that may choose its rows
// (generation_rows = 0) takes what there is. Errors: kUnavailable with the numbers and what takes less.
Status CheckPlan(const MemoryPlan& plan, bool rows_are_set, double available_bytes);
// What to say of a run that fits by less than the plan's own error; empty: it fits with room, or does
// not fit, or that is not known.
std::string NearlyFullNote(const MemoryPlan& plan, bool rows_are_set, double available_bytes);

}  // namespace assay
