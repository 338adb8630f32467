// AdamW with float32 master weights (LibTorch's fused kernels), global-norm clipping and learning-rate schedules. Parameters are
// the model's own float32 tensors; gradients are float32 too, whatever the computation's dtype (grpo/compute_policy.h). Of several
// processes each holds the moments of its share of all parameters, as if they lay one after the other, updates that share and hands it
// out; or it holds all moments and makes the whole update; or it updates the weights that are its own (grpo/model/shards.h), with the
// moments of those. One thread. May throw c10::Error; the trainers catch it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "grpo/config/run_spec.h"
#include "grpo/learn/processes.h"
#include "grpo/model/model.h"
#include "grpo/model/shards.h"

namespace assay {

struct AdamWConfig {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;  // of matrices; norm weights and biases (one dimension) never decay
  bool share_moments = true;  // among processes
};

class AdamW {
 public:
  // `processes`, if not null, share the work and outlive this; all make the same calls then.
  AdamW(std::vector<NamedTensor> parameters, const AdamWConfig& config,
        Processes* processes = nullptr);
  // What is trained of the model, wherever it is held: its shards, if it has some that learn, outlive this.
  AdamW(const Model& model, const OptimSpec& optim, Processes* processes);

  // One update (Loshchilov and Hutter, 1711.05101) of every parameter that has a gradient, unless the norm or `loss` is not finite.
  // Gradients are clipped to max_norm (0: not) as torch.nn.utils.clip_grad_norm_ does. With several processes `gradients` holds the
  // parameters' gradients one after the other (ComputePolicy::Gradients), which are added up over all first and gone afterwards; shards
  // have their sums already. Returns the global L2 norm before clipping; parameters without a gradient count as 0.
  double Update(const at::Tensor& gradients, double loss, double max_norm, double learning_rate);

  // Moments and step counts by name, for checkpoints: "exp_avg.<weight>", "exp_avg_sq.<weight>", "step.<weight>"; whole, whoever
  // holds them. With several processes all call it together, and the moments are copies on the CPU; of shards' only the first process
  // gets them.
  std::vector<NamedTensor> State() const;
  // From such a list, of however many processes. Errors: kInput naming the tensor that is missing or of another shape.
  Status LoadState(const std::vector<NamedTensor>& state);

 private:
  // A parameter, and the part of it that is this process's: elements [begin, end) of the flat weight.
  struct Slot {
    std::string name;
    std::vector<int64_t> shape;
    at::Tensor weight;  // undefined where it is in shards
    int64_t first =
        0;  // where it begins among all parameters; in shards, where the part begins in its piece
    size_t piece = 0;  // of the shards
    int64_t begin = 0, end = 0;
    at::Tensor exp_avg, exp_avg_sq;  // of the part; in the weight's shape where that is all of it
    at::Tensor step;
  };
  bool MomentsShared() const { return processes_ != nullptr && config_.share_moments; }
  void AddSlot(Slot slot);
  at::Tensor Part(const Slot& slot, const at::Tensor& whole) const;
  at::Tensor WeightPart(const Slot& slot) const;
  at::Tensor GradientPart(const Slot& slot) const;
  at::Tensor GradNorm() const;
  void ClipGradients(const at::Tensor& norm, double max_norm);
  void Step(double learning_rate);
  void StepGroup(const std::vector<const Slot*>& slots, double learning_rate, double weight_decay);
  void HandOut(const at::Tensor& room);
  at::Tensor Gathered(at::Tensor Slot::*moment) const;
  std::vector<NamedTensor> StateOfShards() const;

  AdamWConfig config_;
  Processes* processes_;      // null: alone
  Shards* shards_ = nullptr;  // where the weights are, if they are shared out
  int64_t padded_ = 0;        // elements of all parameters, up to a multiple of the processes
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
