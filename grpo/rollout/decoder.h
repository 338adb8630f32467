// Decoder: the model with a key/value cache, for generation. Rows 0 .. n-1 of the cache are in use; each has its own length.
// Tensors keep their shapes through a run (capacity is fixed when it is made), so that a step can become a CUDA graph. Not
// thread-safe; no gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "grpo/model/blocks.h"
#include "grpo/model/model.h"

namespace assay {

// A prompt's keys and values in every layer, and the logits that follow it.
struct PrefilledPrompt {
  int64_t length = 0;
  std::vector<LayerKv> layers;  // [length, kv_heads, D]
  at::Tensor logits;            // [V] float32, on the CPU
};

class Decoder {
 public:
  // Room for `rows` rows of at most `capacity` tokens.
  Decoder(const Model& model, int64_t rows, int64_t capacity);

  // Computes the prompts together.
  std::vector<PrefilledPrompt> Prefill(const std::vector<std::vector<int64_t>>& prompts) const;
  // Row `row` becomes a copy of the prompt.
  void Place(const PrefilledPrompt& prompt, int64_t row);
  // Row `from` takes the place of row `to` (its first `length` tokens).
  void Move(int64_t from, int64_t to, int64_t length);
  // Appends tokens[i] at place positions[i] to rows 0 .. n-1; returns the logits that follow, [n, V] float32 on the CPU.
  at::Tensor Step(const std::vector<int64_t>& tokens, const std::vector<int64_t>& positions);

 private:
  struct Layer {
    at::Tensor qkv, qkv_bias, gate_up,
        gate_up_bias;         // joined along their outputs; the last two undefined beside experts
    at::Tensor keys, values;  // [rows, kv_heads, capacity, D]
  };
  // Makes places [ready_, width) of the cache finite: attention multiplies masked places by zero.
  void Widen(int64_t width);
  // What the rows at one step share; masks are [rows, kv_heads, heads / kv_heads, places].
  struct StepPass {
    at::Tensor positions;
    ModelRotary rotary;
    at::Tensor mask, window_mask;
  };
  at::Tensor Attention(int64_t layer, const at::Tensor& x, const StepPass& pass);
  at::Tensor Mlp(int64_t layer, const at::Tensor& x) const;

  const Model model_;
  int64_t capacity_;
  int64_t ready_ = 0;
  std::vector<Layer> layers_;
  ModelRotary rotary_;      // of positions below the capacity
  at::Tensor row_numbers_;  // [rows]
};

}  // namespace assay
