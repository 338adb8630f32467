// Policy losses: every per-token objective, KL estimate, mask and aggregation that the trainer knows, each beside its formula
// in losses.cc. TRL 1.16's loss types and verl's policy losses give their references' numbers, gradients and metrics.
// Pure functions of tensors on any device and in any float dtype; nothing here reads a value back from the device.
// May throw c10::Error; the trainers catch it. Not here: advantages (grpo/advantages.h), log-probs (grpo/model.h).
//
// Shapes: B rows of a micro-batch, T completion tokens, right-padded.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grpo/config/loss_config.h"

namespace assay {

struct LossInputs {
  at::Tensor logp_BT;           // of the policy; carries the gradient
  at::Tensor entropy_BT;        // may be undefined unless the configuration needs it
  at::Tensor mask_BT;           // 1: a token of the model that counts; logp's dtype
  at::Tensor advantages;        // [B] or [B,T]
  at::Tensor old_logp_BT;       // undefined: the policy's own, without gradient
  at::Tensor ref_logp_BT;       // needed if beta != 0
  at::Tensor sampler_logp_BT;   // of whoever generated; undefined: old_logp_BT (off-policy mask)
  at::Tensor importance_ratio;  // [B,T] or [B,1]: correction for another sampler; may be undefined
  double num_items = 0;         // loss tokens of the whole generation batch
  double accumulation_steps = 1;
  double steps_per_generation = 1;
  // Rows that count for means over rows, a micro-batch's share of the generation batch; < 0: B. Fewer than B when rows
  // without a reward are left out.
  double counted_rows = -1;
};

struct LossOutput {
  at::Tensor loss;  // scalar, ready for backward
  // Names as the reference logs them; 0-dimensional tensors, on the device still.
  std::vector<std::pair<std::string, at::Tensor>> metrics;
};

LossOutput ComputeLoss(const LossConfig& config, const LossInputs& in);

// Estimates of KL(policy || reference) for each token; the gradient flows through `logp`.
at::Tensor TokenKl(KlKind kind, const at::Tensor& logp, const at::Tensor& ref_logp);

// What an outside sampler's log-probs are worth (truncated importance sampling). `old_logp` and `sampler_logp`: [B,T]; NaN in
// sampler_logp: unknown, ratio 1.
at::Tensor ImportanceCorrection(CorrectionMode mode, const at::Tensor& old_logp_BT,
                                const at::Tensor& sampler_logp_BT, const at::Tensor& mask_BT,
                                std::optional<double> clip_min, double clip_max);

}  // namespace assay
