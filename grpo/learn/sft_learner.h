// SftLearner: from tokenised rows to new weights, by the next-token likelihood of the labelled tokens. It knows neither text nor
// files; the loop around it is in grpo/sft_trainer.cc. One thread. LibTorch's exceptions come back as Errors.
#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"
#include "grpo/config/run_spec.h"
#include "grpo/learn/learner.h"
#include "grpo/learn/optimizer.h"
#include "grpo/learn/processes.h"
#include "grpo/learn/sft_row.h"
#include "grpo/model/compute_policy.h"
#include "grpo/model/model.h"

namespace assay {

class SftLearner {
 public:
  // `policy`: float32 master weights, changed in place; it outlives the learner.
  // `processes`, if not null, share the micro-batches of a window; Step adds all gradients up.
  SftLearner(Model* policy, const OptimSpec& optim, const Compute& compute,
             Processes* processes = nullptr);

  // Adds the gradient of sum of -log p(label) / num_items; num_items: labels of the whole accumulation window.
  Status Accumulate(const std::vector<SftRow>& rows, double num_items);
  // Clips and updates, or skips; then drops the gradients. Metrics: entropy, mean_token_accuracy.
  Result<StepOutcome> Step(double learning_rate);

  AdamW* optimizer() { return &optimizer_; }

 private:
  Model* policy_;
  Processes* processes_;
  const double max_grad_norm_;
  AdamW optimizer_;
  ComputePolicy compute_policy_;
  std::vector<at::Tensor> losses_, entropies_, hits_;  // of the window: sums
  double labels_ = 0;
};

}  // namespace assay
