// What the layers of the families differ in, once for both readers of a layer: the whole pass (model.cc) and the step with a cache
// (rollout/decoder.h). A layer is: x + attention(norm(x)), then x + mlp(norm(x)), with what the config has of norms before and
// behind, rotation, experts and multipliers. Pure; differentiable; may throw c10::Error.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "grpo/model/attention.h"
#include "grpo/model/model.h"

namespace assay {

// The dtype of residual stream, norms and rotary tables for weights of `dtype`.
at::ScalarType StreamDtype(at::ScalarType dtype);

// RMS norm of x [N, H] (in the stream's dtype), in `dtype`.
at::Tensor ConfigNorm(const ModelConfig& config, const at::Tensor& x, const at::Tensor& weight,
                      at::ScalarType dtype);
// What goes into attention or MLP: the stream, normalised where the config has a norm there.
at::Tensor BranchInput(const ModelConfig& config, const at::Tensor& x, const at::Tensor& weight,
                       at::ScalarType dtype);
// The stream x with what attention or MLP gave added; `norm` is undefined where the config has none behind.
at::Tensor AddBranch(const ModelConfig& config, const at::Tensor& x, const at::Tensor& branch,
                     const at::Tensor& norm);
// Embeddings [N, H] as the residual stream begins with them; rounded as a computation in `compute` rounds.
at::Tensor ScaleEmbedding(const ModelConfig& config, const at::Tensor& x, at::ScalarType compute);

// Tables of both kinds; `local` is undefined where the config has one.
struct ModelRotary {
  RotaryTables full, local;
};
ModelRotary MakeModelRotary(const ModelConfig& config, const at::Tensor& positions, int64_t longest,
                            at::ScalarType dtype);
// Those of rows `index` of the positions that they were made for.
ModelRotary SelectRotary(const ModelRotary& rotary, const at::Tensor& index);

// Queries [N, heads, D] or keys [N, kv_heads, D] of layer `layer`: normalised by `norm` where the config says so, and rotated.
at::Tensor PrepareHeads(const ModelConfig& config, int64_t layer, const ModelRotary& rotary,
                        const at::Tensor& heads, const at::Tensor& norm);

// The MLP of a layer, be it one or a mixture of experts.
at::Tensor LayerMlp(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x_NH);

}  // namespace assay
