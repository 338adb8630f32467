// Log-probs of given tokens under softmax(hidden head^T / temperature), a slice of the vocabulary at a time. With z the
// tempered logits, p = softmax(z), L = logsumexp(z) and H = L - sum p z:
//   logp = z[target] - L          d logp / dz_j = [j = target] - p_j
//   H                             d H / dz_j    = -p_j (z_j - L + H)
// Slicing the vocabulary, not the tokens, lets the backward pass write each slice of the head's gradient once.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/check.h"
#include "grpo/model/cpu_kernels.h"
#include "grpo/model/cuda/layer.h"
#include "grpo/model/cuda/runtime.h"
#include "grpo/model/model.h"
#include "grpo/model/ops.h"

namespace assay {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

constexpr int64_t kMinSlice = 1024;
constexpr int64_t kGpuLogits = int64_t{1} << 27;

// What one token's softmax needs, joined over slices.
struct Softmax {
  at::Tensor max, sum, weighted;  // [M] float32 or float64: of exp(z - max) and exp(z - max) * z
  at::Tensor chosen;              // [M]: the target's z
};

bool HasKernel(const at::Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

bool HasCudaKernel(const at::Tensor& x) {
  return cuda::Usable(x) && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

// Calls fn(row, pointer to its first logit) for every row, on several threads.
template <typename T, typename Fn>
void ForRows(const at::Tensor& x, Fn&& fn) {
  T* data = static_cast<T*>(x.data_ptr());
  const int64_t width = x.size(1);
  at::parallel_for(0, x.size(0), std::max<int64_t>(1, 32768 / width),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t row = begin; row < end; ++row) fn(row, data + row * width);
                   });
}

template <typename T>
void JoinSliceCpu(const at::Tensor& x, int64_t first, const at::Tensor& targets, double scale,
                  Softmax* s) {
  float* max = s->max.data_ptr<float>();
  float* sum = s->sum.data_ptr<float>();
  float* weighted = s->weighted.data_ptr<float>();
  float* chosen = s->chosen.data_ptr<float>();
  const int64_t* target = targets.data_ptr<int64_t>();
  const int64_t width = x.size(1);
  const at::Tensor picked = at::clamp(targets - first, 0, width - 1);
  const at::Tensor values = x.gather(1, picked.unsqueeze(1)).squeeze(1).to(at::kFloat);
  const float* value = values.data_ptr<float>();
  ForRows<T>(x, [&](int64_t row, const T* z) {
    const cpu::RowStats piece = cpu::LogitStats<T>(z, width, static_cast<float>(scale));
    const float top = std::max(max[row], piece.max);
    const float keep = std::exp(max[row] - top);
    const float add = std::exp(piece.max - top);
    sum[row] = sum[row] * keep + piece.sum * add;
    weighted[row] = weighted[row] * keep + piece.weighted * add;
    max[row] = top;
    if (target[row] >= first && target[row] < first + width)
      chosen[row] = value[row] * static_cast<float>(scale);
  });
}

void JoinSlice(const at::Tensor& x, int64_t first, const at::Tensor& targets, double scale,
               Softmax* s) {
  if (HasKernel(x)) {
    return x.scalar_type() == at::kFloat ? JoinSliceCpu<float>(x, first, targets, scale, s)
                                         : JoinSliceCpu<cpu::bf16_t>(x, first, targets, scale, s);
  }
  if (HasCudaKernel(x)) {
    return cuda::JoinSlice(x, first, targets, scale, s->max, s->sum, s->weighted, s->chosen);
  }
  const int64_t width = x.size(1);
  const at::Tensor z = x.to(s->max.scalar_type()) * scale;
  const at::Tensor top = at::maximum(s->max, z.amax(1));
  const at::Tensor keep = (s->max - top).exp();
  const at::Tensor p = (z - top.unsqueeze(1)).exp();
  s->sum = s->sum * keep + p.sum(1);
  s->weighted = s->weighted * keep + (p * z.clamp_min(-1e30)).sum(1);
  s->max = top;
  const at::Tensor local = targets - first;
  const at::Tensor inside = local.ge(0).logical_and(local.lt(width));
  const at::Tensor value = z.gather(1, local.clamp(0, width - 1).unsqueeze(1)).squeeze(1);
  s->chosen = at::where(inside, value, s->chosen);
}

struct GradInputs {
  at::Tensor lse, dlogp, dentropy,
      entropy;  // [M] float32 or float64; the last two undefined without an entropy gradient
};

// Logits of a slice become their gradient.
template <typename T>
void SliceGradCpu(const at::Tensor& x, double scale, const GradInputs& in) {
  const float* lse = in.lse.data_ptr<float>();
  const float* a = in.dlogp.data_ptr<float>();
  const float* b = in.dentropy.defined() ? in.dentropy.data_ptr<float>() : nullptr;
  const float* entropy = in.dentropy.defined() ? in.entropy.data_ptr<float>() : nullptr;
  ForRows<T>(x, [&](int64_t row, T* z) {
    cpu::LogitGrad<T>(z, x.size(1), static_cast<float>(scale), lse[row], a[row], b ? b[row] : 0.0f,
                      entropy ? entropy[row] : 0.0f);
  });
}

at::Tensor SliceGrad(at::Tensor x, int64_t first, const at::Tensor& targets, double scale,
                     const GradInputs& in) {
  if (HasCudaKernel(x)) {
    cuda::SliceGrad(x, first, targets, scale, in.lse, in.dlogp, in.dentropy, in.entropy);
    return x;
  }
  const int64_t width = x.size(1);
  if (HasKernel(x)) {
    x.scalar_type() == at::kFloat ? SliceGradCpu<float>(x, scale, in)
                                  : SliceGradCpu<cpu::bf16_t>(x, scale, in);
  } else {
    const at::Tensor log_p = x.to(in.lse.scalar_type()) * scale - in.lse.unsqueeze(1);
    at::Tensor factor = in.dlogp.unsqueeze(1);
    if (in.dentropy.defined()) {
      factor =
          factor + in.dentropy.unsqueeze(1) * (log_p.clamp_min(-1e30) + in.entropy.unsqueeze(1));
    }
    x = (log_p.exp() * factor * -scale).to(x.scalar_type());
  }
  const at::Tensor local = targets - first;
  const at::Tensor own = at::where(local.ge(0).logical_and(local.lt(width)), in.dlogp * scale,
                                   at::zeros_like(in.dlogp));
  return x.scatter_add_(1, local.clamp(0, width - 1).unsqueeze(1),
                        own.to(x.scalar_type()).unsqueeze(1));
}

// sum += a b, on a GPU in one kernel.
void AddMatmul(const at::Tensor& a, const at::Tensor& b, at::Tensor sum) {
  if (sum.is_cuda())
    sum.addmm_(a, b);
  else
    sum.add_(MatmulNt(a, b.t()));
}

struct LogprobFunction : torch::autograd::Function<LogprobFunction> {
  static variable_list forward(AutogradContext* ctx, const at::Tensor& hidden,
                               const at::Tensor& head, const at::Tensor& targets,
                               const at::Tensor* top1, const at::Tensor* head_grad,
                               double temperature, int64_t slice, bool entropy_grad) {
    const int64_t tokens = hidden.size(0);
    const int64_t vocab = head.size(0);
    const auto options = hidden.options().requires_grad(false).dtype(
        hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
    Softmax s{at::full({tokens}, -std::numeric_limits<double>::infinity(), options),
              at::zeros({tokens}, options), at::zeros({tokens}, options),
              at::zeros({tokens}, options)};
    for (int64_t first = 0; first < vocab; first += slice) {
      const int64_t count = std::min(slice, vocab - first);
      const at::Tensor part = head.narrow(0, first, count).to(hidden.scalar_type());
      JoinSlice(MatmulNt(hidden, part), first, targets, 1.0 / temperature, &s);
    }
    if (top1 != nullptr) top1->copy_(s.chosen >= s.max);
    const at::Tensor lse = s.max + s.sum.log();
    const at::Tensor logp = s.chosen - lse;
    const at::Tensor entropy = lse - s.weighted / s.sum;
    ctx->save_for_backward({hidden, head, targets, lse, entropy});
    if (head_grad->defined()) ctx->saved_data["head_grad"] = *head_grad;
    ctx->saved_data["temperature"] = temperature;
    ctx->saved_data["slice"] = slice;
    ctx->saved_data["entropy_grad"] = entropy_grad;
    if (!entropy_grad) ctx->mark_non_differentiable({entropy});
    return {logp, entropy};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor& hidden = saved[0];
    const at::Tensor& head = saved[1];
    const at::Tensor& targets = saved[2];
    const double scale = 1.0 / ctx->saved_data["temperature"].toDouble();
    const int64_t slice = ctx->saved_data["slice"].toInt();
    GradInputs in{saved[3],
                  grads[0].defined() ? grads[0].contiguous() : at::zeros_like(saved[3]),
                  {},
                  saved[4]};
    if (ctx->saved_data["entropy_grad"].toBool() && grads[1].defined())
      in.dentropy = grads[1].contiguous();
    const at::Tensor dhidden = at::zeros_like(hidden);
    const auto given = ctx->saved_data.find("head_grad");
    const at::Tensor sum = given == ctx->saved_data.end() ? at::Tensor() : given->second.toTensor();
    const at::Tensor dhead =
        !sum.defined() && ctx->needs_input_grad(1) ? at::empty_like(head) : at::Tensor();
    for (int64_t first = 0; first < head.size(0); first += slice) {
      const at::Tensor part =
          head.narrow(0, first, std::min(slice, head.size(0) - first)).to(hidden.scalar_type());
      const at::Tensor dz = SliceGrad(MatmulNt(hidden, part), first, targets, scale, in);
      if (ctx->needs_input_grad(0)) AddMatmul(dz, part, dhidden);
      if (sum.defined()) AddInto(sum.narrow(0, first, part.size(0)), MatmulNt(dz.t(), hidden.t()));
      if (dhead.defined()) dhead.narrow(0, first, part.size(0)).copy_(MatmulNt(dz.t(), hidden.t()));
    }
    return {dhidden, dhead, Variable(), Variable(), Variable(), Variable(), Variable(), Variable()};
  }
};

}  // namespace

TokenLogprobs ComputeTokenLogprobs(const at::Tensor& hidden_MH, const at::Tensor& head_VH,
                                   const at::Tensor& targets_M, const LogprobOptions& options) {
  ASSAY_CHECK(options.temperature > 0 && options.chunk > 0);
  ASSAY_CHECK(!options.entropy_grad || options.entropy);
  const int64_t vocab = head_VH.size(0);
  const int64_t tokens = std::max<int64_t>(1, hidden_MH.size(0));
  // A GPU wants large products of aligned widths; that many logits are little of its memory.
  const int64_t wanted = hidden_MH.is_cuda()
                             ? std::max(options.chunk * vocab, kGpuLogits) / tokens / 64 * 64
                             : options.chunk * vocab / tokens;
  const int64_t slice = std::clamp(wanted, std::min(kMinSlice, vocab), vocab);
  const at::Tensor top1 =
      options.top1 ? at::empty({targets_M.size(0)}, targets_M.options().dtype(at::kFloat))
                   : at::Tensor();
  const variable_list out = LogprobFunction::apply(
      hidden_MH.contiguous(), head_VH, targets_M.contiguous(), top1.defined() ? &top1 : nullptr,
      &options.head_grad, options.temperature, slice, options.entropy_grad);
  return {out[0], options.entropy ? out[1] : at::Tensor(), top1};
}

}  // namespace assay
