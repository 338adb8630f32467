// GrpoReport: what a GRPO run tells (a step's values, its samples) and when it gives up: steps that are not finite, too many rows
// without a reward. It looks on and changes nothing of what is learned. One thread.
#pragma once

#include <cstdint>
#include <memory>

#include "core/result.h"
#include "grpo/config/recipe.h"
#include "grpo/learn/learner.h"
#include "grpo/run/rollout_source.h"
#include "grpo/run/sample_log.h"
#include "grpo/run/training_run.h"

namespace assay {

class GrpoReport {
 public:
  // All outlive the report.
  GrpoReport(const GrpoRecipe& recipe, TrainingRun* run, int64_t epoch_size)
      : recipe_(recipe), run_(run), epoch_size_(epoch_size) {}

  // Opens DIR/samples.sqlite where the recipe logs completions.
  Status Open();
  // After the advantages: the batch's samples.
  Status Batch(const Rollouts& rollouts);
  // The run has come to its end.
  Status Finish() { return samples_ == nullptr ? Status() : samples_->Finish(); }
  // After each optimiser step. Errors: kIo; kLimit when the run should not go on (the batch is in DIR/nonfinite_batch.jsonl when
  // three steps in a row were not finite).
  Status Step(const Rollouts& rollouts, const StepOutcome& outcome, double learning_rate);

 private:
  Status CheckFinite(const Rollouts& rollouts) const;
  Status CheckNullRate(const Rollouts& rollouts);
  // Says once when rewards that are all equal (`share` of rows without spread) have taught nothing for many steps.
  void RemarkEqualRewards(double share);

  const GrpoRecipe& recipe_;
  TrainingRun* run_;
  const int64_t epoch_size_;
  int64_t equal_steps_ = 0;             // in a row
  std::unique_ptr<SampleLog> samples_;  // null: not wanted
};

// Prompt and completion tokens of the batch.
double CountTokens(const GenerationBatch& batch);

}  // namespace assay
