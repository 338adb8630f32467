// AdamW with float32 master weights (LibTorch's fused kernels), global-norm clipping and learning-rate schedules. Parameters are
// the model's own float32 tensors; gradients are float32 too, whatever the computation's dtype (grpo/compute_policy.h). One thread. May throw c10::Error; the trainers catch it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "grpo/model/model.h"

namespace assay {

struct AdamWConfig {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;  // of matrices; norm weights and biases (one dimension) never decay
};

class AdamW {
 public:
  AdamW(std::vector<NamedTensor> parameters, const AdamWConfig& config);

  // The global L2 norm of all gradients (0-dimensional, on the device); parameters without a gradient count as 0.
  at::Tensor GradNorm() const;
  // Multiplies gradients by max_norm / (norm + 1e-6) where that is below 1 (torch.nn.utils.clip_grad_norm_).
  void ClipGradients(const at::Tensor& norm, double max_norm);
  // One update of every parameter that has a gradient (Loshchilov and Hutter, 1711.05101).
  void Step(double learning_rate);

  // Moments and step counts by name, for checkpoints: "exp_avg.<weight>", "exp_avg_sq.<weight>", "step.<weight>".
  std::vector<NamedTensor> State() const;
  // Errors: kInput naming the tensor that is missing or of another shape.
  Status LoadState(const std::vector<NamedTensor>& state);

 private:
  struct Slot {
    std::string name;
    at::Tensor weight, exp_avg, exp_avg_sq, step;
  };
  void StepGroup(const std::vector<const Slot*>& slots, double learning_rate, double weight_decay);

  AdamWConfig config_;
  std::vector<Slot> slots_;
};

enum class ScheduleKind { kLinear, kCosine, kConstant };
Result<ScheduleKind> ScheduleKindFromName(std::string_view name);

struct Schedule {
  ScheduleKind kind = ScheduleKind::kLinear;
  double learning_rate = 1e-6;
  int64_t warmup_steps = 0;
  int64_t total_steps = 1;
  double min_ratio = 0.0;  // kCosine and kLinear end at this share of the peak
};
// The rate of optimiser step `step`, counted from 0: step / warmup on the way up, then the schedule's decay.
double LearningRateAt(const Schedule& schedule, int64_t step);

}  // namespace assay
