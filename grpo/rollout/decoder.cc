#include "grpo/rollout/decoder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/check.h"
#include "grpo/model/attention.h"
#include "grpo/model/ops.h"

namespace assay {
namespace {

// The cache grows by this many places at a time, so that shapes change seldom.
constexpr int64_t kPlaces = 64;

}  // namespace

Decoder::Decoder(const Model& model, int64_t rows, int64_t capacity)
    : model_(model), capacity_(capacity) {
  at::NoGradGuard no_grad;
  const ModelConfig& c = model.config;
  const auto options = model.embed.options().requires_grad(false);
  for (const LayerWeights& w : model.layers) {
    Layer layer;
    layer.qkv = c.packed ? w.qkv_proj : JoinRows({w.q_proj, w.k_proj, w.v_proj});
    layer.qkv_bias = JoinRows({w.q_bias, w.k_bias, w.v_bias});
    layer.gate_up = c.packed ? w.gate_up_proj : JoinRows({w.gate_proj, w.up_proj});
    layer.gate_up_bias = JoinRows({w.gate_bias, w.up_bias});
    layer.keys = at::empty({rows, c.num_kv_heads, capacity, c.head_dim}, options);
    layer.values = at::empty_like(layer.keys);
    layers_.push_back(std::move(layer));
  }
  const at::Tensor positions =
      at::arange(capacity, at::TensorOptions(model.device()).dtype(at::kLong));
  rotary_ = MakeModelRotary(c, positions, capacity, StreamDtype(model.dtype()));
  row_numbers_ = at::arange(rows, at::TensorOptions(model.device()).dtype(at::kLong));
}

std::vector<PrefilledPrompt> Decoder::Prefill(
    const std::vector<std::vector<int64_t>>& prompts) const {
  at::NoGradGuard no_grad;
  const PackedBatch batch = PackRows(prompts, model_.device());
  std::vector<LayerKv> kv;
  ForwardOptions options;
  options.kv = &kv;
  options.longest = capacity_;
  const at::Tensor hidden = Forward(model_, batch, options);
  std::vector<int64_t> last;
  for (const Segment& segment : batch.segments) last.push_back(segment.start + segment.length - 1);
  const at::Tensor last_index = at::tensor(last, at::kLong).to(model_.device());
  const at::Tensor logits =
      Logits(model_, hidden.index_select(0, last_index)).to(at::kFloat).to(at::kCPU);
  std::vector<PrefilledPrompt> result;
  for (size_t i = 0; i < prompts.size(); ++i) {
    const Segment& segment = batch.segments[i];
    PrefilledPrompt prompt;
    prompt.length = segment.length;
    for (const LayerKv& layer : kv) {
      prompt.layers.push_back({layer.key.narrow(0, segment.start, segment.length),
                               layer.value.narrow(0, segment.start, segment.length)});
    }
    prompt.logits = logits[static_cast<int64_t>(i)];
    result.push_back(std::move(prompt));
  }
  return result;
}

void Decoder::Widen(int64_t width) {
  ASSAY_CHECK(width <= capacity_);
  const int64_t target = std::min(capacity_, (width + kPlaces - 1) / kPlaces * kPlaces);
  if (target <= ready_) return;
  for (Layer& layer : layers_) {
    layer.keys.narrow(2, ready_, target - ready_).zero_();
    layer.values.narrow(2, ready_, target - ready_).zero_();
  }
  ready_ = target;
}

void Decoder::Place(const PrefilledPrompt& prompt, int64_t row) {
  at::NoGradGuard no_grad;
  Widen(prompt.length);
  for (size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].keys[row].narrow(1, 0, prompt.length).copy_(prompt.layers[i].key.transpose(0, 1));
    layers_[i]
        .values[row]
        .narrow(1, 0, prompt.length)
        .copy_(prompt.layers[i].value.transpose(0, 1));
  }
}

void Decoder::Move(int64_t from, int64_t to, int64_t length) {
  at::NoGradGuard no_grad;
  for (Layer& layer : layers_) {
    layer.keys[to].narrow(1, 0, length).copy_(layer.keys[from].narrow(1, 0, length));
    layer.values[to].narrow(1, 0, length).copy_(layer.values[from].narrow(1, 0, length));
  }
}

at::Tensor Decoder::Attention(int64_t index, const at::Tensor& x, const StepPass& pass) {
  const ModelConfig& c = model_.config;
  const LayerWeights& w = model_.layers[static_cast<size_t>(index)];
  Layer& layer = layers_[static_cast<size_t>(index)];
  const int64_t rows = x.size(0);
  const at::Tensor& mask = c.WindowOf(index) > 0 ? pass.window_mask : pass.mask;
  const int64_t width = mask.size(-1);
  const at::Tensor qkv = Linear(x, layer.qkv, layer.qkv_bias).contiguous();
  auto heads = [&](int64_t first, int64_t count) {
    return qkv.narrow(1, first * c.head_dim, count * c.head_dim).view({rows, count, c.head_dim});
  };
  const at::Tensor q = PrepareHeads(c, index, pass.rotary, heads(0, c.num_heads), w.q_norm);
  const at::Tensor k =
      PrepareHeads(c, index, pass.rotary, heads(c.num_heads, c.num_kv_heads), w.k_norm);
  const at::Tensor v = heads(c.num_heads + c.num_kv_heads, c.num_kv_heads);
  const c10::List<std::optional<at::Tensor>> where(
      {std::optional<at::Tensor>(row_numbers_.narrow(0, 0, rows)), std::nullopt,
       std::optional<at::Tensor>(pass.positions)});
  layer.keys.index_put_(where, k);
  layer.values.index_put_(where, v);
  // The query heads of one key head are its rows: no key is repeated.
  const at::Tensor folded =
      q.reshape({rows, c.num_kv_heads, c.num_heads / c.num_kv_heads, c.head_dim});
  const at::Tensor keys = layer.keys.narrow(0, 0, rows).narrow(2, 0, width);
  const at::Tensor values = layer.values.narrow(0, 0, rows).narrow(2, 0, width);
  const std::optional<double> scale =
      c.attention_scale > 0 ? std::optional<double>(c.attention_scale) : std::nullopt;
  const at::Tensor out = at::scaled_dot_product_attention(folded, keys, values, mask, 0.0,
                                                          /*is_causal=*/false, scale);
  return Linear(out.reshape({rows, c.num_heads * c.head_dim}), w.o_proj, w.o_bias);
}

at::Tensor Decoder::Mlp(int64_t index, const at::Tensor& x) const {
  const ModelConfig& c = model_.config;
  const LayerWeights& w = model_.layers[static_cast<size_t>(index)];
  const Layer& layer = layers_[static_cast<size_t>(index)];
  if (!layer.gate_up.defined()) return LayerMlp(c, w, x);
  const at::Tensor both = Linear(x, layer.gate_up, layer.gate_up_bias);
  const at::Tensor gate = both.narrow(1, 0, c.intermediate_size);
  const at::Tensor up = both.narrow(1, c.intermediate_size, c.intermediate_size);
  return Linear(GateMul(gate, up, c.activation), w.down_proj, w.down_bias);
}

at::Tensor Decoder::Step(const std::vector<int64_t>& tokens,
                         const std::vector<int64_t>& positions) {
  at::NoGradGuard no_grad;
  const ModelConfig& c = model_.config;
  const auto rows = static_cast<int64_t>(tokens.size());
  Widen(*std::max_element(positions.begin(), positions.end()) + 1);
  StepPass pass;
  pass.positions = at::tensor(positions, at::kLong).to(model_.device());
  pass.rotary = SelectRotary(rotary_, pass.positions);
  const at::Tensor places =
      at::arange(ready_, at::TensorOptions(model_.device()).dtype(at::kLong)).unsqueeze(0);
  const at::Tensor here = pass.positions.unsqueeze(1);
  const auto all_heads = [&](const at::Tensor& mask) {
    return mask.view({rows, 1, 1, ready_})
        .expand({rows, c.num_kv_heads, c.num_heads / c.num_kv_heads, ready_});
  };
  const at::Tensor before = places.le(here);
  pass.mask = all_heads(before);
  if (c.window > 0) pass.window_mask = all_heads(before.logical_and(places.gt(here - c.window)));
  const at::ScalarType compute = model_.dtype();
  at::Tensor x = at::embedding(model_.embed, at::tensor(tokens, at::kLong).to(model_.device()))
                     .to(StreamDtype(compute));
  x = ScaleEmbedding(c, x, compute);
  for (int64_t i = 0; i < c.num_layers; ++i) {
    const LayerWeights& w = model_.layers[static_cast<size_t>(i)];
    const at::Tensor attended = Attention(i, BranchInput(c, x, w.input_norm, compute), pass);
    x = AddBranch(c, x, attended, w.attention_norm);
    x = AddBranch(c, x, Mlp(i, BranchInput(c, x, w.post_norm, compute)), w.mlp_norm);
  }
  at::Tensor hidden = ConfigNorm(c, x, model_.norm, compute);
  if (c.logit_divisor != 1.0) hidden = hidden / c.logit_divisor;
  return Linear(hidden, model_.head, {}).to(at::kFloat).contiguous().to(at::kCPU);
}

}  // namespace assay
