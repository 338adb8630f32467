// What a stage will take at most: memory and disk of its training run and time, from the model's size and the recipe's own limits; and
// what each kind of machine can train. Rough by nature: lengths are taken at their limits, speeds are those of one kind of machine.
#pragma once

#include <string>

#include "core/json.h"
#include "datagen/pipeline/recipe.h"

namespace assay {

struct StageEstimate {
  double parameters = 0;    // 0: unknown, or no model
  double memory_bytes = 0;  // of the process, or of the GPU
  double disk_bytes = 0;
  double seconds = 0;  // 0: unknown
  bool gpu = false;
};
StageEstimate EstimateStage(const PipelineRecipe& recipe, const StageSpec& stage,
                            const std::string& out);

// The most parameters that can be trained within `bytes`, with a reference model or without.
double LargestModel(double bytes, bool reference);
// Lines that say so for kinds of machines.
std::string LargestModels();
// "1.5 million", "671 billion".
std::string ParametersText(double parameters);
// "40 s", "12 min", "3 h", "5 days".
std::string DurationText(double seconds);

}  // namespace assay
