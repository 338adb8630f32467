// The differentiable pieces of a decoder layer, each an autograd function that saves little and computes the rest again:
// RMS norm, rotary embedding, the gated MLP, row gathers. float32 and bfloat16 on the CPU go through cpu_kernels; everything
// else through ATen. Pure; thread-safe as LibTorch's operators are. Not a public interface of the trainer: model.cc's.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "grpo/config/model_config.h"

namespace assay {

// x_NH (float32, or float64) normalised and scaled by weight_H, in `dtype`. Saves x and one number a row.
at::Tensor RmsNorm(const at::Tensor& x_NH, const at::Tensor& weight_H, double eps,
                   at::ScalarType dtype);

// Rotates [N, heads, D] by cosines and sines [N, D/2] (float32, or float64 with float64 x); saves only those.
at::Tensor Rope(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine);

// down(act(gate(x)) * up(x)); biases may be undefined. Saves x, gate(x), up(x); the product is computed again.
struct MlpWeights {
  at::Tensor gate, gate_bias, up, up_bias, down, down_bias;
};
at::Tensor GatedMlp(const at::Tensor& x_NH, const MlpWeights& weights,
                    Activation activation = Activation::kSilu);

// a b^T for a [M, K] and b [N, K] of any strides: the product that all others are written as. In float32 on the CPU it goes
// to oneDNN, which is twice as fast as the BLAS that LibTorch has on some processors. No gradient of its own.
at::Tensor MatmulNt(const at::Tensor& a, const at::Tensor& b);

// sum += part without a gradient, for a float32 sum and a part of any dtype; no copy of the part in float32 is made.
void AddInto(const at::Tensor& sum, const at::Tensor& part);

// x W^T + b for x [N, in].
at::Tensor Linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

// Matrices (or biases) one below the other, undefined if the first is: a view where they already lie so in memory, as
// CastModel and PackModel place them, else a copy. No gradient.
at::Tensor JoinRows(const std::vector<at::Tensor>& parts);

// act(gate) * up without a gradient (decoding).
at::Tensor GateMul(const at::Tensor& gate, const at::Tensor& up, Activation activation);

// Rows `index` of x. Every row of x occurs at most once among the entries whose gradient is not zero, and inverse[j] is the place
// of row j in `index` (-1: nowhere), so that the gradient is a gather too.
at::Tensor GatherRows(const at::Tensor& x, const at::Tensor& index, const at::Tensor& inverse);

// Runs `body(x, weights)` without keeping its graph and again, with one, in the backward pass. `body` must be deterministic
// and must use no other tensor that wants a gradient. Undefined weights are passed through.
using CheckpointBody =
    std::function<at::Tensor(const at::Tensor& x, const std::vector<at::Tensor>& weights)>;
at::Tensor Checkpoint(const at::Tensor& x, const std::vector<at::Tensor>& weights,
                      CheckpointBody body);

// The same with weights that are made for each of the two passes and freed after it. The backward pass gives the gradients of those that
// want one (requires_grad of what `take` gives) away at once, undefined for the others; they are no inputs of the graph, so one of `in`
// must want a gradient.
struct OnDemand {
  std::function<std::vector<at::Tensor>()> take;
  std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& in,
                                        const std::vector<at::Tensor>& weights)>
      body;
  std::function<void(const std::vector<at::Tensor>& gradients)> give;
};
std::vector<at::Tensor> CheckpointOnDemand(const std::vector<at::Tensor>& in, OnDemand what);

}  // namespace assay
