#include "grpo/model/blocks.h"

#include <ATen/ATen.h>

#include "grpo/model/ops.h"

namespace assay {

at::ScalarType StreamDtype(at::ScalarType dtype) {
  return dtype == at::kDouble ? at::kDouble : at::kFloat;
}

at::Tensor ConfigNorm(const ModelConfig& config, const at::Tensor& x, const at::Tensor& weight,
                      at::ScalarType dtype) {
  return RmsNorm(x, config.unit_norms ? weight + 1 : weight, config.rms_eps, dtype);
}

at::Tensor BranchInput(const ModelConfig& config, const at::Tensor& x, const at::Tensor& weight,
                       at::ScalarType dtype) {
  return config.norm_before ? ConfigNorm(config, x, weight, dtype) : x.to(dtype);
}

at::Tensor AddBranch(const ModelConfig& config, const at::Tensor& x, const at::Tensor& branch,
                     const at::Tensor& norm) {
  const at::ScalarType stream = x.scalar_type();
  const at::Tensor given =
      config.norm_behind ? ConfigNorm(config, branch.to(stream), norm, stream) : branch;
  return config.residual_scale == 1.0 ? x + given : at::add(x, given, config.residual_scale);
}

at::Tensor ScaleEmbedding(const ModelConfig& config, const at::Tensor& x, at::ScalarType compute) {
  if (config.embedding_scale == 1.0) return x;
  const at::Tensor scale =
      at::full({}, config.embedding_scale, x.options().dtype(compute).requires_grad(false));
  return x * scale.to(x.scalar_type());
}

ModelRotary MakeModelRotary(const ModelConfig& config, const at::Tensor& positions, int64_t longest,
                            at::ScalarType dtype) {
  ModelRotary rotary;
  rotary.full = MakeRotaryTables(config.rope, config.head_dim, positions, longest, dtype);
  if (config.local_rope)
    rotary.local = MakeRotaryTables(*config.local_rope, config.head_dim, positions, longest, dtype);
  return rotary;
}

ModelRotary SelectRotary(const ModelRotary& rotary, const at::Tensor& index) {
  const auto select = [&](const at::Tensor& table) {
    return table.defined() ? table.index_select(0, index) : table;
  };
  return {{select(rotary.full.cosine), select(rotary.full.sine)},
          {select(rotary.local.cosine), select(rotary.local.sine)}};
}

namespace {

at::Tensor Turn(const at::Tensor& heads, const RotaryTables& tables) {
  const int64_t turned = 2 * tables.cosine.size(1), all = heads.size(2);
  if (turned == all) return Rope(heads, tables.cosine, tables.sine);
  return at::cat({Rope(heads.narrow(2, 0, turned), tables.cosine, tables.sine),
                  heads.narrow(2, turned, all - turned)},
                 2);
}

}  // namespace

at::Tensor PrepareHeads(const ModelConfig& config, int64_t layer, const ModelRotary& rotary,
                        const at::Tensor& heads, const at::Tensor& norm) {
  at::Tensor x = heads;
  if (config.qk_norm || config.qk_norm_wide) {
    const int64_t width = config.qk_norm_wide ? heads.size(1) * heads.size(2) : heads.size(2);
    const at::ScalarType dtype = heads.scalar_type();
    const at::Tensor flat = heads.reshape({-1, width}).to(StreamDtype(dtype));
    x = ConfigNorm(config, flat, norm, dtype).view(heads.sizes());
  }
  const LayerKind kind = config.layer(layer);
  if (!kind.rotary) return x;
  return Turn(x, kind.sliding && config.local_rope ? rotary.local : rotary.full);
}

namespace {

// A token goes to the experts whose router gives it the most, and their answers are weighed by what it gives (Qwen3-MoE).
at::Tensor ExpertMlp(const ModelConfig& config, const LayerWeights& w, const at::Tensor& x) {
  const at::ScalarType stream = StreamDtype(x.scalar_type());
  const at::Tensor share = at::softmax(Linear(x, w.router, {}).to(stream), -1);
  auto [weight, chosen] = share.topk(config.experts_per_token, -1);
  if (config.norm_expert_weights) weight = weight / weight.sum(-1, true);
  weight = weight.to(x.scalar_type());
  at::Tensor sum = at::zeros_like(x);
  for (size_t e = 0; e < w.experts.size(); ++e) {
    const at::Tensor places = chosen.eq(static_cast<int64_t>(e)).nonzero();  // [tokens, 2]
    if (places.size(0) == 0) continue;
    const at::Tensor token = places.select(1, 0), rank = places.select(1, 1);
    const ExpertWeights& expert = w.experts[e];
    const at::Tensor answer = GatedMlp(
        x.index_select(0, token), {expert.gate_proj, {}, expert.up_proj, {}, expert.down_proj, {}},
        config.activation);
    sum = sum.index_add(0, token, answer * weight.index({token, rank}).unsqueeze(1));
  }
  return sum;
}

}  // namespace

at::Tensor LayerMlp(const ModelConfig& config, const LayerWeights& w, const at::Tensor& x) {
  if (!w.experts.empty()) return ExpertMlp(config, w, x);
  const int64_t inner = config.intermediate_size;
  const bool packed = w.gate_up_proj.defined();
  const at::Tensor gate = packed ? w.gate_up_proj.narrow(0, 0, inner) : w.gate_proj;
  const at::Tensor up = packed ? w.gate_up_proj.narrow(0, inner, inner) : w.up_proj;
  return GatedMlp(x, {gate, w.gate_bias, up, w.up_bias, w.down_proj, w.down_bias},
                  config.activation);
}

}  // namespace assay
