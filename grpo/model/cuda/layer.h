// A decoder layer on an NVIDIA GPU in bfloat16 with a float32 residual stream: five matrix products, flash attention over packed
// rows of any length (a shared prompt's keys are read by every row that goes on from it), and a kernel each for what stands between
// them; one autograd function with its backward pass written out. The plain twin is Layer in model.cc: the same values up to
// rounding. Thread-safe as LibTorch's operators are; may throw c10::Error.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/custom_class.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "grpo/model/model.h"

namespace assay::cuda {

// What all layers of one forward pass share.
struct LayerPlan : torch::CustomClassHolder {
  ModelConfig config;
  at::Tensor cosine, sine;  // [N, D/2] float32
  at::Tensor query_ends,
      key_ends;  // int32 [segments + 1]: where each segment's queries and keys end, from 0
  int64_t longest_query = 0, longest_key = 0;
  int64_t dense_rows = 0;          // so many rows of one length without shared prefixes; 0: not so
  int64_t tokens = 0, places = 0;  // packed tokens; keys with each shared prefix repeated
  // Undefined without shared prefixes: the token of each place, and each token's places (rows of a sparse matrix).
  at::Tensor source, first_place, place_list;
  bool recompute = false;     // keep only a layer's input
  bool norms_divide = false;  // as ForwardOptions::norms_divide says
};
using Plan = c10::intrusive_ptr<LayerPlan>;

// True if the layers of this model have such a form for these packed rows.
bool HasFusedLayers(const Model& model, const PackedBatch& batch, at::ScalarType compute);
Plan MakeLayerPlan(const Model& model, const PackedBatch& batch, at::Tensor cosine, at::Tensor sine,
                   bool recompute);

// The residual stream stands as x + y until the next norm adds it up: x float32 [N,H], y bfloat16 [N,H] (undefined: nothing yet).
struct Stream {
  at::Tensor x, y;
};
// `kv`, if not null, gets this layer's keys and values (only without shared prefixes). To `sums`, if not null, the backward pass adds
// the matrices' gradients, as ForwardOptions::layer_grads says.
Stream FusedLayer(const Plan& plan, const LayerWeights& weights, const Stream& in,
                  std::vector<LayerKv>* kv, const LayerWeights* sums);
// norm(x + y) in bfloat16.
at::Tensor FusedFinalNorm(const Plan& plan, const at::Tensor& weight, const Stream& in);

// The two passes of logprobs.cc over a slice of logits [M, width] in float32 or bfloat16.
void JoinSlice(const at::Tensor& logits, int64_t first, const at::Tensor& targets, double scale,
               const at::Tensor& max, const at::Tensor& sum, const at::Tensor& weighted,
               const at::Tensor& chosen);
void SliceGrad(const at::Tensor& logits, int64_t first, const at::Tensor& targets, double scale,
               const at::Tensor& lse, const at::Tensor& dlogp, const at::Tensor& dentropy,
               const at::Tensor& entropy);

}  // namespace assay::cuda
