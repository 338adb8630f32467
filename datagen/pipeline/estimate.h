// What a stage will take: at most how much memory and disk, and about how long, from the model's size, the rows that come in and the
// recipe's own limits; and what each kind of machine can train. Rough by nature (docs/pipeline.md states the arithmetic): lengths are those
// of some rows, speeds those of one kind of machine that does nothing else, and judges are taken to be quick.
#pragma once

#include <string>
#include <utility>

#include "core/json.h"
#include "datagen/pipeline/recipe.h"
#include "datagen/pipeline/row_facts.h"

namespace assay {

struct StageEstimate {
  double parameters = 0;    // 0: unknown, or no model
  double memory_bytes = 0;  // of the process, or of the GPU
  double disk_bytes = 0;
  double seconds = 0;
  bool gpu = false;
};

// Of one recipe's stages; what it has read of their inputs it remembers. One thread.
class Estimator {
 public:
  Estimator(const PipelineRecipe& recipe, std::string out)
      : recipe_(recipe), out_(std::move(out)), rows_(recipe) {}
  StageEstimate Of(const StageSpec& stage);

 private:
  double SecondsOfTeacher(const StageSpec& stage, const RowFacts& rows);

  const PipelineRecipe& recipe_;
  std::string out_;
  RowReckoner rows_;
};

// The most parameters that can be trained within `bytes`, with a reference model or without.
double LargestModel(double bytes, bool reference);
// Lines that say so for kinds of machines.
std::string LargestModels();
// "1.5 million", "671 billion".
std::string ParametersText(double parameters);
// "40 s", "12 min", "3 h", "5 days".
std::string DurationText(double seconds);

}  // namespace assay
