#include "grpo/learn/sft_learner.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>

#include "core/check.h"
#include "grpo/model/shards.h"
#include "grpo/model/torch_error.h"

namespace assay {

SftLearner::SftLearner(Model* policy, const OptimSpec& optim, const Compute& compute,
                       Processes* processes)
    : policy_(policy),
      processes_(processes != nullptr && !processes->alone() ? processes : nullptr),
      max_grad_norm_(optim.max_grad_norm),
      optimizer_(*policy, optim, processes),
      compute_policy_(policy, {compute.dtype, compute.checkpoint, CountOf(processes)}) {
  SetTrainable(policy_, true);
}

Status SftLearner::Accumulate(const std::vector<SftRow>& rows, double num_items) {
  std::vector<TokenGroup> groups;
  double labels = 0;
  std::vector<float> learn;  // of each scored token
  for (const SftRow& row : rows) {
    ASSAY_CHECK(row.labels_from >= 1);
    if (row.num_labels() <= 0) continue;
    labels += row.num_labels();
    const auto split = row.ids.begin() + row.labels_from;
    groups.push_back({{row.ids.begin(), split}, {{split, row.ids.end()}}});
    for (size_t i = row.labels_from; i < row.ids.size(); ++i)
      learn.push_back(row.learn.empty() || row.learn[i] != 0 ? 1.0f : 0.0f);
  }
  return CatchTorch("a training step", [&]() -> Status {
    if (groups.empty()) {
      if (ShardsOf(*policy_) != nullptr) compute_policy_.Accompany();
      return {};
    }
    const ScoredBatch scored = PackGroups(groups, policy_->device(), /*share_prompts=*/false);
    ForwardOptions forward;
    LogprobOptions options;
    options.top1 = true;
    const Model& model = compute_policy_.Prepare(&forward, &options);
    const TokenLogprobs scores = ScoreTokens(model, scored, forward, options);
    const at::Tensor mask_M = at::tensor(learn, at::kFloat).to(scores.logp_M.device());
    const at::Tensor loss = -(scores.logp_M * mask_M).sum() / std::max(num_items, 1.0);
    loss.backward();
    losses_.push_back(loss.detach());
    entropies_.push_back((scores.entropy_M.detach() * mask_M).sum());
    hits_.push_back((scores.top1_M * mask_M).sum());
    labels_ += labels;
    return {};
  });
}

Result<StepOutcome> SftLearner::Step(double learning_rate) {
  return CatchTorch("an optimiser step", [&]() -> Result<StepOutcome> {
    StepOutcome outcome;
    const auto sum = [](const std::vector<at::Tensor>& values) {
      return values.empty() ? 0.0 : at::stack(values).sum().item<double>();
    };
    std::array<double, 4> total = {sum(losses_), sum(entropies_), sum(hits_), labels_};
    if (processes_ != nullptr) {
      const at::Tensor sums =
          at::tensor(std::vector<float>(total.begin(), total.end()), at::kFloat);
      processes_->Sum(sums);
      for (size_t i = 0; i < total.size(); ++i) total[i] = sums.data_ptr<float>()[i];
    }
    if (total[3] > 0) {
      outcome.loss = total[0];
      outcome.metrics.emplace_back("entropy", total[1] / total[3]);
      outcome.metrics.emplace_back("mean_token_accuracy", total[2] / total[3]);
    }
    outcome.grad_norm =
        optimizer_.Update(processes_ != nullptr ? compute_policy_.Gradients() : at::Tensor(),
                          outcome.loss, max_grad_norm_, learning_rate);
    outcome.skipped = !std::isfinite(outcome.grad_norm) || !std::isfinite(outcome.loss);
    compute_policy_.Drop();
    losses_.clear();
    entropies_.clear();
    hits_.clear();
    labels_ = 0;
    return outcome;
  });
}

}  // namespace assay
