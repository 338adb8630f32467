// GrpoLearner: from a scored generation batch to new weights. It knows tokens, rewards and log-probs, and nothing of text,
// verifiers or files; the loop around it is in grpo/grpo_trainer.cc. Order of calls for each batch:
//   AssignAdvantages -> ScoreOldAndReference -> Plan -> (Accumulate x gradient_accumulation_steps -> Step) ...
// One thread. LibTorch's exceptions come back as Errors.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/rng.h"
#include "grpo/config/recipe.h"
#include "grpo/learn/advantages.h"
#include "grpo/learn/losses.h"
#include "grpo/learn/optimizer.h"
#include "grpo/learn/processes.h"
#include "grpo/model/compute_policy.h"
#include "grpo/model/model.h"

namespace assay {

struct RolloutRow {
  std::vector<int64_t> completion;  // the stop token included
  std::vector<uint8_t> own;         // 0: a token that the model did not write; empty: all its own
  std::vector<float>
      sampler_logp;        // of another sampler, NaN where unknown; empty: sampled by this policy
  bool truncated = false;  // ended by length
  std::vector<Reward> rewards;  // one a reward function
  // Filled by the learner.
  Reward reward;
  Advantage advantage;
  std::vector<double> token_advantages;  // estimators that differ by token; else empty
  std::vector<float> old_logp, ref_logp;
};

struct RolloutGroup {
  std::vector<int64_t> prompt;
  std::vector<RolloutRow> rows;  // num_generations of them
  int64_t sampled_at = -1;       // the optimiser step whose weights sampled it; -1: not known
};

struct GenerationBatch {
  std::vector<RolloutGroup> groups;
  // Filled by AssignAdvantages.
  double num_items = 0;     // loss tokens of the batch
  double counted_rows = 0;  // rows that means over rows divide by
  double null_rate = 0;
  GroupAdvantageResult stats;
};

// Rows of one micro-batch: (group, row) in the batch, rows of a group side by side.
using MicroBatch = std::vector<std::pair<int32_t, int32_t>>;
using Metrics = std::vector<std::pair<std::string, double>>;

struct StepOutcome {
  bool skipped = false;  // the loss or a gradient was not finite: no update
  double loss = 0;       // sum over the accumulated micro-batches
  double grad_norm = 0;
  Metrics metrics;  // the losses' own, mean over micro-batches
};

class GrpoLearner {
 public:
  // `policy`: float32 master weights, changed in place; it outlives the learner. Takes a copy as the reference if
  // beta != 0 (`reference`, or else the policy as it is now).
  // `processes`, if not null, share the work: the caller gives each micro-batches of its own, each scores groups of its own,
  // and Step adds all gradients up. The recipe counts the micro-batches of all.
  GrpoLearner(Model* policy, const GrpoRecipe& recipe, const Compute& compute,
              const Model* reference = nullptr, Processes* processes = nullptr);

  // `weights`: one a reward function, or empty. Errors: kUsage for an estimator that needs what the batch lacks.
  Status AssignAdvantages(GenerationBatch* batch, const std::vector<double>& weights = {}) const;
  // Old log-probs if the policy changes before the batch is used up, or the batch was sampled elsewhere; reference's if beta != 0.
  Status ScoreOldAndReference(GenerationBatch* batch) const;
  // steps_per_generation micro-batches of shuffled rows.
  std::vector<MicroBatch> Plan(const GenerationBatch& batch, Rng* rng) const;
  // Forward, loss, backward. Gradients add up until Step.
  Status Accumulate(const GenerationBatch& batch, const MicroBatch& micro);
  // Clips and updates, or skips; then drops the gradients.
  Result<StepOutcome> Step(double learning_rate);
  // Counts one optimiser step; ref = a * policy + (1 - a) * ref when it is time.
  void MaybeSyncReference(int64_t step);

  AdamW* optimizer() { return &optimizer_; }
  const Model* reference() const { return reference_ ? &*reference_ : nullptr; }
  // Log-probs (and entropies) of each row's completion under `model`, for tests.
  struct RowScores {
    std::vector<std::vector<float>> logp, entropy;
  };
  Result<RowScores> ScoreRows(const Model& model, const GenerationBatch& batch,
                              const MicroBatch& micro) const;

 private:
  bool NeedsOld() const;
  std::vector<MicroBatch> ScoringParts(const GenerationBatch& batch) const;
  Status ScoreParts(const Model& model, const std::vector<MicroBatch>& parts,
                    std::vector<float> RolloutRow::*field, GenerationBatch* batch) const;
  Result<RowScores> ScoreNothing(const Model& model) const;
  void ShareScores(const std::vector<MicroBatch>& parts, std::vector<float> RolloutRow::*field,
                   GenerationBatch* batch) const;
  StepOutcome TakeOutcome();
  LossInputs MakeInputs(const GenerationBatch& batch, const MicroBatch& micro,
                        const ScoredBatch& scored) const;

  Model* policy_;
  Processes* processes_;
  const GrpoRecipe recipe_;
  const Compute compute_;
  std::optional<Model> reference_;
  AdamW optimizer_;
  ComputePolicy compute_policy_;
  std::vector<at::Tensor> pending_losses_;
  std::vector<std::pair<std::string, std::vector<at::Tensor>>> pending_metrics_;
};

}  // namespace assay
