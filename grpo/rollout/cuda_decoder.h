// Decoding that stays on an NVIDIA GPU: rows live in slots of a static key/value cache, a prompt's keys stand once for all rows
// of its group, a step (layers, log-probs, drawing the next token) is one CUDA graph that reads lengths and tokens from device
// memory, and the host looks at what was drawn every some steps only, one look behind. The plain twin is grpo/rollout/decoder.h
// with sampler.h, which draws the same numbers from the same streams. One thread; no gradients; may throw c10::Error.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/rng.h"
#include "grpo/model/cuda/runtime.h"
#include "grpo/model/model.h"
#include "grpo/rollout/sampler.h"

namespace assay {

class CudaDecoder {
 public:
  // True if the model's device, dtype (float32, bfloat16), family and shapes have kernels.
  static bool Supports(const Model& model);

  // Rows that the device's memory has room for beside what it holds, when they stay until they have grown by max_new tokens.
  static int64_t RowsThatFit(const Model& model, int64_t prompt, int64_t group, int64_t max_new);

  struct Shape {
    int64_t slots = 0;            // rows at one time
    int64_t places = 0;           // prompts at one time
    int64_t prompt_capacity = 0;  // tokens of the longest prompt
    int64_t max_new = 0;          // tokens that a row may grow by
    int64_t min_new = 0;
    int64_t steps_at_once = 16;  // between two looks of the host
  };
  CudaDecoder(const Model& model, const Shape& shape, const DrawParams& draw,
              const std::vector<int64_t>& stop_ids);
  ~CudaDecoder();

  // Computes prompts together, each into a free place.
  void Prefill(const std::vector<std::vector<int64_t>>& prompts,
               const std::vector<int64_t>& places);
  // A row that enters a slot with the prompt of a place, and draws its first token.
  struct Entry {
    int64_t slot = 0;
    int64_t place = 0;
    const std::vector<int64_t>* prompt = nullptr;
    Rng::State stream;
  };
  void Enter(const std::vector<Entry>& entries);
  // Up to `steps` (at most steps_at_once) tokens more for the rows in these slots; a row that has ended stays as it is. Returns at
  // once; ends with sending what was drawn so far to the host. At most two launches may be unread.
  void Launch(const std::vector<int64_t>& slots, int64_t steps);

  // What the oldest unread launch sent, once it is there. Token number t of a row is at t % ring; only the newest `ring` stand.
  struct Look {
    const int32_t* tokens = nullptr;  // [slots, ring]
    const float* logprobs = nullptr;  // [slots, ring]
    const int32_t* counts = nullptr;  // [slots]: tokens drawn by the row
    int64_t ring = 0;
  };
  Look Read();

 private:
  struct Layer {
    at::Tensor qkv, gate_up, qkv_bias;
    at::Tensor prompt_keys, prompt_values;  // [places * prompt_capacity, kv_heads, D]
    at::Tensor own_keys, own_values;        // [slots, max_new, kv_heads, D]
  };
  // Buffers and the graph of a step for this many rows.
  struct Bucket {
    int64_t rows = 0;
    int64_t shares = 1;  // blocks that share the keys of a row and head
    at::Tensor slots;    // [rows] int32
    at::Tensor x, h, qkv, attended, gate_up, inner, y, logits;
    at::Tensor
        squares;  // of the stream, by tile (kernels/products.cu); undefined where cuBLAS multiplies
    at::Tensor parts,
        arrived;  // of such blocks (kernels/decode.cu); undefined where a block takes all keys
    cuda::Graph graph;
  };
  struct Mirror {
    at::Tensor tokens, logprobs, counts;  // pinned
    std::optional<c10::Event> sent;
  };

  cuda::Kernel Get(const char* name) const;
  Bucket* BucketFor(int64_t rows);
  void MakeBuffers(Bucket* bucket) const;
  void Step(Bucket* bucket) const;
  void LayerStep(size_t index, Bucket* bucket) const;
  void FusedLayerStep(size_t index, Bucket* bucket) const;
  void Attend(const LayerWeights& weights, const Layer& layer, const Bucket& bucket) const;
  void DrawTokens(const at::Tensor& slots, const at::Tensor& logit_rows,
                  const at::Tensor& logits) const;
  void Send();

  const Model model_;
  const Shape shape_;
  const DrawParams draw_;
  int64_t ring_ = 0;
  c10::Stream main_;  // of the caller
  c10::Stream own_;   // of the graphs
  cuda::Definitions definitions_;
  std::vector<Layer> layers_;
  at::Tensor cosines_, sines_;    // [prompt_capacity + max_new, D/2]
  at::Tensor prompt_logits_;      // [places, V]
  std::vector<int64_t> lengths_;  // of the prompt in each place
  at::Tensor tokens_, counts_, done_, prompt_first_, prompt_length_;  // [slots] int32
  at::Tensor streams_;                                                // [slots, 4] int64
  at::Tensor seen_;  // [slots, words] int32; undefined without a repetition penalty
  at::Tensor ring_tokens_, ring_logprobs_;
  at::Tensor stop_ids_;
  int64_t stops_ = 0;
  std::map<int64_t, std::unique_ptr<Bucket>> buckets_;
  Mirror mirrors_[2];
  int64_t launched_ = 0, read_ = 0;
};

}  // namespace assay
