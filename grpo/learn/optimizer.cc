#include "grpo/learn/optimizer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "core/text.h"

namespace assay {

namespace {

AdamWConfig ConfigOf(const OptimSpec& optim) {
  return {optim.adam_beta1, optim.adam_beta2, optim.adam_epsilon, optim.weight_decay,
          optim.shard != "none"};
}

}  // namespace

AdamW::AdamW(std::vector<NamedTensor> parameters, const AdamWConfig& config, Processes* processes)
    : config_(config),
      processes_(processes != nullptr && !processes->alone() ? processes : nullptr) {
  int64_t total = 0;
  for (const NamedTensor& parameter : parameters) total += parameter.tensor.numel();
  const int64_t count = MomentsShared() ? processes_->count() : 1;
  const int64_t share = (total + count - 1) / count;
  padded_ = share * count;
  const int64_t mine = MomentsShared() ? share * processes_->rank() : 0;
  int64_t first = 0;
  for (NamedTensor& parameter : parameters) {
    Slot slot;
    slot.name = std::move(parameter.name);
    slot.shape = parameter.tensor.sizes().vec();
    slot.weight = std::move(parameter.tensor);
    slot.first = first;
    const int64_t size = slot.weight.numel();
    slot.begin = std::clamp<int64_t>(mine - first, 0, size);
    slot.end = std::clamp<int64_t>(mine + share - first, 0, size);
    first += size;
    AddSlot(std::move(slot));
  }
}

AdamW::AdamW(const Model& model, const OptimSpec& optim, Processes* processes)
    : AdamW(LearningShards(model) != nullptr ? std::vector<NamedTensor>() : TrainableWeights(model),
            ConfigOf(optim), processes) {
  shards_ = LearningShards(model);
  if (shards_ == nullptr) return;
  for (const Shards::Part& part : shards_->Parts()) {
    Slot slot;
    slot.name = part.place->name;
    slot.shape = part.place->shape;
    slot.piece = part.piece;
    slot.first = part.at;
    slot.begin = part.begin;
    slot.end = part.end;
    AddSlot(std::move(slot));
  }
}

void AdamW::AddSlot(Slot slot) {
  const at::Tensor part = WeightPart(slot);
  slot.exp_avg = at::zeros_like(part);
  slot.exp_avg_sq = at::zeros_like(part);
  slot.step = at::zeros({}, part.options().dtype(at::kFloat));
  slots_.push_back(std::move(slot));
}

// What of a tensor of the weight's shape is this process's.
at::Tensor AdamW::Part(const Slot& slot, const at::Tensor& whole) const {
  const bool all = shards_ == nullptr && !MomentsShared();
  return all ? whole : whole.reshape({-1}).narrow(0, slot.begin, slot.end - slot.begin);
}

at::Tensor AdamW::WeightPart(const Slot& slot) const {
  if (shards_ == nullptr) return Part(slot, slot.weight.detach());
  return shards_->pieces()[slot.piece].mine.narrow(0, slot.first, slot.end - slot.begin);
}

// Undefined where the weight has none.
at::Tensor AdamW::GradientPart(const Slot& slot) const {
  if (shards_ == nullptr)
    return slot.weight.grad().defined() ? Part(slot, slot.weight.grad()) : at::Tensor();
  const at::Tensor& gradient = shards_->pieces()[slot.piece].gradient;
  return gradient.defined() ? gradient.narrow(0, slot.first, slot.end - slot.begin) : at::Tensor();
}

at::Tensor AdamW::GradNorm() const {
  std::vector<at::Tensor> gradients;
  for (const Slot& slot : slots_) {
    const at::Tensor gradient = GradientPart(slot);
    if (gradient.defined() && slot.end > slot.begin) gradients.push_back(gradient);
  }
  const auto options = slots_.empty() ? at::TensorOptions() : slots_[0].exp_avg.options();
  const at::Tensor norm = gradients.empty() ? at::zeros({}, options)
                                            : at::stack(at::_foreach_norm(gradients, 2)).norm(2);
  if (shards_ == nullptr && !MomentsShared()) return norm;
  const at::Tensor squares = norm.square().unsqueeze(0);
  processes_->Sum(squares);
  return squares.sqrt().squeeze(0);
}

void AdamW::ClipGradients(const at::Tensor& norm, double max_norm) {
  const at::Tensor coefficient = (max_norm / (norm + 1e-6)).clamp_max(1.0);
  for (const Slot& slot : slots_) {
    const at::Tensor gradient = GradientPart(slot);
    if (gradient.defined()) gradient.mul_(coefficient);
  }
}

void AdamW::StepGroup(const std::vector<const Slot*>& slots, double learning_rate,
                      double weight_decay) {
  if (slots.empty()) return;
  std::vector<at::Tensor> weights, gradients, exp_avg, exp_avg_sq, steps;
  for (const Slot* slot : slots) {
    weights.push_back(WeightPart(*slot));
    gradients.push_back(GradientPart(*slot));
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
    if (!GradientPart(slot).defined()) continue;
    if (slot.end == slot.begin) {
      at::Tensor step = slot.step;
      step.add_(1);
      continue;
    }
    (slot.shape.size() < 2 ? no_decay : decay).push_back(&slot);
  }
  StepGroup(decay, learning_rate, config_.weight_decay);
  StepGroup(no_decay, learning_rate, 0.0);
}

// Every process's share of the weights for all, by way of `room`, which is as long as all parameters.
void AdamW::HandOut(const at::Tensor& room) {
  for (const Slot& slot : slots_) {
    if (slot.end > slot.begin)
      room.narrow(0, slot.first + slot.begin, slot.end - slot.begin).copy_(WeightPart(slot));
  }
  processes_->GatherShares(room);
  for (const Slot& slot : slots_) {
    const at::Tensor weight = slot.weight.detach();
    weight.copy_(room.narrow(0, slot.first, weight.numel()).view(weight.sizes()));
  }
}

double AdamW::Update(const at::Tensor& gradients, double loss, double max_norm,
                     double learning_rate) {
  if (processes_ != nullptr && shards_ == nullptr)
    config_.share_moments ? processes_->SumShare(gradients) : processes_->Sum(gradients);
  const at::Tensor norm = GradNorm();
  if (max_norm > 0) ClipGradients(norm, max_norm);
  const auto value = norm.item<double>();
  if (!std::isfinite(value) || !std::isfinite(loss)) return value;
  Step(learning_rate);
  if (MomentsShared() && shards_ == nullptr) HandOut(gradients);
  return value;
}

// One of the moments of all parameters, one after the other, on the CPU.
at::Tensor AdamW::Gathered(at::Tensor Slot::*moment) const {
  const at::Tensor all = at::zeros({padded_}, slots_[0].exp_avg.options());
  for (const Slot& slot : slots_) {
    if (slot.end > slot.begin)
      all.narrow(0, slot.first + slot.begin, slot.end - slot.begin).copy_(slot.*moment);
  }
  processes_->GatherShares(all);
  return all.cpu();
}

// Piece by piece, so that no process but the first ever holds more of them than a piece.
std::vector<NamedTensor> AdamW::StateOfShards() const {
  std::vector<NamedTensor> state;
  const std::vector<Shards::Part> parts = shards_->Parts();  // as the slots are
  for (const auto& [prefix, moment] :
       {std::pair("exp_avg.", &Slot::exp_avg), std::pair("exp_avg_sq.", &Slot::exp_avg_sq)}) {
    for (size_t i = 0; i < slots_.size();) {
      const size_t number = slots_[i].piece, first = i;
      const Shards::Piece& piece = shards_->pieces()[number];
      const at::Tensor mine = at::zeros_like(piece.mine);
      for (; i < slots_.size() && slots_[i].piece == number; ++i)
        mine.narrow(0, slots_[i].first, slots_[i].end - slots_[i].begin).copy_(slots_[i].*moment);
      const at::Tensor all = shards_->Gather(piece, mine, at::kFloat);
      if (!processes_->first()) continue;
      const at::Tensor host = all.cpu();
      for (size_t k = first; k < i; ++k) {
        const Shards::Place& place = *parts[k].place;
        state.push_back({prefix + slots_[k].name,
                         host.narrow(0, place.first, place.size).view(slots_[k].shape)});
      }
    }
  }
  if (!processes_->first()) return {};
  for (const Slot& slot : slots_) state.push_back({"step." + slot.name, slot.step});
  return state;
}

std::vector<NamedTensor> AdamW::State() const {
  if (shards_ != nullptr) return StateOfShards();
  const bool shared = MomentsShared() && !slots_.empty();
  const at::Tensor all = shared ? Gathered(&Slot::exp_avg) : at::Tensor(),
                   all_sq = shared ? Gathered(&Slot::exp_avg_sq) : at::Tensor();
  std::vector<NamedTensor> state;
  for (const Slot& slot : slots_) {
    const auto whole = [&](const at::Tensor& flat, const at::Tensor& own) {
      return shared ? flat.narrow(0, slot.first, slot.weight.numel()).view(slot.weight.sizes())
                    : own;
    };
    state.push_back({"exp_avg." + slot.name, whole(all, slot.exp_avg)});
    state.push_back({"exp_avg_sq." + slot.name, whole(all_sq, slot.exp_avg_sq)});
    state.push_back({"step." + slot.name, slot.step});
  }
  return state;
}

Status AdamW::LoadState(const std::vector<NamedTensor>& state) {
  std::map<std::string_view, const at::Tensor*> by_name;
  for (const NamedTensor& entry : state) by_name[entry.name] = &entry.tensor;
  const auto lacks = [](const std::string& name) {
    return Error{ErrorCode::kInput, StrCat("the optimiser's state lacks '", name, "' in its shape"),
                 "the checkpoint is of another model; use --out with an empty folder"};
  };
  for (Slot& slot : slots_) {
    const std::pair<const char*, at::Tensor*> moments[] = {{"exp_avg.", &slot.exp_avg},
                                                           {"exp_avg_sq.", &slot.exp_avg_sq}};
    for (const auto& [prefix, moment] : moments) {
      const auto found = by_name.find(prefix + slot.name);
      if (found == by_name.end() || found->second->sizes() != at::IntArrayRef(slot.shape))
        return lacks(prefix + slot.name);
      moment->copy_(Part(slot, found->second->contiguous()));
    }
    const auto step = by_name.find("step." + slot.name);
    if (step == by_name.end() || step->second->numel() != 1) return lacks("step." + slot.name);
    slot.step.copy_(step->second->reshape(slot.step.sizes()));
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
