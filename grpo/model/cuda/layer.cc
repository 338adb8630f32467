#include "grpo/model/cuda/layer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/text.h"
#include "grpo/model/cuda/kernels.h"
#include "grpo/model/cuda/runtime.h"
#include "grpo/model/ops.h"

namespace assay::cuda {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

void* Raw(const at::Tensor& tensor) { return tensor.defined() ? tensor.data_ptr() : nullptr; }

int NormThreads(int64_t hidden) {
  return static_cast<int>(std::clamp<int64_t>((hidden / 8 + 31) / 32 * 32, 32, 256));
}

Definitions DefinitionsOf(const ModelConfig& c) {
  return {{"BF16", "1"},
          {"HIDDEN", StrCat(c.hidden_size)},
          {"HEAD_DIM", StrCat(c.head_dim)},
          {"HEADS", StrCat(c.num_heads)},
          {"KV_HEADS", StrCat(c.num_kv_heads)},
          {"EPS", StrCat(c.rms_eps)},
          {"NORM_THREADS", StrCat(NormThreads(c.hidden_size))}};
}

// The kernels of one model's shapes.
struct Kernels {
  explicit Kernels(const ModelConfig& config)
      : c(config), definitions(DefinitionsOf(config)), norm_threads(NormThreads(c.hidden_size)) {}

  Kernel Get(const char* name) const { return GetKernel(kTrainSource, definitions, name); }

  // {x + y, its norm, 1 / rms}; the sum is x itself where y is undefined.
  struct Normed {
    at::Tensor sum, h, rstd;
  };
  Normed AddNorm(const at::Tensor& x, const at::Tensor& y, const at::Tensor& weight) const {
    const int64_t rows = x.size(0);
    Normed out{y.defined() ? at::empty_like(x) : x,
               at::empty(x.sizes(), x.options().dtype(at::kBFloat16)),
               at::empty({rows}, x.options())};
    Get("AddNorm")({rows}, norm_threads, 0, Raw(x), Raw(y), Raw(weight), Raw(out.sum), Raw(out.h),
                   Raw(out.rstd));
    return out;
  }

  // Gradients of the summed stream (float32, and in bfloat16 if asked for) and of the weight.
  struct NormGradient {
    at::Tensor dx, dy, dweight;
  };
  // Of x or, if that was not kept, of h, which the norm gave.
  NormGradient NormBackward(const at::Tensor& dh, const at::Tensor& x, const at::Tensor& h,
                            const at::Tensor& rstd, const at::Tensor& weight,
                            const at::Tensor& residual) const {
    const int64_t rows = dh.size(0);
    const int64_t blocks = std::min<int64_t>(rows, 8 * MultiprocessorCount());
    NormGradient out{at::empty(dh.sizes(), rstd.options()), at::empty_like(dh), {}};
    const at::Tensor partial = at::empty({blocks, dh.size(1)}, rstd.options());
    Get("NormBackward")({blocks}, norm_threads, 0, Raw(dh), Raw(x), Raw(h), Raw(rstd), Raw(weight),
                        Raw(residual), rows, Raw(out.dx), Raw(out.dy), Raw(partial));
    out.dweight = partial.sum(0);
    return out;
  }

  const ModelConfig& c;
  const Definitions definitions;
  const int norm_threads;
};

Grid Blocks(int64_t units, int64_t y = 1) { return {(units + 255) / 256, y}; }

// The weights of a layer as its products take them.
struct Weights {
  at::Tensor input_norm, qkv, qkv_bias, o, post_norm, gate_up, down;
};
Weights Join(const LayerWeights& w) {
  return {w.input_norm,
          JoinRows({w.q_proj, w.k_proj, w.v_proj}),
          JoinRows({w.q_bias, w.k_bias, w.v_bias}),
          w.o_proj,
          w.post_norm,
          JoinRows({w.gate_proj, w.up_proj}),
          w.down_proj};
}

// What the backward pass needs.
struct Saved {
  at::Tensor x0, rstd0, h0;      // the stream before attention, its norm
  at::Tensor q, k, v, attended;  // rotated
  at::Tensor lse, random, unused;
  at::Tensor x1, rstd1, h1;  // the stream before the MLP, its norm
  at::Tensor gate_up, product;
};

// Rows of one length that share nothing: what cuDNN's kernels, faster than the packed ones, take.
bool Dense(const LayerPlan& plan) { return plan.dense_rows > 0; }

// [tokens, heads, D] as [rows, heads, length, D], and back.
at::Tensor AsRows(const LayerPlan& plan, const at::Tensor& x) {
  return x.view({plan.dense_rows, plan.tokens / plan.dense_rows, x.size(1), x.size(2)})
      .transpose(1, 2);
}
at::Tensor AsPacked(const LayerPlan& plan, const at::Tensor& x) {
  return x.transpose(1, 2).reshape({plan.tokens, x.size(1), x.size(3)});
}

// Causal attention of s.q over s.k and s.v into s.attended, with what its backward pass needs.
void AttendPacked(const LayerPlan& plan, Saved* s) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(plan.config.head_dim));
  if (Dense(plan)) {
    auto dense = at::_scaled_dot_product_cudnn_attention(
        AsRows(plan, s->q), AsRows(plan, s->k), AsRows(plan, s->v), /*attn_bias=*/std::nullopt,
        /*compute_log_sumexp=*/true, /*dropout_p=*/0.0, /*is_causal=*/true,
        /*return_debug_mask=*/false, scale);
    s->attended = AsPacked(plan, std::get<0>(dense));
    s->lse = std::get<1>(dense);
    s->random = std::get<6>(dense);
    s->unused = std::get<7>(dense);
    return;
  }
  auto packed = at::_flash_attention_forward(
      s->q, s->k, s->v, plan.query_ends, plan.key_ends, plan.longest_query, plan.longest_key, 0.0,
      /*is_causal=*/true, /*return_debug_mask=*/false, scale);
  s->attended = std::get<0>(packed);
  s->lse = std::get<1>(packed);
  s->random = std::get<2>(packed);
  s->unused = std::get<3>(packed);
}

struct QkvGradient {
  at::Tensor q, k, v;
};
QkvGradient AttendBackward(const LayerPlan& plan, const Saved& s, const at::Tensor& dattended) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(plan.config.head_dim));
  if (Dense(plan)) {
    const int64_t length = plan.tokens / plan.dense_rows;
    const auto [dq, dk, dv] = at::_scaled_dot_product_cudnn_attention_backward(
        AsRows(plan, dattended), AsRows(plan, s.q), AsRows(plan, s.k), AsRows(plan, s.v),
        AsRows(plan, s.attended), s.lse, s.random, s.unused, /*attn_bias=*/at::Tensor(),
        /*cum_seq_q=*/at::Tensor(), /*cum_seq_k=*/at::Tensor(), length, length, /*dropout_p=*/0.0,
        /*is_causal=*/true, scale);
    return {AsPacked(plan, dq), AsPacked(plan, dk), AsPacked(plan, dv)};
  }
  const auto [dq, dk, dv] = at::_flash_attention_backward(
      dattended, s.q, s.k, s.v, s.attended, s.lse, plan.query_ends, plan.key_ends,
      plan.longest_query, plan.longest_key, 0.0, /*is_causal=*/true, s.random, s.unused, scale);
  return {dq.contiguous(), dk.contiguous(), dv.contiguous()};
}

Saved ForwardLayer(const LayerPlan& plan, const Kernels& kernels, const Weights& w,
                   const at::Tensor& x, const at::Tensor& y, at::Tensor* out) {
  const ModelConfig& c = plan.config;
  Saved s;
  auto normed = kernels.AddNorm(x, y, w.input_norm);
  s.x0 = normed.sum, s.h0 = normed.h, s.rstd0 = normed.rstd;
  const auto options = s.h0.options();
  const at::Tensor qkv = at::mm(s.h0, w.qkv.t());
  s.q = at::empty({plan.tokens, c.num_heads, c.head_dim}, options);
  s.k = at::empty({plan.places, c.num_kv_heads, c.head_dim}, options);
  s.v = at::empty_like(s.k);
  const int64_t units = std::max(plan.tokens * c.num_heads, plan.places * c.num_kv_heads);
  kernels.Get("SplitQkv")(Blocks(units * (c.head_dim / 16), 3), 256, 0, Raw(qkv), Raw(w.qkv_bias),
                          Raw(plan.cosine), Raw(plan.sine), Raw(plan.source), plan.tokens,
                          plan.places, Raw(s.q), Raw(s.k), Raw(s.v));
  AttendPacked(plan, &s);
  const at::Tensor branch = at::mm(s.attended.view({plan.tokens, -1}), w.o.t());
  normed = kernels.AddNorm(s.x0, branch, w.post_norm);
  s.x1 = normed.sum, s.h1 = normed.h, s.rstd1 = normed.rstd;
  s.gate_up = at::mm(s.h1, w.gate_up.t());
  s.product = at::empty({plan.tokens, c.intermediate_size}, options);
  kernels.Get("GateUp")(Blocks(s.product.numel() / 8), 256, 0, Raw(s.gate_up), plan.tokens,
                        static_cast<int>(c.intermediate_size), Raw(s.product));
  if (out != nullptr) *out = at::mm(s.product, w.down.t());
  return s;
}

// Which of a layer's matrices want a gradient.
struct Wanted {
  bool qkv = true, o = true, gate_up = true, down = true;
};

// Where the matrices' gradients are added up in float32; undefined: autograd gets them.
struct Sums : torch::CustomClassHolder {
  at::Tensor q, k, v, o, gate, up, down;
};

struct Gradients {
  at::Tensor x, y, input_norm, qkv, qkv_bias, o, post_norm, gate_up, down;
};

// The gradient dy' x of a matrix, or of several that stand one below the other: added to `sums` (float32) if there are any, given
// otherwise.
at::Tensor MatrixGradient(const at::Tensor& dy, const at::Tensor& x,
                          const std::vector<at::Tensor>& sums) {
  if (!sums[0].defined()) return at::mm(dy.t(), x);
  at::Tensor joined = JoinRows(sums);
  if (joined.is_alias_of(sums[0])) {
    at::addmm_out(joined, joined, dy.t(), x, at::kFloat);
    return {};
  }
  const at::Tensor product = at::mm(dy.t(), x, at::kFloat);
  int64_t first = 0;
  for (const at::Tensor& sum : sums) {
    sum.add_(product.narrow(0, first, sum.size(0)));
    first += sum.size(0);
  }
  return {};
}

// dx1: of the stream before the MLP, from above; dy: of the MLP's own output.
Gradients BackwardLayer(const LayerPlan& plan, const Kernels& kernels, const Weights& w,
                        const Saved& s, const Wanted& wanted, const Sums& sums,
                        const at::Tensor& dx1, const at::Tensor& dy) {
  const ModelConfig& c = plan.config;
  Gradients g;
  const auto options = s.h0.options();
  at::Tensor dproduct = at::mm(dy, w.down);
  at::Tensor dgate_up = at::empty_like(s.gate_up);
  kernels.Get("GateUpBackward")(Blocks(dproduct.numel() / 8), 256, 0, Raw(dproduct), Raw(s.gate_up),
                                plan.tokens, static_cast<int>(c.intermediate_size), Raw(dgate_up));
  dproduct = at::Tensor();
  if (wanted.down) g.down = MatrixGradient(dy, s.product, {sums.down});
  at::Tensor dh = at::mm(dgate_up, w.gate_up);
  if (wanted.gate_up) g.gate_up = MatrixGradient(dgate_up, s.h1, {sums.gate, sums.up});
  dgate_up = at::Tensor();
  const auto post = kernels.NormBackward(dh, s.x1, s.h1, s.rstd1, w.post_norm, dx1);
  g.post_norm = post.dweight;
  const at::Tensor dattended = at::mm(post.dy, w.o).view(s.attended.sizes());
  if (wanted.o) g.o = MatrixGradient(post.dy, s.attended.view({plan.tokens, -1}), {sums.o});
  const QkvGradient d = AttendBackward(plan, s, dattended);
  const int64_t width = (c.num_heads + 2 * c.num_kv_heads) * c.head_dim;
  const at::Tensor dqkv = at::empty({plan.tokens, width}, options);
  kernels.Get("MergeQkv")(Blocks(plan.tokens * (width / 16)), 256, 0, Raw(d.q), Raw(d.k), Raw(d.v),
                          Raw(plan.cosine), Raw(plan.sine), Raw(plan.first_place),
                          Raw(plan.place_list), plan.tokens, Raw(dqkv));
  if (wanted.qkv) g.qkv = MatrixGradient(dqkv, s.h0, {sums.q, sums.k, sums.v});
  if (w.qkv_bias.defined()) g.qkv_bias = dqkv.sum(0);
  dh = at::mm(dqkv, w.qkv);
  const auto input = kernels.NormBackward(dh, s.x0, s.h0, s.rstd0, w.input_norm, post.dx);
  g.x = input.dx, g.y = input.dy, g.input_norm = input.dweight;
  return g;
}

using MaybeTensor = std::optional<at::Tensor>;
MaybeTensor Maybe(const at::Tensor& tensor) {
  return tensor.defined() ? MaybeTensor(tensor) : std::nullopt;
}

// The inputs that want gradients, in the order in which the function takes them.
struct LayerFunction : torch::autograd::Function<LayerFunction> {
  static variable_list forward(AutogradContext* ctx, const at::Tensor& x, const MaybeTensor& y,
                               const at::Tensor& input_norm, const at::Tensor& q,
                               const at::Tensor& k, const at::Tensor& v, const MaybeTensor& q_bias,
                               const MaybeTensor& k_bias, const MaybeTensor& v_bias,
                               const at::Tensor& o, const at::Tensor& post_norm,
                               const at::Tensor& gate, const at::Tensor& up, const at::Tensor& down,
                               const Plan* plan, const LayerWeights* sums) {
    const Weights w{input_norm,
                    JoinRows({q, k, v}),
                    q_bias ? JoinRows({*q_bias, *k_bias, *v_bias}) : at::Tensor(),
                    o,
                    post_norm,
                    JoinRows({gate, up}),
                    down};
    const Kernels kernels((*plan)->config);
    at::Tensor out;
    const Saved s = ForwardLayer(**plan, kernels, w, x, y.value_or(at::Tensor()), &out);
    variable_list keep = {w.input_norm, w.qkv, w.o, w.post_norm, w.gate_up, w.down};
    if ((*plan)->recompute) {
      // x0 is x + y: the sum stands for both.
      keep.push_back(s.x0);
    } else {
      const bool streams = !(*plan)->norms_divide;
      keep.insert(keep.end(), {streams ? s.x0 : at::Tensor(), s.rstd0, s.h0, s.q, s.k, s.v,
                               s.attended, s.lse, s.random, s.unused, streams ? s.x1 : at::Tensor(),
                               s.rstd1, s.h1, s.gate_up, s.product});
    }
    if (w.qkv_bias.defined()) keep.push_back(w.qkv_bias);
    ctx->save_for_backward(keep);
    ctx->saved_data["plan"] = c10::IValue::make_capsule(*plan);
    ctx->saved_data["bias"] = w.qkv_bias.defined();
    ctx->saved_data["y"] = y.has_value();
    if (sums != nullptr) {
      const auto held = c10::make_intrusive<Sums>();
      held->q = sums->q_proj, held->k = sums->k_proj, held->v = sums->v_proj;
      held->o = sums->o_proj, held->gate = sums->gate_proj, held->up = sums->up_proj;
      held->down = sums->down_proj;
      ctx->saved_data["sums"] = c10::IValue::make_capsule(held);
    }
    ctx->saved_data["wants_qkv"] = q.requires_grad() || k.requires_grad() || v.requires_grad();
    ctx->saved_data["wants_o"] = o.requires_grad();
    ctx->saved_data["wants_gate_up"] = gate.requires_grad() || up.requires_grad();
    ctx->saved_data["wants_down"] = down.requires_grad();
    return {s.x1, out};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto plan =
        c10::static_intrusive_pointer_cast<LayerPlan>(ctx->saved_data["plan"].toCapsule());
    const ModelConfig& c = plan->config;
    const Kernels kernels(c);
    const variable_list kept = ctx->get_saved_variables();
    const bool bias = ctx->saved_data["bias"].toBool();
    const Weights w{kept[0], kept[1], bias ? kept.back() : at::Tensor(), kept[2], kept[3],
                    kept[4], kept[5]};
    Saved s;
    if (plan->recompute) {
      s = ForwardLayer(*plan, kernels, w, kept[6], {}, nullptr);
    } else {
      s = {kept[6],  kept[7],  kept[8],  kept[9],  kept[10], kept[11], kept[12], kept[13],
           kept[14], kept[15], kept[16], kept[17], kept[18], kept[19], kept[20]};
    }
    const auto given = ctx->saved_data.find("sums");
    const auto sums = given == ctx->saved_data.end()
                          ? c10::make_intrusive<Sums>()
                          : c10::static_intrusive_pointer_cast<Sums>(given->second.toCapsule());
    const at::Tensor dx1 = grads[0].defined() ? grads[0].contiguous() : at::Tensor();
    const auto wants = [&](const char* what) { return ctx->saved_data[what].toBool(); };
    const Wanted wanted{wants("wants_qkv"), wants("wants_o"), wants("wants_gate_up"),
                        wants("wants_down")};
    const Gradients g =
        BackwardLayer(*plan, kernels, w, s, wanted, *sums, dx1, grads[1].contiguous());
    const int64_t q = c.num_heads * c.head_dim, kv = c.num_kv_heads * c.head_dim;
    const int64_t inner = c.intermediate_size;
    const auto part = [](const at::Tensor& whole, int64_t first, int64_t count) {
      return whole.defined() ? whole.narrow(0, first, count) : at::Tensor();
    };
    return {g.x,
            ctx->saved_data["y"].toBool() ? g.y : at::Tensor(),
            g.input_norm,
            part(g.qkv, 0, q),
            part(g.qkv, q, kv),
            part(g.qkv, q + kv, kv),
            part(g.qkv_bias, 0, q),
            part(g.qkv_bias, q, kv),
            part(g.qkv_bias, q + kv, kv),
            g.o,
            g.post_norm,
            part(g.gate_up, 0, inner),
            part(g.gate_up, inner, inner),
            g.down,
            Variable(),
            Variable()};
  }
};

struct FinalNormFunction : torch::autograd::Function<FinalNormFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& y,
                            const at::Tensor& weight, const Plan* plan) {
    const Kernels kernels((*plan)->config);
    const auto normed = kernels.AddNorm(x, y, weight);
    ctx->save_for_backward({normed.sum, normed.rstd, weight});
    ctx->saved_data["plan"] = c10::IValue::make_capsule(*plan);
    return normed.h;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto plan =
        c10::static_intrusive_pointer_cast<LayerPlan>(ctx->saved_data["plan"].toCapsule());
    const Kernels kernels(plan->config);
    const variable_list kept = ctx->get_saved_variables();
    const auto g = kernels.NormBackward(grads[0].contiguous(), kept[0], {}, kept[1], kept[2], {});
    return {g.dx, g.dy, g.dweight, Variable()};
  }
};

}  // namespace

bool HasFusedLayers(const Model& model, const PackedBatch& batch, at::ScalarType compute) {
  const ModelConfig& c = model.config;
  if (!Usable(model.embed) || compute != at::kBFloat16 || model.dtype() != at::kBFloat16)
    return false;
  if (model.norm.scalar_type() != at::kFloat || c.qk_norm || c.o_bias || c.mlp_bias ||
      !NotFused(c).empty())
    return false;
  if (c.hidden_size % 8 != 0 || c.hidden_size > 16384 || c.intermediate_size % 8 != 0 ||
      c.head_dim % 16 != 0 || c.head_dim > 256) {
    return false;
  }
  int64_t end = 0;
  for (const Segment& segment : batch.segments) {
    if (segment.start != end || segment.length == 0) return false;
    end += segment.length;
  }
  return end > 0 && end == batch.ids_N.size(0) && end < (int64_t{1} << 30);
}

Plan MakeLayerPlan(const Model& model, const PackedBatch& batch, at::Tensor cosine, at::Tensor sine,
                   bool recompute) {
  auto plan = c10::make_intrusive<LayerPlan>();
  plan->config = model.config;
  plan->cosine = std::move(cosine);
  plan->sine = std::move(sine);
  plan->recompute = recompute;
  plan->tokens = batch.ids_N.size(0);
  std::vector<int32_t> query_ends = {0}, key_ends = {0}, source;
  bool shared = false;
  const auto take = [&](const Segment& segment) {
    for (int64_t t = 0; t < segment.length; ++t)
      source.push_back(static_cast<int32_t>(segment.start + t));
  };
  for (const Segment& segment : batch.segments) {
    int64_t keys = segment.length;
    if (segment.prefix >= 0) {
      const Segment& prefix = batch.segments[static_cast<size_t>(segment.prefix)];
      take(prefix);
      keys += prefix.length;
      shared = true;
    }
    take(segment);
    query_ends.push_back(static_cast<int32_t>(segment.start + segment.length));
    key_ends.push_back(static_cast<int32_t>(source.size()));
    plan->longest_query = std::max(plan->longest_query, segment.length);
    plan->longest_key = std::max(plan->longest_key, keys);
  }
  plan->places = static_cast<int64_t>(source.size());
  const auto rows = static_cast<int64_t>(batch.segments.size());
  // cuDNN makes a plan for each new shape, which takes a fifth of a second: only for shapes that come again.
  const bool equal = !shared && plan->longest_query * rows == plan->tokens;
  if (equal && rows >= 8 && plan->longest_query % 64 == 0 && model.config.head_dim % 8 == 0 &&
      model.config.head_dim <= 128 && at::globalContext().userEnabledCuDNNSDP() &&
      at::globalContext().hasCuDNN())
    plan->dense_rows = rows;
  const at::Device device = model.device();
  plan->query_ends = ToDevice(query_ends, device);
  plan->key_ends = ToDevice(key_ends, device);
  if (!shared) return plan;
  std::vector<int32_t> first(static_cast<size_t>(plan->tokens) + 1), list(source.size());
  for (int32_t token : source) ++first[static_cast<size_t>(token) + 1];
  for (size_t i = 1; i < first.size(); ++i) first[i] += first[i - 1];
  std::vector<int32_t> next(first.begin(), first.end() - 1);
  for (size_t place = 0; place < source.size(); ++place)
    list[static_cast<size_t>(next[static_cast<size_t>(source[place])]++)] =
        static_cast<int32_t>(place);
  plan->source = ToDevice(source, device);
  plan->first_place = ToDevice(first, device);
  plan->place_list = ToDevice(list, device);
  return plan;
}

Stream FusedLayer(const Plan& plan, const LayerWeights& w, const Stream& in,
                  std::vector<LayerKv>* kv, const LayerWeights* sums) {
  if (!at::GradMode::is_enabled()) {
    Stream out;
    const Saved s = ForwardLayer(*plan, Kernels(plan->config), Join(w), in.x, in.y, &out.y);
    out.x = s.x1;
    if (kv != nullptr) kv->push_back({s.k, s.v});
    return out;
  }
  const variable_list out =
      LayerFunction::apply(in.x, Maybe(in.y), w.input_norm, w.q_proj, w.k_proj, w.v_proj,
                           Maybe(w.q_bias), Maybe(w.k_bias), Maybe(w.v_bias), w.o_proj, w.post_norm,
                           w.gate_proj, w.up_proj, w.down_proj, &plan, sums);
  return {out[0], out[1]};
}

at::Tensor FusedFinalNorm(const Plan& plan, const at::Tensor& weight, const Stream& in) {
  return FinalNormFunction::apply(in.x, in.y, weight, &plan);
}

namespace {
// The head's kernels know no shape.
Kernel HeadKernel(const at::Tensor& logits, const char* name) {
  return GetKernel(kTrainSource,
                   {{"BF16", logits.scalar_type() == at::kBFloat16 ? "1" : "0"},
                    {"HIDDEN", "8"},
                    {"HEAD_DIM", "16"},
                    {"HEADS", "1"},
                    {"KV_HEADS", "1"},
                    {"EPS", "0"},
                    {"NORM_THREADS", "32"}},
                   name);
}
}  // namespace

void JoinSlice(const at::Tensor& logits, int64_t first, const at::Tensor& targets, double scale,
               const at::Tensor& max, const at::Tensor& sum, const at::Tensor& weighted,
               const at::Tensor& chosen) {
  HeadKernel(logits, "JoinSlice")({logits.size(0)}, 256, 0, Raw(logits), logits.size(1), first,
                                  Raw(targets), static_cast<float>(scale), Raw(max), Raw(sum),
                                  Raw(weighted), Raw(chosen));
}

void SliceGrad(const at::Tensor& logits, int64_t first, const at::Tensor& targets, double scale,
               const at::Tensor& lse, const at::Tensor& dlogp, const at::Tensor& dentropy,
               const at::Tensor& entropy) {
  HeadKernel(logits, "SliceGrad")({logits.size(0)}, 256, 0, Raw(logits), logits.size(1), first,
                                  Raw(targets), static_cast<float>(scale), Raw(lse), Raw(dlogp),
                                  Raw(dentropy), Raw(entropy));
}

}  // namespace assay::cuda
