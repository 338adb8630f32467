#include "grpo/learn/optimizer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "core/text.h"

namespace assay {

AdamW::AdamW(std::vector<NamedTensor> parameters, const AdamWConfig& config) : config_(config) {
  for (NamedTensor& parameter : parameters) {
    Slot slot;
    slot.name = std::move(parameter.name);
    slot.weight = std::move(parameter.tensor);
    const at::Tensor data = slot.weight.detach();
    slot.exp_avg = at::zeros_like(data);
    slot.exp_avg_sq = at::zeros_like(data);
    slot.step = at::zeros({}, data.options().dtype(at::kFloat));
    slots_.push_back(std::move(slot));
  }
}

at::Tensor AdamW::GradNorm() const {
  std::vector<at::Tensor> gradients;
  for (const Slot& slot : slots_) {
    if (slot.weight.grad().defined()) gradients.push_back(slot.weight.grad());
  }
  if (gradients.empty())
    return at::zeros({}, slots_.empty() ? at::TensorOptions() : slots_[0].exp_avg.options());
  return at::stack(at::_foreach_norm(gradients, 2)).norm(2);
}

void AdamW::ClipGradients(const at::Tensor& norm, double max_norm) {
  const at::Tensor coefficient = (max_norm / (norm + 1e-6)).clamp_max(1.0);
  for (const Slot& slot : slots_) {
    if (slot.weight.grad().defined()) slot.weight.grad().mul_(coefficient);
  }
}

void AdamW::StepGroup(const std::vector<const Slot*>& slots, double learning_rate,
                      double weight_decay) {
  if (slots.empty()) return;
  std::vector<at::Tensor> weights, gradients, exp_avg, exp_avg_sq, steps;
  for (const Slot* slot : slots) {
    weights.push_back(slot->weight.detach());
    gradients.push_back(slot->weight.grad());
    exp_avg.push_back(slot->exp_avg);
    exp_avg_sq.push_back(slot->exp_avg_sq);
    steps.push_back(slot->step);
  }
  at::_foreach_add_(steps, 1);
  at::_fused_adamw_(weights, gradients, exp_avg, exp_avg_sq, /*max_exp_avg_sqs=*/{}, steps,
                    learning_rate, config_.beta1, config_.beta2, weight_decay, config_.eps,
                    /*amsgrad=*/false, /*maximize=*/false);
}

void AdamW::Step(double learning_rate) {
  std::vector<const Slot*> decay, no_decay;
  for (const Slot& slot : slots_) {
    if (!slot.weight.grad().defined()) continue;
    (slot.weight.dim() < 2 ? no_decay : decay).push_back(&slot);
  }
  StepGroup(decay, learning_rate, config_.weight_decay);
  StepGroup(no_decay, learning_rate, 0.0);
}

std::vector<NamedTensor> AdamW::State() const {
  std::vector<NamedTensor> state;
  for (const Slot& slot : slots_) {
    state.push_back({"exp_avg." + slot.name, slot.exp_avg});
    state.push_back({"exp_avg_sq." + slot.name, slot.exp_avg_sq});
    state.push_back({"step." + slot.name, slot.step});
  }
  return state;
}

Status AdamW::LoadState(const std::vector<NamedTensor>& state) {
  std::map<std::string_view, const at::Tensor*> by_name;
  for (const NamedTensor& entry : state) by_name[entry.name] = &entry.tensor;
  std::vector<NamedTensor> slots = State();
  for (NamedTensor& ours : slots) {
    const auto found = by_name.find(ours.name);
    if (found == by_name.end() || found->second->sizes() != ours.tensor.sizes()) {
      return Error{ErrorCode::kInput,
                   StrCat("the optimiser's state lacks '", ours.name, "' in its shape"),
                   "the checkpoint is of another model; use --out with an empty folder"};
    }
    ours.tensor.copy_(*found->second);
  }
  return {};
}

Result<ScheduleKind> ScheduleKindFromName(std::string_view name) {
  if (name == "linear") return ScheduleKind::kLinear;
  if (name == "cosine") return ScheduleKind::kCosine;
  if (name == "constant") return ScheduleKind::kConstant;
  return Error{ErrorCode::kUsage, StrCat("unknown lr_scheduler '", name, "'"),
               DidYouMean(name, {"linear", "cosine", "constant"})};
}

double LearningRateAt(const Schedule& schedule, int64_t step) {
  if (step < schedule.warmup_steps) {
    return schedule.learning_rate * static_cast<double>(step) /
           static_cast<double>(schedule.warmup_steps);
  }
  if (schedule.kind == ScheduleKind::kConstant) return schedule.learning_rate;
  const double span = std::max<double>(1, schedule.total_steps - schedule.warmup_steps);
  const double progress = std::min(1.0, (step - schedule.warmup_steps) / span);
  const double share =
      schedule.kind == ScheduleKind::kLinear ? 1 - progress : 0.5 * (1 + std::cos(M_PI * progress));
  return schedule.learning_rate * (schedule.min_ratio + (1 - schedule.min_ratio) * share);
}

}  // namespace assay
