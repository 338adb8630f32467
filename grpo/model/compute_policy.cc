#include "grpo/model/compute_policy.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <malloc.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <utility>

#include "grpo/model/lora.h"
#include "grpo/model/ops.h"
#include "grpo/model/shards.h"

namespace assay {
namespace {

// From this size on, what the allocator keeps of a phase that has ended (sampling, a backward pass) is worth giving back before
// the next phase takes its memory elsewhere.
constexpr int64_t kTrimParameters = 16 << 20;

// Moves the gradient of a merged matrix on to its adapter's factors.
class AddToFactors : public torch::autograd::PostAccumulateGradHook {
 public:
  AddToFactors(std::shared_ptr<const Lora> lora, const LoraPair* pair)
      : lora_(std::move(lora)), pair_(pair), a_(pair->a.grad()), b_(pair->b.grad()) {}
  void operator()(const torch::autograd::Variable& merged) override {
    AddLoraGradient(*pair_, lora_->config.scale(), merged.grad(), a_, b_);
    merged.mutable_grad() = at::Tensor();
  }

 private:
  std::shared_ptr<const Lora> lora_;
  const LoraPair* pair_;
  at::Tensor a_, b_;
};

// Moves the gradient of a copy in another dtype on to its master's.
class AddToMaster : public torch::autograd::PostAccumulateGradHook {
 public:
  explicit AddToMaster(at::Tensor gradient) : gradient_(std::move(gradient)) {}
  void operator()(const torch::autograd::Variable& copy) override {
    if (!copy.grad().defined()) return;  // added up by the layer itself
    c10::NoGradGuard no_grad;
    AddInto(gradient_, copy.grad());
    copy.mutable_grad() = at::Tensor();
  }

 private:
  at::Tensor gradient_;
};

// Handles of the gradients of every layer's weights.
std::vector<LayerWeights> GradientsOf(const Model& model) {
  std::vector<LayerWeights> gradients = model.layers;
  for (size_t i = 0; i < gradients.size(); ++i) {
    VisitLayer(model.config, static_cast<int64_t>(i), &gradients[i],
               [](const std::string&, at::Tensor* weight) { *weight = weight->grad(); });
  }
  return gradients;
}

// On a GPU alone, whose kernels ask.
bool NoNormHasZeros(const Model& model) {
  if (!model.device().is_cuda()) return false;
  at::NoGradGuard no_grad;
  at::Tensor none = at::ones({}, at::TensorOptions(model.device()).dtype(at::kBool));
  for (const NamedTensor& weight : NamedWeights(model)) {
    if (IsNorm(weight.name)) none.logical_and_(weight.tensor.ne(0).all());
  }
  return none.item<bool>();
}

}  // namespace

at::Tensor ComputePolicy::Gradients() {
  if (Shards* const shards = LearningShards(*master_); shards != nullptr) {
    if (!ready_) MakeShardGradients();
    shards->AddWholeGradient("model.embed_tokens.weight", embed_gradient_);
    shards->AddWholeGradient("lm_head.weight", head_gradient_);
    const at::Tensor norm = model_.norm.defined() ? model_.norm.grad() : at::Tensor();
    shards->AddWholeGradient(
        "model.norm.weight",
        norm.defined() ? norm
                       : at::zeros({master_->config.hidden_size}, embed_gradient_.options()));
    return {};
  }
  if (!gradients_.defined()) MakeGradients();
  return gradients_;
}

const Model& ComputePolicy::Prepare(ForwardOptions* forward, LogprobOptions* logprobs) {
  const bool shards = LearningShards(*master_) != nullptr;
  if (!ready_) {
    shards ? MakeShardGradients() : MakeGradients();
    MakeWeights();
    ready_ = true;
  }
  forward->checkpoint = compute_.checkpoint;
  forward->compute_dtype = compute_.dtype;
  forward->embed_grad = shards                     ? embed_gradient_
                        : master_->embed.defined() ? master_->embed.grad()
                                                   : at::Tensor();
  logprobs->head_grad = shards                    ? head_gradient_
                        : master_->head.defined() ? master_->head.grad()
                                                  : at::Tensor();
  forward->layer_grads = layer_gradients_.empty() ? nullptr : &layer_gradients_;
  // Training does not bring a weight to exactly 0, so one look is enough.
  if (!norms_divide_) norms_divide_ = master_->source == nullptr && NoNormHasZeros(*master_);
  forward->norms_divide = *norms_divide_;
  return model_;
}

void ComputePolicy::Accompany() {
  ForwardOptions forward;
  LogprobOptions logprobs;
  const Model& model = Prepare(&forward, &logprobs);
  const TokenGroup group{{0}, {{0}}};
  const ScoredBatch one = PackGroups({group}, master_->device());
  (ScoreTokens(model, one, forward, logprobs).logp_M.sum() * 0).backward();
}

void ComputePolicy::Drop() {
  for (NamedTensor& weight : TrainableWeights(*master_)) {
    if (weight.tensor.defined()) weight.tensor.mutable_grad() = at::Tensor();
  }
  if (Shards* const shards = LearningShards(*master_); shards != nullptr) shards->DropGradients();
  model_ = Model{};
  gradients_ = embed_gradient_ = head_gradient_ = at::Tensor();
  layer_gradients_.clear();
  ready_ = false;
  if (CountParameters(*master_) >= kTrimParameters) malloc_trim(0);
}

void ComputePolicy::MakeGradients() {
  if (gradients_.defined()) return;
  std::vector<NamedTensor> weights = TrainableWeights(*master_);
  int64_t count = 0;
  for (const NamedTensor& weight : weights) count += weight.tensor.numel();
  if (count >= kTrimParameters) malloc_trim(0);
  count = (count + compute_.shares - 1) / compute_.shares * compute_.shares;
  gradients_ = at::zeros({count}, weights[0].tensor.options().requires_grad(false));
  int64_t first = 0;
  for (NamedTensor& weight : weights) {
    const int64_t size = weight.tensor.numel();
    weight.tensor.mutable_grad() = gradients_.narrow(0, first, size).view(weight.tensor.sizes());
    first += size;
  }
}

void ComputePolicy::MakeShardGradients() {
  const ModelConfig& c = master_->config;
  if (CountParameters(*master_) >= kTrimParameters) malloc_trim(0);
  LearningShards(*master_)->MakeGradients();
  const auto options = at::TensorOptions(master_->device()).dtype(at::kFloat);
  embed_gradient_ = at::zeros({c.vocab_size, c.hidden_size}, options);
  head_gradient_ = c.tied_head ? embed_gradient_ : at::zeros_like(embed_gradient_);
}

void ComputePolicy::MakeMergedWeights() {
  model_ = CastModel(*master_, compute_.dtype);
  for (const NamedTensor& weight : NamedWeights(model_)) {
    const LoraPair* pair = master_->lora->Find(weight.name);
    if (pair == nullptr) continue;
    weight.tensor.requires_grad_(true);
    torch::autograd::impl::set_post_acc_grad_hooks(
        weight.tensor, std::make_unique<AddToFactors>(master_->lora, pair));
  }
}

void ComputePolicy::MakeWeights() {
  if (master_->source != nullptr) {
    model_ = master_->source->ForComputing(*master_, compute_.dtype);
    model_.norm.requires_grad_(LearningShards(*master_) != nullptr);
    return;
  }
  if (master_->lora != nullptr) return MakeMergedWeights();
  // With checkpointing a layer's weights are cast when the layer is computed: that takes a few per cent of the time and saves the
  // copy, which would live beside gradients and moments.
  // A GPU computes with joined matrices of one dtype, and the copy is little beside the moments.
  const bool same =
      compute_.dtype == master_->dtype() || (compute_.checkpoint && !master_->device().is_cuda());
  model_ = same ? *master_ : CastModel(*master_, compute_.dtype);
  if (!same) {
    const std::vector<NamedTensor> masters = NamedWeights(*master_);
    const std::vector<NamedTensor> copies = NamedWeights(model_);
    for (size_t i = 0; i < masters.size(); ++i) {
      copies[i].tensor.requires_grad_(true);
      torch::autograd::impl::set_post_acc_grad_hooks(
          copies[i].tensor, std::make_unique<AddToMaster>(masters[i].tensor.grad()));
    }
    layer_gradients_ = GradientsOf(*master_);
  }
  model_.embed = model_.embed.detach();
  model_.head = model_.config.tied_head ? model_.embed : model_.head.detach();
}

}  // namespace assay
