// The policy as a learner computes with it: float32 master weights, a copy in the compute dtype that is made once for each update
// (with checkpointing none: a layer's weights are cast when the layer is computed),
// and gradients that add up in float32, whatever the compute dtype. The gradients of one update lie in one allocation,
// taken at its first backward pass and given back after it, so that sampling has that memory. The gradients of embedding
// and head go straight into it: neither a dense gradient of the embedding nor a second one of the head ever exists.
// With an adapter the copy has it merged in, and only its factors get gradients. Where a source makes the layers there is no copy: what
// is held for an update is embedding, last norm and head, and their gradients if they learn.
// One thread. May throw c10::Error, as grpo/model.h says.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "grpo/model/model.h"

namespace assay {

// The precision that the policy computes in, over float32 master weights.
struct Compute {
  at::ScalarType dtype = at::kFloat;
  bool checkpoint = false;
  int64_t shares = 1;  // the gradients' length is a multiple of it, zeros at the end
};

class ComputePolicy {
 public:
  // `master`: what is trained wants a gradient; it outlives this.
  ComputePolicy(Model* master, const Compute& compute) : master_(master), compute_(compute) {}

  // Weights for a forward pass whose gradient comes to rest in the masters' .grad; `forward` and `logprobs` get what belongs to
  // that (checkpointing and where the gradients of embedding and head go).
  const Model& Prepare(ForwardOptions* forward, LogprobOptions* logprobs);
  // All gradients of the update at hand, one after the other in the order of TrainableWeights; zeros where nothing was added yet. Of
  // weights that are shared out: brings those of embedding, last norm and head to their shares, and gives nothing; once an update,
  // all processes together.
  at::Tensor Gradients();
  // Of weights that are shared out: a forward and a backward pass that add nothing, for a process that has nothing to learn from while
  // the others wait for its shares.
  void Accompany();
  // After an update or a skipped one: the copy and the gradients are out of date and freed.
  void Drop();

 private:
  void MakeGradients();
  void MakeShardGradients();
  void MakeWeights();
  void MakeMergedWeights();

  Model* master_;
  const Compute compute_;
  Model model_;
  at::Tensor gradients_;
  std::vector<LayerWeights> layer_gradients_;  // those of the masters' layers that are copied
  at::Tensor embed_gradient_, head_gradient_;  // whole, of shards that learn
  std::optional<bool> norms_divide_;           // once it is known
  bool ready_ = false;
};

}  // namespace assay
