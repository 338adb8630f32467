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
#include "grpo/model/blocks.h"
#include "grpo/model/cuda/layer.h"
#include "grpo/model/cuda/runtime.h"
#include "grpo/model/layer_source.h"
#include "grpo/model/lora.h"
#include "grpo/model/ops.h"

namespace assay {
namespace {

using Shape = std::vector<int64_t>;

struct LayerField {
  const char* name;
  at::Tensor LayerWeights::*field;
  Shape (*shape)(const ModelConfig&);  // empty: a model of this config has no such weight
  enum Part { kAll, kMlp, kExperts } part = kAll;  // of layers with an MLP alone, or with experts
};

int64_t QueryWidth(const ModelConfig& c) { return c.num_heads * c.head_dim; }
int64_t KeyWidth(const ModelConfig& c) { return c.num_kv_heads * c.head_dim; }
Shape If(bool has, Shape shape) { return has ? std::move(shape) : Shape{}; }

using C = const ModelConfig&;
Shape BeforeNorm(C c) { return If(c.norm_before, {c.hidden_size}); }
Shape BehindNorm(C c) { return If(c.norm_behind, {c.hidden_size}); }
Shape QueryWeight(C c) { return If(!c.packed, {QueryWidth(c), c.hidden_size}); }
Shape KeyWeight(C c) { return If(!c.packed, {KeyWidth(c), c.hidden_size}); }
Shape QkvWeight(C c) { return If(c.packed, {QueryWidth(c) + 2 * KeyWidth(c), c.hidden_size}); }
Shape QueryBias(C c) { return If(c.qkv_bias, {QueryWidth(c)}); }
Shape KeyBias(C c) { return If(c.qkv_bias, {KeyWidth(c)}); }
Shape OutWeight(C c) { return {c.hidden_size, QueryWidth(c)}; }
Shape OutBias(C c) { return If(c.o_bias, {c.hidden_size}); }
Shape QueryNorm(C c) { return c.qk_norm_wide ? Shape{QueryWidth(c)} : If(c.qk_norm, {c.head_dim}); }
Shape KeyNorm(C c) { return c.qk_norm_wide ? Shape{KeyWidth(c)} : If(c.qk_norm, {c.head_dim}); }
// The norm before the MLP is named after where it stands in Llama: behind attention.
Shape LlamaPostNorm(C c) { return If(c.norm_before && !c.norm_behind, {c.hidden_size}); }
Shape FeedForwardNorm(C c) { return If(c.norm_before && c.norm_behind, {c.hidden_size}); }
Shape InnerWeight(C c) { return If(!c.packed, {c.intermediate_size, c.hidden_size}); }
Shape GateUpWeight(C c) { return If(c.packed, {2 * c.intermediate_size, c.hidden_size}); }
Shape InnerBias(C c) { return If(c.mlp_bias, {c.intermediate_size}); }
Shape DownWeight(C c) { return {c.hidden_size, c.intermediate_size}; }
Shape DownBias(C c) { return If(c.mlp_bias, {c.hidden_size}); }
Shape RouterWeight(C c) { return {c.num_experts, c.hidden_size}; }

// In the order in which a layer uses them.
constexpr LayerField kLayerFields[] = {
    {"input_layernorm.weight", &LayerWeights::input_norm, BeforeNorm},
    {"self_attn.q_proj.weight", &LayerWeights::q_proj, QueryWeight},
    {"self_attn.q_proj.bias", &LayerWeights::q_bias, QueryBias},
    {"self_attn.k_proj.weight", &LayerWeights::k_proj, KeyWeight},
    {"self_attn.k_proj.bias", &LayerWeights::k_bias, KeyBias},
    {"self_attn.v_proj.weight", &LayerWeights::v_proj, KeyWeight},
    {"self_attn.v_proj.bias", &LayerWeights::v_bias, KeyBias},
    {"self_attn.qkv_proj.weight", &LayerWeights::qkv_proj, QkvWeight},
    {"self_attn.q_norm.weight", &LayerWeights::q_norm, QueryNorm},
    {"self_attn.k_norm.weight", &LayerWeights::k_norm, KeyNorm},
    {"self_attn.o_proj.weight", &LayerWeights::o_proj, OutWeight},
    {"self_attn.o_proj.bias", &LayerWeights::o_bias, OutBias},
    {"post_attention_layernorm.weight", &LayerWeights::attention_norm, BehindNorm},
    {"post_attention_layernorm.weight", &LayerWeights::post_norm, LlamaPostNorm},
    {"pre_feedforward_layernorm.weight", &LayerWeights::post_norm, FeedForwardNorm},
    {"mlp.gate_proj.weight", &LayerWeights::gate_proj, InnerWeight, LayerField::kMlp},
    {"mlp.gate_proj.bias", &LayerWeights::gate_bias, InnerBias, LayerField::kMlp},
    {"mlp.up_proj.weight", &LayerWeights::up_proj, InnerWeight, LayerField::kMlp},
    {"mlp.up_proj.bias", &LayerWeights::up_bias, InnerBias, LayerField::kMlp},
    {"mlp.gate_up_proj.weight", &LayerWeights::gate_up_proj, GateUpWeight, LayerField::kMlp},
    {"mlp.down_proj.weight", &LayerWeights::down_proj, DownWeight, LayerField::kMlp},
    {"mlp.down_proj.bias", &LayerWeights::down_bias, DownBias, LayerField::kMlp},
    {"post_feedforward_layernorm.weight", &LayerWeights::mlp_norm, BehindNorm},
    {"mlp.gate.weight", &LayerWeights::router, RouterWeight, LayerField::kExperts},
};

struct ExpertField {
  const char* name;
  at::Tensor ExpertWeights::*field;
  bool outward;  // [H, E] instead of [E, H]
};
constexpr ExpertField kExpertFields[] = {
    {"gate_proj.weight", &ExpertWeights::gate_proj, false},
    {"up_proj.weight", &ExpertWeights::up_proj, false},
    {"down_proj.weight", &ExpertWeights::down_proj, true},
};

Shape FieldShape(const ModelConfig& config, int64_t layer, const LayerField& field) {
  const bool experts = config.layer(layer).experts;
  if (field.part == LayerField::kMlp && experts) return {};
  if (field.part == LayerField::kExperts && !experts) return {};
  return field.shape(config);
}

Shape ExpertShape(const ModelConfig& config, const ExpertField& field) {
  return field.outward ? Shape{config.hidden_size, config.expert_size}
                       : Shape{config.expert_size, config.hidden_size};
}

constexpr std::string_view kLayerPrefix = "model.layers.";
constexpr std::string_view kExpertPrefix = "mlp.experts.";

// Cuts a number below `limit` and the dot behind it off the front of `text`; -1 if there is none.
int64_t TakeIndex(std::string_view* text, int64_t limit) {
  const size_t dot = text->find('.');
  if (dot == 0 || dot == std::string_view::npos || dot > 6) return -1;
  int64_t index = 0;
  for (char c : text->substr(0, dot)) {
    if (c < '0' || c > '9') return -1;
    index = index * 10 + (c - '0');
  }
  text->remove_prefix(dot + 1);
  return index < limit ? index : -1;
}

Shape LayerShape(const ModelConfig& config, int64_t layer, std::string_view name) {
  for (const LayerField& field : kLayerFields) {
    if (name != field.name) continue;
    if (Shape shape = FieldShape(config, layer, field); !shape.empty()) return shape;
  }
  if (!StartsWith(name, kExpertPrefix) || !config.layer(layer).experts) return {};
  name.remove_prefix(kExpertPrefix.size());
  if (TakeIndex(&name, config.num_experts) < 0) return {};
  for (const ExpertField& field : kExpertFields) {
    if (name == field.name) return ExpertShape(config, field);
  }
  return {};
}

at::Tensor ToInt64Tensor(const std::vector<int64_t>& values, at::Device device) {
  return device.is_cuda() ? cuda::ToDevice(values, device) : at::tensor(values, at::kLong);
}

}  // namespace

bool IsNorm(const std::string& name) { return name.find("norm") != std::string::npos; }

at::Device Model::device() const { return embed.defined() ? embed.device() : source->device(); }

at::ScalarType Model::dtype() const { return embed.defined() ? embed.scalar_type() : at::kFloat; }

void VisitLayer(const ModelConfig& config, int64_t index, LayerWeights* layer,
                const WeightVisitor& visit) {
  for (const LayerField& field : kLayerFields) {
    if (!FieldShape(config, index, field).empty()) visit(field.name, &(layer->*field.field));
  }
  if (!config.layer(index).experts) return;
  layer->experts.resize(static_cast<size_t>(config.num_experts));
  for (size_t e = 0; e < layer->experts.size(); ++e) {
    for (const ExpertField& field : kExpertFields)
      visit(StrCat(kExpertPrefix, e, ".", field.name), &(layer->experts[e].*field.field));
  }
}

void VisitWeights(Model* model, const WeightVisitor& visit) {
  const ModelConfig& config = model->config;
  model->layers.resize(static_cast<size_t>(config.num_layers));
  visit("model.embed_tokens.weight", &model->embed);
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const std::string prefix = StrCat(kLayerPrefix, i, ".");
    VisitLayer(config, i, &model->layers[static_cast<size_t>(i)],
               [&](const std::string& name, at::Tensor* tensor) { visit(prefix + name, tensor); });
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
  std::string_view rest = std::string_view(name).substr(kLayerPrefix.size());
  const int64_t layer = TakeIndex(&rest, config.num_layers);
  return layer < 0 ? Shape{} : LayerShape(config, layer, rest);
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
  for (const NamedTensor& weight : TrainableWeights(*model)) {
    if (weight.tensor.defined()) weight.tensor.requires_grad_(trainable);
  }
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
  if (model.source != nullptr) return WholeModel(model, dtype);
  return model.dtype() == dtype && model.lora == nullptr ? model : CopyPacked(model, dtype);
}

Model PackModel(Model model) {
  const at::ScalarType dtype = model.dtype();
  if (model.source != nullptr) return WholeModel(model, dtype);
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
  for (const NamedTensor& weight : NamedWeights(model))
    count += c10::multiply_integers(WeightShape(model.config, weight.name));
  return count;
}

int64_t CountTrainable(const Model& model) {
  if (model.lora == nullptr) return CountParameters(model);
  int64_t count = 0;
  for (const NamedTensor& weight : LoraTensors(*model.lora)) count += weight.tensor.numel();
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
  std::shared_ptr<const ModelConfig> config;
  std::shared_ptr<const AttentionPlan> plan;
  ModelRotary rotary;
  at::ScalarType compute;
  std::vector<LayerKv>* kv = nullptr;
};

struct Heads {
  at::Tensor q, k, v;  // [N, heads, D]
};
Heads SplitHeads(const ModelConfig& c, const LayerWeights& w, const at::Tensor& x_NH) {
  const int64_t tokens = x_NH.size(0), query = c.num_heads * c.head_dim,
                key = c.num_kv_heads * c.head_dim;
  const std::vector<int64_t> queries = {tokens, c.num_heads, c.head_dim};
  const std::vector<int64_t> keys = {tokens, c.num_kv_heads, c.head_dim};
  if (!c.packed) {
    return {Linear(x_NH, w.q_proj, w.q_bias).view(queries),
            Linear(x_NH, w.k_proj, w.k_bias).view(keys),
            Linear(x_NH, w.v_proj, w.v_bias).view(keys)};
  }
  const at::Tensor qkv = Linear(x_NH, w.qkv_proj, {});
  return {qkv.narrow(1, 0, query).view(queries), qkv.narrow(1, query, key).view(keys),
          qkv.narrow(1, query + key, key).view(keys)};
}

at::Tensor SelfAttention(const Pass& pass, int64_t index, const LayerWeights& w,
                         const at::Tensor& x_NH) {
  const ModelConfig& c = *pass.config;
  const Heads heads = SplitHeads(c, w, x_NH);
  const at::Tensor q = PrepareHeads(c, index, pass.rotary, heads.q, w.q_norm);
  const at::Tensor k = PrepareHeads(c, index, pass.rotary, heads.k, w.k_norm);
  if (pass.kv != nullptr) pass.kv->push_back({k.detach(), heads.v.detach()});
  const AttentionKind kind = {c.WindowOf(index) > 0, c.attention_scale};
  return Linear(PackedAttention(*pass.plan, kind, q, k, heads.v), w.o_proj, w.o_bias);
}

at::Tensor Layer(const Pass& pass, int64_t index, const LayerWeights& w, const at::Tensor& x_NH) {
  const ModelConfig& c = *pass.config;
  const at::Tensor attended =
      SelfAttention(pass, index, w, BranchInput(c, x_NH, w.input_norm, pass.compute));
  const at::Tensor x = AddBranch(c, x_NH, attended, w.attention_norm);
  return AddBranch(c, x, LayerMlp(c, w, BranchInput(c, x, w.post_norm, pass.compute)), w.mlp_norm);
}

std::vector<at::Tensor> Flatten(const LayerWeights& weights) {
  std::vector<at::Tensor> flat;
  for (const LayerField& field : kLayerFields) flat.push_back(weights.*field.field);
  for (const ExpertWeights& expert : weights.experts) {
    for (const ExpertField& field : kExpertFields) flat.push_back(expert.*field.field);
  }
  return flat;
}

LayerWeights Unflatten(const std::vector<at::Tensor>& flat) {
  LayerWeights weights;
  size_t next = 0;
  for (const LayerField& field : kLayerFields) {
    const at::Tensor& tensor = flat[next++];
    if (tensor.defined()) weights.*field.field = tensor;
  }
  while (next < flat.size()) {
    ExpertWeights& expert = weights.experts.emplace_back();
    for (const ExpertField& field : kExpertFields) expert.*field.field = flat[next++];
  }
  return weights;
}

// The layer's weights in the dtype of the computation; the same tensors where they have it.
LayerWeights CastLayer(LayerWeights weights, at::ScalarType dtype) {
  for (const LayerField& field : kLayerFields) {
    at::Tensor& weight = weights.*field.field;
    if (weight.defined() && !IsNorm(std::string(field.name))) weight = weight.to(dtype);
  }
  for (ExpertWeights& expert : weights.experts) {
    for (const ExpertField& field : kExpertFields)
      expert.*field.field = (expert.*field.field).to(dtype);
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

RotaryTables MakeRotaryTables(const RopeConfig& rope, int64_t head_dim, const at::Tensor& positions,
                              int64_t longest, at::ScalarType dtype) {
  const RopeTable table = MakeRopeTable(rope, head_dim, longest);
  // Rounded like transformers' tables: float32 frequencies, positions, cosines and sines, whatever the model's dtype.
  const at::Tensor frequencies = cuda::ToDevice(
      std::vector<float>(table.inverse_frequencies.begin(), table.inverse_frequencies.end()),
      positions.device());
  const at::Tensor angles = positions.to(at::kFloat).unsqueeze(1) * frequencies.unsqueeze(0);
  return {(angles.cos() * table.scale).to(dtype).contiguous(),
          (angles.sin() * table.scale).to(dtype).contiguous()};
}

namespace {

// A layer whose weights the model's source makes, computed by `body`; what goes in and comes out is one tensor, or two where the
// stream stands as two.
using LayerBody = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& in,
                                                        const LayerWeights& weights)>;
std::vector<at::Tensor> MadeLayer(const Model& model, int64_t layer, at::ScalarType compute,
                                  const std::vector<at::Tensor>& in, const LayerBody& body) {
  if (!at::GradMode::is_enabled()) return body(in, LayerOf(model, layer, compute));
  OnDemand on_demand;
  on_demand.take = [model, layer, compute] { return Flatten(LayerOf(model, layer, compute)); };
  on_demand.body = [body](const std::vector<at::Tensor>& given,
                          const std::vector<at::Tensor>& flat) {
    return body(given, Unflatten(flat));
  };
  on_demand.give = [model, layer](const std::vector<at::Tensor>& gradients) {
    AddLayerGradient(model, layer, Unflatten(gradients));
  };
  return CheckpointOnDemand(in, std::move(on_demand));
}

// All layers by kernels of our own.
at::Tensor FusedLayers(const Model& model, const cuda::Plan& plan, at::Tensor x,
                       const ForwardOptions& options) {
  cuda::Stream stream{std::move(x), {}};
  for (int64_t i = 0; i < model.config.num_layers; ++i) {
    if (model.source == nullptr) {
      const auto index = static_cast<size_t>(i);
      stream = cuda::FusedLayer(plan, model.layers[index], stream, options.kv,
                                options.layer_grads ? &(*options.layer_grads)[index] : nullptr);
      continue;
    }
    std::vector<at::Tensor> in = {stream.x};
    if (stream.y.defined()) in.push_back(stream.y);
    const auto body = [plan, kv = options.kv](const std::vector<at::Tensor>& given,
                                              const LayerWeights& weights) {
      const cuda::Stream out = cuda::FusedLayer(
          plan, weights, {given[0], given.size() > 1 ? given[1] : at::Tensor()}, kv, nullptr);
      return std::vector<at::Tensor>{out.x, out.y};
    };
    const std::vector<at::Tensor> out = MadeLayer(model, i, at::kBFloat16, in, body);
    stream = {out[0], out[1]};
  }
  return cuda::FusedFinalNorm(plan, model.norm, stream);
}

// One layer by LibTorch's operators.
at::Tensor PlainLayer(const Model& model, int64_t index, const Pass& pass, const at::Tensor& x,
                      bool checkpoint) {
  if (model.source != nullptr) {
    const auto body = [pass, index](const std::vector<at::Tensor>& in,
                                    const LayerWeights& weights) {
      return std::vector<at::Tensor>{Layer(pass, index, CastLayer(weights, pass.compute), in[0])};
    };
    return MadeLayer(model, index, pass.compute, {x}, body)[0];
  }
  const LayerWeights& held = model.layers[static_cast<size_t>(index)];
  if (!checkpoint) return Layer(pass, index, CastLayer(held, pass.compute), x);
  return Checkpoint(x, Flatten(held),
                    [pass, index](const at::Tensor& in, const std::vector<at::Tensor>& flat) {
                      return Layer(pass, index, CastLayer(Unflatten(flat), pass.compute), in);
                    });
}

}  // namespace

LayerWeights LayerOf(const Model& model, int64_t index, at::ScalarType dtype) {
  if (model.source == nullptr) return CastLayer(model.layers[static_cast<size_t>(index)], dtype);
  LayerWeights layer = model.source->Layer(index, dtype);
  VisitLayer(model.config, index, &layer, [&](const std::string& name, at::Tensor* tensor) {
    const LoraPair* pair =
        model.lora == nullptr ? nullptr : model.lora->Find(StrCat(kLayerPrefix, index, ".", name));
    if (pair != nullptr) *tensor = MergeLora(*tensor, *pair, model.lora->config.scale());
    tensor->requires_grad_(pair != nullptr || (model.lora == nullptr && model.source->Learns()));
  });
  return layer;
}

void AddLayerGradient(const Model& model, int64_t index, const LayerWeights& gradient) {
  if (model.lora == nullptr) {
    if (model.source->Learns()) model.source->AddGradient(index, gradient);
    return;
  }
  LayerWeights given = gradient;
  VisitLayer(model.config, index, &given, [&](const std::string& name, at::Tensor* tensor) {
    const LoraPair* pair = model.lora->Find(StrCat(kLayerPrefix, index, ".", name));
    if (pair != nullptr && tensor->defined())
      AddLoraGradient(*pair, model.lora->config.scale(), *tensor, pair->a.grad(), pair->b.grad());
  });
}

Model WholeModel(const Model& model, at::ScalarType dtype, bool keep, bool on_cpu) {
  at::NoGradGuard no_grad;
  const at::Device device = on_cpu ? at::Device(at::kCPU) : model.device();
  Model whole = model.source->ForComputing(model, dtype);
  const at::TensorOptions options = at::TensorOptions(device).dtype(dtype);
  for (int64_t i = 0; i < model.config.num_layers; ++i) {
    LayerWeights made = LayerOf(model, i, dtype);
    if (!keep) continue;
    // As CopyPacked places them.
    const auto padded = [](const at::Tensor& tensor) { return (tensor.numel() + 63) / 64 * 64; };
    int64_t count = 0, first = 0;
    VisitLayer(model.config, i, &made, [&](const std::string&, at::Tensor* tensor) {
      if (tensor->dim() == 2) count += padded(*tensor);
    });
    const at::Tensor room = at::empty({count}, options);
    VisitLayer(model.config, i, &made, [&](const std::string&, at::Tensor* tensor) {
      const at::Tensor from = tensor->detach();
      if (from.dim() != 2) {
        *tensor = from.to(device);
        return;
      }
      *tensor = room.narrow(0, first, from.numel()).view(from.sizes());
      tensor->copy_(from);
      first += padded(from);
    });
    whole.layers[static_cast<size_t>(i)] = std::move(made);
  }
  if (!keep) return {};
  whole.source = nullptr;
  whole.lora = nullptr;
  if (whole.config.tied_head) whole.head = at::Tensor();
  for (at::Tensor* outer : {&whole.embed, &whole.norm, &whole.head}) {
    if (outer->defined()) *outer = outer->detach().to(device);
  }
  TieHead(&whole);
  return whole;
}

at::Tensor Forward(const Model& model, const PackedBatch& batch, const ForwardOptions& options) {
  const at::ScalarType compute = options.compute_dtype.value_or(model.dtype());
  const at::ScalarType stream = StreamDtype(compute);
  const ModelRotary rotary = MakeModelRotary(
      model.config, batch.positions_N, std::max(options.longest, LongestContext(batch)), stream);
  at::Tensor x = at::embedding(model.embed, batch.ids_N).to(compute).to(stream);
  if (at::GradMode::is_enabled() && (options.embed_grad.defined() || model.source != nullptr)) {
    // Layers that a source makes are no inputs of the graph: it goes through the stream.
    x.requires_grad_(true);
    if (options.embed_grad.defined()) {
      x.register_hook([sum = options.embed_grad, ids = batch.ids_N](const at::Tensor& grad) {
        at::NoGradGuard no_grad;
        sum.index_add_(0, ids, grad.to(sum.scalar_type()));
      });
    }
  }
  x = ScaleEmbedding(model.config, x, compute);
  const bool checkpoint = options.checkpoint && at::GradMode::is_enabled();
  if (options.hidden_states == nullptr && cuda::HasFusedLayers(model, batch, compute)) {
    // What a source makes is computed again by it, whole.
    const cuda::Plan plan = cuda::MakeLayerPlan(model, batch, rotary.full.cosine, rotary.full.sine,
                                                checkpoint && model.source == nullptr);
    plan->norms_divide = options.norms_divide;
    return FusedLayers(model, plan, x, options);
  }
  const Pass pass{std::make_shared<const ModelConfig>(model.config),
                  std::make_shared<const AttentionPlan>(
                      MakeAttentionPlan(batch.segments, model.config.window, model.device())),
                  rotary, compute, options.kv};
  for (int64_t i = 0; i < model.config.num_layers; ++i) {
    if (options.hidden_states != nullptr) options.hidden_states->push_back(x.detach());
    x = PlainLayer(model, i, pass, x, checkpoint);
  }
  x = ConfigNorm(model.config, x, model.norm, compute);
  if (options.hidden_states != nullptr) options.hidden_states->push_back(x.detach());
  return model.config.logit_divisor == 1.0 ? x : x / model.config.logit_divisor;
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
