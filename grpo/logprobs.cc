// Log-probs of given tokens under softmax(hidden head^T / temperature), a chunk of tokens at a time. With z the
// tempered logits, p = softmax(z), L = logsumexp(z) and H = L - sum p z:
//   logp = z[target] - L          d logp / dz_j = [j = target] - p_j
//   H                             d H / dz_j    = -p_j (z_j - L + H)
#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "core/check.h"
#include "grpo/model.h"

namespace assay {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// Tempered logits of tokens [begin, begin + count) in float32 (or float64).
at::Tensor ChunkLogits(const at::Tensor& hidden, const at::Tensor& head, int64_t begin, int64_t count, double temperature) {
  at::Tensor z = at::mm(hidden.narrow(0, begin, count), head.t());
  if (z.scalar_type() != at::kFloat && z.scalar_type() != at::kDouble) z = z.to(at::kFloat);
  if (temperature != 1.0) z.div_(temperature);
  return z;
}

struct LogprobFunction : torch::autograd::Function<LogprobFunction> {
  static variable_list forward(AutogradContext* ctx, const at::Tensor& hidden, const at::Tensor& head,
                               const at::Tensor& targets, const at::Tensor* top1, double temperature, int64_t chunk,
                               bool want_entropy, bool entropy_grad) {
    const int64_t tokens = hidden.size(0);
    const auto options = hidden.options().dtype(hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
    const at::Tensor logp = at::empty({tokens}, options);
    const at::Tensor lse = at::empty({tokens}, options);
    const at::Tensor entropy = want_entropy ? at::empty({tokens}, options) : at::Tensor();
    for (int64_t begin = 0; begin < tokens; begin += chunk) {
      const int64_t count = std::min(chunk, tokens - begin);
      at::Tensor z = ChunkLogits(hidden, head, begin, count, temperature);
      const at::Tensor chosen = z.gather(1, targets.narrow(0, begin, count).unsqueeze(1)).squeeze(1);
      const at::Tensor top = z.amax(1);
      if (top1 != nullptr) top1->narrow(0, begin, count).copy_(chosen >= top);
      z.sub_(top.unsqueeze(1));
      at::Tensor p = z.exp();
      const at::Tensor sum = p.sum(1);
      const at::Tensor log_sum = sum.log();
      lse.narrow(0, begin, count).copy_(log_sum + top);
      logp.narrow(0, begin, count).copy_(chosen - top - log_sum);
      if (want_entropy) {
        // sum p z with z below its maximum: finite where p is 0 and z is -inf only if the product is skipped.
        entropy.narrow(0, begin, count).copy_(log_sum - p.mul_(z.clamp_min_(-1e30)).sum(1) / sum);
      }
    }
    ctx->save_for_backward({hidden, head, targets, lse, entropy_grad ? entropy : at::Tensor()});
    ctx->saved_data["temperature"] = temperature;
    ctx->saved_data["chunk"] = chunk;
    if (want_entropy && !entropy_grad) ctx->mark_non_differentiable({entropy});
    if (!want_entropy) return {logp};
    return {logp, entropy};
  }

  // dz of one chunk, in place of its logits.
  static at::Tensor ChunkGrad(at::Tensor z, const at::Tensor& targets, const at::Tensor& lse, const at::Tensor& dlogp,
                              const at::Tensor& dentropy, const at::Tensor& entropy) {
    z.sub_(lse.unsqueeze(1));  // log p
    at::Tensor dz = z.exp();
    if (dentropy.defined()) {
      const at::Tensor factor = z.clamp_min_(-1e30).add_(entropy.unsqueeze(1)).mul_(dentropy.unsqueeze(1));
      dz.mul_(factor.add_(dlogp.unsqueeze(1)).neg_());
    } else {
      dz.mul_(dlogp.neg().unsqueeze(1));
    }
    return dz.scatter_add_(1, targets.unsqueeze(1), dlogp.unsqueeze(1));
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor& hidden = saved[0];
    const at::Tensor& head = saved[1];
    const at::Tensor& targets = saved[2];
    const at::Tensor& lse = saved[3];
    const at::Tensor& entropy = saved[4];
    const double temperature = ctx->saved_data["temperature"].toDouble();
    const int64_t chunk = ctx->saved_data["chunk"].toInt();
    const int64_t tokens = hidden.size(0);
    const at::Tensor dlogp = grads[0].defined() ? grads[0] : at::zeros_like(lse);
    const bool with_entropy = entropy.defined() && grads.size() > 1 && grads[1].defined();
    const at::Tensor dhidden = at::empty_like(hidden);
    at::Tensor dhead;
    for (int64_t begin = 0; begin < tokens; begin += chunk) {
      const int64_t count = std::min(chunk, tokens - begin);
      auto part = [&](const at::Tensor& x) { return x.narrow(0, begin, count); };
      at::Tensor dz = ChunkGrad(ChunkLogits(hidden, head, begin, count, temperature), part(targets), part(lse), part(dlogp),
                                with_entropy ? part(grads[1]) : at::Tensor(), with_entropy ? part(entropy) : at::Tensor());
      if (temperature != 1.0) dz.div_(temperature);
      dz = dz.to(head.scalar_type());
      at::Tensor dhidden_part = part(dhidden);
      at::mm_out(dhidden_part, dz, head);
      if (!ctx->needs_input_grad(1)) continue;
      if (!dhead.defined()) {
        dhead = at::mm(dz.t(), part(hidden));
      } else {
        dhead.addmm_(dz.t(), part(hidden));
      }
    }
    if (!dhead.defined() && ctx->needs_input_grad(1)) dhead = at::zeros_like(head);
    return {dhidden, dhead, Variable(), Variable(), Variable(), Variable(), Variable(), Variable()};
  }
};

}  // namespace

TokenLogprobs ComputeTokenLogprobs(const at::Tensor& hidden_MH, const at::Tensor& head_VH, const at::Tensor& targets_M,
                                   const LogprobOptions& options) {
  ASSAY_CHECK(options.temperature > 0 && options.chunk > 0);
  ASSAY_CHECK(!options.entropy_grad || options.entropy);
  const at::Tensor top1 = options.top1 ? at::empty({targets_M.size(0)}, targets_M.options().dtype(at::kFloat)) : at::Tensor();
  const variable_list out = LogprobFunction::apply(hidden_MH.contiguous(), head_VH, targets_M,
                                                   top1.defined() ? &top1 : nullptr, options.temperature,
                                                   options.chunk, options.entropy, options.entropy_grad);
  return {out[0], options.entropy ? out[1] : at::Tensor(), top1};
}

}  // namespace assay
