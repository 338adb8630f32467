// The decoder of every family that ModelConfig knows (Llama, Mistral, Qwen, Gemma 3, Phi-3, OLMo 2, SmolLM3, Granite; mixtures of
// experts too), as plain functions over a struct of named weights. Rows are packed: the tokens of all rows stand one after the other in one dimension N without
// padding, a row may share the tokens of a prefix with others (the prompt of a group is computed once), and
// attention follows a list of segments. A row's result does not depend, rounding aside, on what it is packed with.
//
// Shapes: B rows, T time, N packed tokens, M scored tokens, H hidden, V vocabulary, D head dimension. Compute runs in
// the weights' dtype; the residual stream, norms, softmax, log-probs and entropies are float32 (float64 for
// float64 weights). Pure functions; thread-safe as LibTorch's operators are. May throw c10::Error (out of
// memory): the borders are LoadModel, Generate and the trainers, which turn it into an Error.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grpo/config/model_config.h"

namespace assay {

struct ExpertWeights {
  at::Tensor gate_proj, up_proj, down_proj;  // [E, H], [E, H], [H, E]
};

// All matrices are [out, in] as in safetensors; undefined where the config has none.
struct LayerWeights {
  at::Tensor input_norm;  // [H], before attention
  at::Tensor q_proj, k_proj, v_proj,
      o_proj;           // [heads*D, H], [kv_heads*D, H] twice, [H, heads*D]; rotate-half layout
  at::Tensor qkv_proj;  // in place of the first three: one below the other
  at::Tensor q_bias, k_bias, v_bias, o_bias;
  at::Tensor q_norm, k_norm;                 // [D], or [heads*D] and [kv_heads*D]
  at::Tensor attention_norm;                 // [H], of what attention gives
  at::Tensor post_norm;                      // [H], before the MLP
  at::Tensor gate_proj, up_proj, down_proj;  // [I, H], [I, H], [H, I]
  at::Tensor gate_up_proj;                   // in place of the first two
  at::Tensor gate_bias, up_bias, down_bias;
  at::Tensor mlp_norm;                 // [H], of what the MLP gives
  at::Tensor router;                   // [experts, H]
  std::vector<ExpertWeights> experts;  // in place of the MLP
};

struct Lora;        // grpo/model/lora.h
class LayerSource;  // grpo/model/layer_source.h

struct Model {
  ModelConfig config;
  at::Tensor embed;  // [V, H]
  std::vector<LayerWeights> layers;
  at::Tensor norm;  // [H]
  at::Tensor head;  // [V, H]; the same tensor as `embed` where the config ties them
  // An adapter beside the weights, which are frozen then: a pass through the model sees it only once CastModel has merged it, or where
  // a source makes the layers.
  std::shared_ptr<Lora> lora;
  // Where the layers' weights come from if the model does not hold them; those in `layers` are undefined then.
  std::shared_ptr<LayerSource> source;

  at::Device device() const;
  // Of what is held: float32 where weights are shared out among processes.
  at::ScalarType dtype() const;
};

// Calls `visit` for every weight that the config has, by its Hugging Face name ("model.layers.0.mlp.up_proj.weight"),
// in a fixed order; a tied head is left out. A weight may be undefined or replaced by the visitor.
using WeightVisitor = std::function<void(const std::string& name, at::Tensor* weight)>;
void VisitWeights(Model* model, const WeightVisitor& visit);
// The same for one layer, by names within it ("mlp.up_proj.weight").
void VisitLayer(const ModelConfig& config, int64_t index, LayerWeights* layer,
                const WeightVisitor& visit);
// The shape that the config asks of that name; empty if it has no such weight.
std::vector<int64_t> WeightShape(const ModelConfig& config, const std::string& name);
// A norm's weight, by its name: it has the precision of the residual stream.
bool IsNorm(const std::string& name);
// After weights were replaced: head = embed where tied.
void TieHead(Model* model);

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};
// The weights in VisitWeights' order (handles: changing the tensors in place changes the model).
std::vector<NamedTensor> NamedWeights(const Model& model);
// What is trained: the weights, or the adapter's factors where there is one.
std::vector<NamedTensor> TrainableWeights(const Model& model);
// Sets requires_grad on what is trained.
void SetTrainable(Model* model, bool trainable);
// The same model in another dtype or on another device, without gradients of its own; CastModel merges an adapter and has a source make
// all layers (where weights are shared out: all processes together). Norm weights stay float32 when the target is
// bfloat16 or float16. Weights that are already so are shared, not copied; copied matrices lie one after the other in one
// allocation, so that those which are multiplied with the same input (q, k, v; gate, up) are one matrix to the decoder.
Model CastModel(const Model& model, at::ScalarType dtype);
Model ToDevice(const Model& model, at::Device device);
// The same weights with their matrices in one allocation, as CastModel makes them; the given ones are freed one by one.
Model PackModel(Model model);
// A copy that shares nothing (a reference model).
Model CloneModel(const Model& model);
int64_t CountParameters(const Model& model);
int64_t CountTrainable(const Model& model);

// One run of tokens [start, start + length) of a packed batch. It attends causally to itself and, if prefix >= 0, to
// the whole of segment `prefix`, which comes before it and has no prefix itself.
struct Segment {
  int64_t start = 0;
  int64_t length = 0;
  int64_t prefix = -1;
};

struct PackedBatch {
  at::Tensor ids_N;        // int64
  at::Tensor positions_N;  // int64; a segment with a prefix goes on counting where its prefix ends
  std::vector<Segment> segments;
};

// Rows without shared prefixes.
PackedBatch PackRows(const std::vector<std::vector<int64_t>>& rows, at::Device device);
// Tokens [B,T] with a mask [B,T] (1 = real; padding on either side, or both): the real tokens packed row by row.
// `index_N`, if asked for, holds b*T + t of each packed token.
PackedBatch PackPadded(const at::Tensor& ids_BT, const at::Tensor& mask_BT,
                       at::Tensor* index_N = nullptr);

// A prompt and the completions sampled from it.
struct TokenGroup {
  std::vector<int64_t> prompt;  // not empty
  std::vector<std::vector<int64_t>> completions;
};

// Groups packed with every prompt once, and which hidden state scores which completion token. Completions
// are counted through all groups: row b of B.
struct ScoredBatch {
  PackedBatch packed;
  at::Tensor source_M;   // int64: the packed position whose hidden state predicts the token
  at::Tensor targets_M;  // int64: the token
  at::Tensor row_M;      // int64: its completion's row b
  at::Tensor column_M;   // int64: its place t in the completion
  int64_t num_rows = 0;
  int64_t max_length = 0;  // longest completion
};
// `share_prompts` false repeats the prompt for each completion (to check that sharing is exact).
ScoredBatch PackGroups(const std::vector<TokenGroup>& groups, at::Device device,
                       bool share_prompts = true);
// values_M at (row, column) of a [B,T] tensor of `fill`; differentiable. T: at least batch.max_length.
at::Tensor ScatterScored(const ScoredBatch& batch, const at::Tensor& values_M, int64_t width,
                         double fill = 0.0);

// Keys (rotated) and values of one layer, in packed order: [N, kv_heads, D].
struct LayerKv {
  at::Tensor key;
  at::Tensor value;
};

struct ForwardOptions {
  // Keep only each layer's input and compute the layer again in the backward pass.
  bool checkpoint = false;
  // Compute in this dtype instead of the weights': each weight but the norms' is cast where it is used, and its gradient
  // comes in its own dtype. With `checkpoint` no copy of the model ever exists beside the weights.
  std::optional<at::ScalarType> compute_dtype;
  // The length that dynamic RoPE scaling and LongRoPE reckon with; 0: the batch's longest sequence.
  int64_t longest = 0;
  // If set: [V,H] float32, to which a backward pass adds the embedding's gradient; the model's own embed wants none then.
  at::Tensor embed_grad;
  // If set: for each layer float32 tensors of its matrices' shapes, to which a backward pass through layers of our own kernels
  // (grpo/model/cuda/layer.h) adds their gradients in float32; autograd gives none for those matrices then.
  const std::vector<LayerWeights>* layer_grads = nullptr;
  // No norm's weight is 0: a backward pass through layers of our own kernels may then divide by it what the norm gave, in place of
  // keeping what it took, which is twice as large.
  bool norms_divide = false;
  // If set: receives one entry a layer (for filling a cache after a prefill).
  std::vector<LayerKv>* kv = nullptr;
  // If set: receives the residual stream before each layer and, last, the result (num_layers + 1 of [N,H]).
  std::vector<at::Tensor>* hidden_states = nullptr;
};

// Hidden states [N,H] after the final norm (and divided by the config's logit_divisor: what the head takes), in the dtype of the
// computation.
at::Tensor Forward(const Model& model, const PackedBatch& batch,
                   const ForwardOptions& options = {});
// [B,T,H]; zeros at padding. Position ids come from the mask (cumsum - 1), as transformers' do.
at::Tensor ForwardPadded(const Model& model, const at::Tensor& ids_BT, const at::Tensor& mask_BT,
                         const ForwardOptions& options = {});
// Logits [.., V] of hidden states [.., H], float32 (or float64). For a few positions only.
at::Tensor Logits(const Model& model, const at::Tensor& hidden);

struct LogprobOptions {
  double temperature =
      1.0;  // > 0; logits are divided by it before the log-softmax over the whole vocabulary
  int64_t chunk = 128;        // at most chunk * V logits exist at one time
  bool entropy = true;        // also compute entropies (else undefined)
  bool entropy_grad = false;  // entropies take part in backward (an entropy bonus)
  at::Tensor head_grad;       // if set: [V,H] float32, to which backward adds the head's gradient
  bool top1 = false;          // also tell which targets have the highest logit (else undefined)
};
struct TokenLogprobs {
  at::Tensor logp_M;     // float32: log pi(target), differentiable in hidden and head
  at::Tensor entropy_M;  // float32: logsumexp(z) - sum softmax(z) z
  at::Tensor top1_M;     // float32: 1 where the target's logit is the highest, else 0
};
// Never holds [M,V]: a slice of the vocabulary at a time, computed again in the backward pass; a head in another dtype than the
// hidden states is cast by slices too (and then needs `head_grad` or no gradient).
TokenLogprobs ComputeTokenLogprobs(const at::Tensor& hidden_MH, const at::Tensor& head_VH,
                                   const at::Tensor& targets_M, const LogprobOptions& options);
// Forward, gather and score: log-probs and entropies of every completion token of the batch.
TokenLogprobs ScoreTokens(const Model& model, const ScoredBatch& batch,
                          const ForwardOptions& forward, const LogprobOptions& options);

}  // namespace assay
