#include "grpo/model/model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "core/check.h"
#include "core/text.h"
#include "grpo/model/attention.h"
#include "grpo/model/cuda/layer.h"
#include "grpo/model/cuda/runtime.h"
#include "grpo/model/lora.h"
#include "grpo/model/ops.h"

namespace assay {
namespace {

struct LayerField {
  const char* name;
  at::Tensor LayerWeights::*field;
};

// In the order in which a layer uses them.
constexpr LayerField kLayerFields[] = {
    {"input_layernorm.weight", &LayerWeights::input_norm},
    {"self_attn.q_proj.weight", &LayerWeights::q_proj},
    {"self_attn.q_proj.bias", &LayerWeights::q_bias},
    {"self_attn.k_proj.weight", &LayerWeights::k_proj},
    {"self_attn.k_proj.bias", &LayerWeights::k_bias},
    {"self_attn.v_proj.weight", &LayerWeights::v_proj},
    {"self_attn.v_proj.bias", &LayerWeights::v_bias},
    {"self_attn.q_norm.weight", &LayerWeights::q_norm},
    {"self_attn.k_norm.weight", &LayerWeights::k_norm},
    {"self_attn.o_proj.weight", &LayerWeights::o_proj},
    {"self_attn.o_proj.bias", &LayerWeights::o_bias},
    {"post_attention_layernorm.weight", &LayerWeights::post_norm},
    {"mlp.gate_proj.weight", &LayerWeights::gate_proj},
    {"mlp.gate_proj.bias", &LayerWeights::gate_bias},
    {"mlp.up_proj.weight", &LayerWeights::up_proj},
    {"mlp.up_proj.bias", &LayerWeights::up_bias},
    {"mlp.down_proj.weight", &LayerWeights::down_proj},
    {"mlp.down_proj.bias", &LayerWeights::down_bias},
};

std::vector<int64_t> LayerShape(const ModelConfig& c, std::string_view name) {
  const int64_t q = c.num_heads * c.head_dim;
  const int64_t kv = c.num_kv_heads * c.head_dim;
  const int64_t h = c.hidden_size;
  const int64_t inner = c.intermediate_size;
  using Shape = std::vector<int64_t>;
  if (name == "input_layernorm.weight" || name == "post_attention_layernorm.weight") return {h};
  if (name == "self_attn.q_proj.weight") return {q, h};
  if (name == "self_attn.k_proj.weight" || name == "self_attn.v_proj.weight") return {kv, h};
  if (name == "self_attn.o_proj.weight") return {h, q};
  if (name == "self_attn.q_proj.bias") return c.qkv_bias ? Shape{q} : Shape{};
  if (name == "self_attn.k_proj.bias" || name == "self_attn.v_proj.bias")
    return c.qkv_bias ? Shape{kv} : Shape{};
  if (name == "self_attn.o_proj.bias") return c.o_bias ? Shape{h} : Shape{};
  if (name == "self_attn.q_norm.weight" || name == "self_attn.k_norm.weight") {
    return c.qk_norm ? Shape{c.head_dim} : Shape{};
  }
  if (name == "mlp.gate_proj.weight" || name == "mlp.up_proj.weight") return {inner, h};
  if (name == "mlp.down_proj.weight") return {h, inner};
  if (name == "mlp.gate_proj.bias" || name == "mlp.up_proj.bias")
    return c.mlp_bias ? Shape{inner} : Shape{};
  if (name == "mlp.down_proj.bias") return c.mlp_bias ? Shape{h} : Shape{};
  return {};
}

constexpr std::string_view kLayerPrefix = "model.layers.";

bool IsNorm(const std::string& name) { return name.find("norm") != std::string::npos; }

// The dtype of residual stream, norms and rotary tables for weights of `dtype`.
at::ScalarType StreamDtype(at::ScalarType dtype) {
  return dtype == at::kDouble ? at::kDouble : at::kFloat;
}

at::Tensor ToInt64Tensor(const std::vector<int64_t>& values, at::Device device) {
  return device.is_cuda() ? cuda::ToDevice(values, device) : at::tensor(values, at::kLong);
}

}  // namespace

void VisitWeights(Model* model, const WeightVisitor& visit) {
  const ModelConfig& config = model->config;
  model->layers.resize(static_cast<size_t>(config.num_layers));
  visit("model.embed_tokens.weight", &model->embed);
  for (size_t i = 0; i < model->layers.size(); ++i) {
    for (const LayerField& field : kLayerFields) {
      if (LayerShape(config, field.name).empty()) continue;
      visit(StrCat(kLayerPrefix, i, ".", field.name), &(model->layers[i].*field.field));
    }
  }
  visit("model.norm.weight", &model->norm);
  if (config.tied_head) {
    TieHead(model);
  } else {
    visit("lm_head.weight", &model->head);
  }
}

std::vector<int64_t> WeightShape(const ModelConfig& config, const std::string& name) {
  if (name == "model.embed_tokens.weight") return {config.vocab_size, config.hidden_size};
  if (name == "model.norm.weight") return {config.hidden_size};
  if (name == "lm_head.weight" && !config.tied_head) return {config.vocab_size, config.hidden_size};
  if (!StartsWith(name, kLayerPrefix)) return {};
  const std::string_view rest = std::string_view(name).substr(kLayerPrefix.size());
  const size_t dot = rest.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot > 6) return {};
  int64_t layer = 0;
  for (char c : rest.substr(0, dot)) {
    if (c < '0' || c > '9') return {};
    layer = layer * 10 + (c - '0');
  }
  if (layer >= config.num_layers) return {};
  return LayerShape(config, rest.substr(dot + 1));
}

void TieHead(Model* model) {
  if (model->config.tied_head) model->head = model->embed;
}

std::vector<NamedTensor> NamedWeights(const Model& model) {
  std::vector<NamedTensor> weights;
  Model copy = model;
  VisitWeights(&copy, [&](const std::string& name, at::Tensor* tensor) {
    weights.push_back({name, *tensor});
  });
  return weights;
}

std::vector<NamedTensor> TrainableWeights(const Model& model) {
  return model.lora != nullptr ? LoraTensors(*model.lora) : NamedWeights(model);
}

void SetTrainable(Model* model, bool trainable) {
  for (const NamedTensor& weight : TrainableWeights(*model))
    weight.tensor.requires_grad_(trainable);
}

namespace {

Model CopyPacked(Model model, at::ScalarType dtype) {
  // Places start at multiples of 64 elements, which every width that matters is: no gap between neighbours.
  const auto padded = [](const at::Tensor& tensor) { return (tensor.numel() + 63) / 64 * 64; };
  // Beside an adapter, what it leaves alone is shared where it has the dtype already.
  const std::shared_ptr<const Lora> lora = std::exchange(model.lora, nullptr);
  const bool share = lora != nullptr && model.dtype() == dtype;
  const auto stays = [&](const std::string& name) { return share && lora->Find(name) == nullptr; };
  int64_t count = 0;
  for (const NamedTensor& weight : NamedWeights(model)) {
    if (weight.tensor.dim() == 2 && !stays(weight.name)) count += padded(weight.tensor);
  }
  const at::Tensor all =
      at::empty({count}, model.embed.options().dtype(dtype).requires_grad(false));
  const bool half = dtype == at::kBFloat16 || dtype == at::kHalf;
  if (model.config.tied_head) model.head = at::Tensor();
  int64_t first = 0;
  VisitWeights(&model, [&](const std::string& name, at::Tensor* tensor) {
    if (stays(name)) return;
    const LoraPair* pair = lora == nullptr ? nullptr : lora->Find(name);
    const at::Tensor from =
        pair == nullptr ? tensor->detach() : MergeLora(*tensor, *pair, lora->config.scale());
    if (from.dim() != 2) {
      *tensor = from.to(half && IsNorm(name) ? at::kFloat : dtype, /*non_blocking=*/false,
                        /*copy=*/true);
      return;
    }
    *tensor = all.narrow(0, first, from.numel()).view(from.sizes());
    tensor->copy_(from);
    first += padded(from);
  });
  return model;
}

}  // namespace

Model CastModel(const Model& model, at::ScalarType dtype) {
  return model.dtype() == dtype && model.lora == nullptr ? model : CopyPacked(model, dtype);
}

Model PackModel(Model model) {
  const at::ScalarType dtype = model.dtype();
  return CopyPacked(std::move(model), dtype);
}

Model ToDevice(const Model& model, at::Device device) {
  Model result = model;
  VisitWeights(&result,
               [&](const std::string&, at::Tensor* tensor) { *tensor = tensor->to(device); });
  return result;
}

Model CloneModel(const Model& model) {
  Model result = model;
  VisitWeights(&result,
               [&](const std::string&, at::Tensor* tensor) { *tensor = tensor->detach().clone(); });
  return result;
}

int64_t CountParameters(const Model& model) {
  int64_t count = 0;
  for (const NamedTensor& weight : NamedWeights(model)) count += weight.tensor.numel();
  return count;
}

int64_t CountTrainable(const Model& model) {
  int64_t count = 0;
  for (const NamedTensor& weight : TrainableWeights(model)) count += weight.tensor.numel();
  return count;
}

PackedBatch PackRows(const std::vector<std::vector<int64_t>>& rows, at::Device device) {
  PackedBatch batch;
  std::vector<int64_t> ids;
  std::vector<int64_t> positions;
  for (const std::vector<int64_t>& row : rows) {
    batch.segments.push_back(
        {static_cast<int64_t>(ids.size()), static_cast<int64_t>(row.size()), -1});
    for (size_t t = 0; t < row.size(); ++t) {
      ids.push_back(row[t]);
      positions.push_back(static_cast<int64_t>(t));
    }
  }
  batch.ids_N = ToInt64Tensor(ids, device);
  batch.positions_N = ToInt64Tensor(positions, device);
  return batch;
}

PackedBatch PackPadded(const at::Tensor& ids_BT, const at::Tensor& mask_BT, at::Tensor* index_N) {
  ASSAY_CHECK(ids_BT.dim() == 2 && ids_BT.sizes() == mask_BT.sizes());
  const at::Tensor mask = mask_BT.ne(0);
  const at::Tensor index = mask.flatten().nonzero().squeeze(1);
  const at::Tensor positions =
      mask.to(at::kLong).cumsum(1).sub_(1).flatten().index_select(0, index);
  const at::Tensor lengths = mask.sum(1).to(at::kCPU).contiguous();
  PackedBatch batch;
  int64_t start = 0;
  for (int64_t b = 0; b < lengths.size(0); ++b) {
    const int64_t length = lengths.data_ptr<int64_t>()[b];
    batch.segments.push_back({start, length, -1});
    start += length;
  }
  batch.ids_N = ids_BT.flatten().index_select(0, index);
  batch.positions_N = positions;
  if (index_N != nullptr) *index_N = index;
  return batch;
}

ScoredBatch PackGroups(const std::vector<TokenGroup>& groups, at::Device device,
                       bool share_prompts) {
  ScoredBatch batch;
  std::vector<int64_t> ids, positions, source, targets, rows, columns;
  auto append = [&](const std::vector<int64_t>& tokens, int64_t first_position) {
    for (size_t t = 0; t < tokens.size(); ++t) {
      ids.push_back(tokens[t]);
      positions.push_back(first_position + static_cast<int64_t>(t));
    }
  };
  for (const TokenGroup& group : groups) {
    ASSAY_CHECK(!group.prompt.empty());
    const int64_t prompt_length = static_cast<int64_t>(group.prompt.size());
    const int64_t shared = static_cast<int64_t>(batch.packed.segments.size());
    int64_t last_prompt = static_cast<int64_t>(ids.size()) + prompt_length - 1;
    if (share_prompts) {
      batch.packed.segments.push_back({static_cast<int64_t>(ids.size()), prompt_length, -1});
      append(group.prompt, 0);
    }
    for (const std::vector<int64_t>& completion : group.completions) {
      const int64_t length = static_cast<int64_t>(completion.size());
      int64_t start = static_cast<int64_t>(ids.size());
      if (share_prompts) {
        if (length > 0) batch.packed.segments.push_back({start, length, shared});
      } else {
        batch.packed.segments.push_back({start, prompt_length + length, -1});
        append(group.prompt, 0);
        start += prompt_length;
        last_prompt = start - 1;
      }
      append(completion, prompt_length);
      for (int64_t t = 0; t < length; ++t) {
        source.push_back(t == 0 ? last_prompt : start + t - 1);
        targets.push_back(completion[static_cast<size_t>(t)]);
        rows.push_back(batch.num_rows);
        columns.push_back(t);
      }
      batch.max_length = std::max(batch.max_length, length);
      ++batch.num_rows;
    }
  }
  batch.packed.ids_N = ToInt64Tensor(ids, device);
  batch.packed.positions_N = ToInt64Tensor(positions, device);
  batch.source_M = ToInt64Tensor(source, device);
  batch.targets_M = ToInt64Tensor(targets, device);
  batch.row_M = ToInt64Tensor(rows, device);
  batch.column_M = ToInt64Tensor(columns, device);
  return batch;
}

at::Tensor ScatterScored(const ScoredBatch& batch, const at::Tensor& values_M, int64_t width,
                         double fill) {
  ASSAY_CHECK(width >= batch.max_length);
  const at::Tensor base =
      at::full({batch.num_rows, width}, fill, values_M.options().requires_grad(false));
  return base.index_put({batch.row_M, batch.column_M}, values_M);
}

namespace {

// What every layer of one forward pass shares.
struct Pass {
  const ModelConfig* config;
  const AttentionPlan* plan;
  at::Tensor cosine, sine;  // [N, D/2]
  at::ScalarType compute;
  std::vector<LayerKv>* kv = nullptr;
};

at::Tensor HeadNorm(const at::Tensor& x_NhD, const at::Tensor& weight, const ModelConfig& config) {
  const at::Tensor flat = x_NhD.reshape({-1, config.head_dim});
  const at::ScalarType dtype = flat.scalar_type();
  return RmsNorm(flat.to(StreamDtype(dtype)), weight, config.rms_eps, dtype).view(x_NhD.sizes());
}

at::Tensor SelfAttention(const Pass& pass, const LayerWeights& w, const at::Tensor& x_NH) {
  const ModelConfig& c = *pass.config;
  const int64_t tokens = x_NH.size(0);
  at::Tensor q = Linear(x_NH, w.q_proj, w.q_bias).view({tokens, c.num_heads, c.head_dim});
  at::Tensor k = Linear(x_NH, w.k_proj, w.k_bias).view({tokens, c.num_kv_heads, c.head_dim});
  const at::Tensor v = Linear(x_NH, w.v_proj, w.v_bias).view({tokens, c.num_kv_heads, c.head_dim});
  if (c.qk_norm) {
    q = HeadNorm(q, w.q_norm, c);
    k = HeadNorm(k, w.k_norm, c);
  }
  q = Rope(q, pass.cosine, pass.sine);
  k = Rope(k, pass.cosine, pass.sine);
  if (pass.kv != nullptr) pass.kv->push_back({k.detach(), v.detach()});
  return Linear(PackedAttention(*pass.plan, q, k, v), w.o_proj, w.o_bias);
}

// x + attention(norm(x)), then x + mlp(norm(x)).
at::Tensor Layer(const Pass& pass, const LayerWeights& w, const at::Tensor& x_NH) {
  const double eps = pass.config->rms_eps;
  at::Tensor x = x_NH + SelfAttention(pass, w, RmsNorm(x_NH, w.input_norm, eps, pass.compute));
  const MlpWeights mlp{w.gate_proj, w.gate_bias, w.up_proj, w.up_bias, w.down_proj, w.down_bias};
  return x + GatedMlp(RmsNorm(x, w.post_norm, eps, pass.compute), mlp);
}

std::vector<at::Tensor> Flatten(const LayerWeights& weights) {
  std::vector<at::Tensor> flat;
  for (const LayerField& field : kLayerFields) flat.push_back(weights.*field.field);
  return flat;
}

LayerWeights Unflatten(const std::vector<at::Tensor>& flat) {
  LayerWeights weights;
  for (size_t i = 0; i < flat.size(); ++i) weights.*kLayerFields[i].field = flat[i];
  return weights;
}

// The layer's weights in the dtype of the computation; the same tensors where they have it.
LayerWeights CastLayer(LayerWeights weights, at::ScalarType dtype) {
  for (const LayerField& field : kLayerFields) {
    at::Tensor& weight = weights.*field.field;
    if (weight.defined() && !IsNorm(std::string(field.name))) weight = weight.to(dtype);
  }
  return weights;
}

int64_t LongestContext(const PackedBatch& batch) {
  int64_t longest = 0;
  for (const Segment& segment : batch.segments) {
    const int64_t prefix =
        segment.prefix < 0 ? 0 : batch.segments[static_cast<size_t>(segment.prefix)].length;
    longest = std::max(longest, prefix + segment.length);
  }
  return longest;
}

}  // namespace

RotaryTables MakeRotaryTables(const ModelConfig& config, const at::Tensor& positions,
                              int64_t longest, at::ScalarType dtype) {
  const RopeTable table = MakeRopeTable(config.rope, config.head_dim, longest);
  // Rounded like transformers' tables: float32 frequencies, positions, cosines and sines, whatever the model's dtype.
  const at::Tensor frequencies = cuda::ToDevice(
      std::vector<float>(table.inverse_frequencies.begin(), table.inverse_frequencies.end()),
      positions.device());
  const at::Tensor angles = positions.to(at::kFloat).unsqueeze(1) * frequencies.unsqueeze(0);
  return {(angles.cos() * table.scale).to(dtype).contiguous(),
          (angles.sin() * table.scale).to(dtype).contiguous()};
}

at::Tensor Forward(const Model& model, const PackedBatch& batch, const ForwardOptions& options) {
  const at::ScalarType compute = options.compute_dtype.value_or(model.dtype());
  const at::ScalarType stream = StreamDtype(compute);
  const RotaryTables rotary = MakeRotaryTables(
      model.config, batch.positions_N, std::max(options.longest, LongestContext(batch)), stream);
  at::Tensor x = at::embedding(model.embed, batch.ids_N).to(compute).to(stream);
  if (options.embed_grad.defined() && at::GradMode::is_enabled()) {
    x.requires_grad_(true);
    x.register_hook([sum = options.embed_grad, ids = batch.ids_N](const at::Tensor& grad) {
      at::NoGradGuard no_grad;
      sum.index_add_(0, ids, grad.to(sum.scalar_type()));
    });
  }
  const bool checkpoint = options.checkpoint && at::GradMode::is_enabled();
  if (options.hidden_states == nullptr && cuda::HasFusedLayers(model, batch, compute)) {
    const cuda::Plan plan =
        cuda::MakeLayerPlan(model, batch, rotary.cosine, rotary.sine, checkpoint);
    cuda::Stream stream_xy{x, {}};
    for (const LayerWeights& layer : model.layers)
      stream_xy = cuda::FusedLayer(plan, layer, stream_xy, options.kv);
    return cuda::FusedFinalNorm(plan, model.norm, stream_xy);
  }
  const auto plan =
      std::make_shared<const AttentionPlan>(MakeAttentionPlan(batch.segments, model.device()));
  Pass pass{&model.config, plan.get(), rotary.cosine, rotary.sine, compute, options.kv};
  for (const LayerWeights& layer : model.layers) {
    if (options.hidden_states != nullptr) options.hidden_states->push_back(x.detach());
    if (!checkpoint) {
      x = Layer(pass, CastLayer(layer, compute), x);
      continue;
    }
    const ModelConfig config = model.config;
    x = Checkpoint(x, Flatten(layer),
                   [pass, plan, config](const at::Tensor& in, const std::vector<at::Tensor>& flat) {
                     Pass again = pass;  // the plan and the config must outlive the caller's
                     again.config = &config;
                     return Layer(again, CastLayer(Unflatten(flat), again.compute), in);
                   });
  }
  x = RmsNorm(x, model.norm, model.config.rms_eps, compute);
  if (options.hidden_states != nullptr) options.hidden_states->push_back(x.detach());
  return x;
}

at::Tensor ForwardPadded(const Model& model, const at::Tensor& ids_BT, const at::Tensor& mask_BT,
                         const ForwardOptions& options) {
  at::Tensor index_N;
  const PackedBatch batch = PackPadded(ids_BT, mask_BT, &index_N);
  const at::Tensor hidden_NH = Forward(model, batch, options);
  const int64_t rows = ids_BT.size(0);
  const int64_t width = ids_BT.size(1);
  const at::Tensor base =
      at::zeros({rows * width, hidden_NH.size(1)}, hidden_NH.options().requires_grad(false));
  return base.index_copy(0, index_N, hidden_NH).view({rows, width, -1});
}

at::Tensor Logits(const Model& model, const at::Tensor& hidden) {
  return at::linear(hidden, model.head).to(StreamDtype(model.dtype()));
}

TokenLogprobs ScoreTokens(const Model& model, const ScoredBatch& batch,
                          const ForwardOptions& forward, const LogprobOptions& options) {
  const at::Tensor hidden_NH = Forward(model, batch.packed, forward);
  return ComputeTokenLogprobs(hidden_NH.index_select(0, batch.source_M), model.head,
                              batch.targets_M, options);
}

}  // namespace assay
