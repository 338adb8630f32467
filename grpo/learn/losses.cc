#include "grpo/learn/losses.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace assay {
namespace {

using at::Tensor;

bool IsVerl(LossType type) { return type >= LossType::kVerlVanilla; }

// Everything that the objectives share, computed once.
struct Terms {
  Tensor advantages;  // [B,1] or [B,T]
  Tensor mask;        // [B,T]
  Tensor lengths;     // [B], sum of the mask
  Tensor log_ratio;   // [B,T]: d = lp - lp_old
  Tensor ratio;       // rho: [B,T], or [B,1] for sequence ratios
};

Terms MakeTerms(const LossConfig& config, const LossInputs& in) {
  Terms terms;
  terms.mask = in.mask_BT.to(in.logp_BT.scalar_type());
  terms.lengths = terms.mask.sum(-1);
  terms.advantages = in.advantages.to(in.logp_BT.scalar_type());
  if (terms.advantages.dim() == 1) terms.advantages = terms.advantages.unsqueeze(1);
  const Tensor old = in.old_logp_BT.defined() ? in.old_logp_BT : in.logp_BT.detach();
  terms.log_ratio = in.logp_BT - old;
  if (config.ratio_level == RatioLevel::kSequence) {
    // GSPO (2507.18071): rho_i = exp(sum_t m d / max(L_i, 1))
    terms.ratio =
        ((terms.log_ratio * terms.mask).sum(-1) / terms.lengths.clamp_min(1)).unsqueeze(-1).exp();
  } else {
    terms.ratio = terms.log_ratio.exp();  // rho = exp(d)
  }
  return terms;
}

// grpo, bnpo, dr_grpo, dapo, luspo: l = -min( min(rho, delta) A, clip(rho, 1-low, 1+high) A )
Tensor ClippedObjective(const LossConfig& config, const Terms& terms) {
  const Tensor clipped = terms.ratio.clamp(1 - config.epsilon_low, 1 + config.epsilon_high);
  const Tensor bounded = config.delta ? terms.ratio.clamp_max(*config.delta) : terms.ratio;
  return -at::min(bounded * terms.advantages, clipped * terms.advantages);
}

// CISPO (2506.13585): l = -sg(min(rho, high)) A lp
Tensor CispoObjective(const LossConfig& config, const Terms& terms, const Tensor& logp) {
  return -terms.ratio.clamp_max(config.epsilon_high).detach() * terms.advantages * logp;
}

// `positive` or `negative` for each element by a condition.
Tensor Choose(const Tensor& condition, double positive, double negative,
              const at::TensorOptions& options) {
  return at::where(condition, at::full({}, positive, options), at::full({}, negative, options));
}
// TRL holds what it chooses by the sign of A in float32, whatever the log-probs are in.
double F32(double x) { return static_cast<float>(x); }

// SAPO (2511.20347): l = -(4/tau) sigmoid(tau (rho - 1)) A, tau by the sign of A
Tensor SapoObjective(double tau_pos, double tau_neg, const Tensor& ratio,
                     const Tensor& advantages) {
  const Tensor tau = Choose(advantages > 0, tau_pos, tau_neg, advantages.options());
  return -(tau * (ratio - 1)).sigmoid() * 4 / tau * advantages;
}

// VESPO: phi = exp(lambda + k log W - lambda W), log W = clamp(sum_t m clamp(d, -20, 20) [+ log of the correction],
// log 1e-8, 20), with (k, lambda) by the sign of A; no gradient. [B,1]
Tensor VespoPhi(const LossConfig& config, const Terms& terms, const Tensor& importance_ratio) {
  const double lowest = std::log(1e-8);
  Tensor log_w =
      (terms.log_ratio.detach().clamp(-20.0, 20.0) * terms.mask).sum(-1, /*keepdim=*/true);
  if (importance_ratio.defined())
    log_w = log_w + importance_ratio.log().clamp(lowest, 20.0).sum(-1, true);
  log_w = log_w.clamp(lowest, 20.0);
  const Tensor nonnegative = terms.advantages >= 0;
  const Tensor k =
      Choose(nonnegative, F32(config.vespo_k_pos), F32(config.vespo_k_neg), log_w.options());
  const Tensor lambda = Choose(nonnegative, F32(config.vespo_lambda_pos),
                               F32(config.vespo_lambda_neg), log_w.options())
                            .clamp_min(1e-4);
  return (lambda + k * log_w - lambda * log_w.exp()).exp().nan_to_num(0.0, 0.0, 0.0);
}

// DeepSeek-V3.2's off-policy sequence mask: keep a row if A >= 0 or mean_t(lp_sampler - lp) <= threshold.
Tensor OffPolicyMask(double threshold, const Terms& terms, const LossInputs& in) {
  const Tensor old = in.old_logp_BT.defined() ? in.old_logp_BT : in.logp_BT.detach();
  const Tensor sampler = in.sampler_logp_BT.defined() ? in.sampler_logp_BT : old;
  const Tensor drift = (sampler - in.logp_BT.detach()).nan_to_num(0.0);
  const Tensor mean = (drift * terms.mask).sum(1, true) / terms.mask.sum(1, true).clamp_min(1);
  return ((terms.advantages >= 0).logical_or(mean <= threshold)).to(terms.mask.scalar_type());
}

// Tokens whose entropy reaches the (1 - share) quantile of the masked entropies (2506.01939). float32, as TRL takes it. A
// quantile by sorting (linear interpolation), because at::quantile refuses more than 16 million values.
Tensor TopEntropyMask(double share, const Tensor& entropy, const Tensor& mask) {
  const Tensor valid = mask > 0;
  const Tensor sorted = std::get<0>(
      entropy.detach().to(at::kFloat).masked_fill(valid.logical_not(), INFINITY).flatten().sort());
  const Tensor last = valid.sum().to(at::kFloat).sub(1).clamp_min(0);
  const Tensor rank = last * (1 - share);
  const Tensor low = sorted.gather(0, rank.floor().to(at::kLong).unsqueeze(0)).squeeze(0);
  const Tensor high = sorted.gather(0, rank.ceil().to(at::kLong).unsqueeze(0)).squeeze(0);
  const Tensor threshold = at::lerp(low, high, rank - rank.floor());
  return (entropy.detach() >= threshold).logical_and(valid).to(mask.scalar_type());
}

// Sum over rows divided by the rows that count.
Tensor RowMean(const Tensor& values_B, const LossInputs& in) {
  const double rows = in.counted_rows < 0 ? static_cast<double>(values_B.size(0)) : in.counted_rows;
  return values_B.sum() / std::max(rows, 1e-9);
}

// l may be [B,1]: multiplying by the mask spreads it over the row's tokens.
Tensor Aggregate(const LossConfig& config, Aggregation how, const Tensor& l, const Terms& terms,
                 const LossInputs& in) {
  const Tensor& mask = terms.mask;
  const Tensor masked = l * mask;
  const double ga = in.accumulation_steps;
  switch (how) {
    case Aggregation::kSeqMeanTokenMean:  // mean_i( sum_t m l / max(L_i, 1) ) / ga
      return RowMean(masked.sum(-1) / terms.lengths.clamp_min(1), in) / ga;
    case Aggregation::kTokenMean:  // sum m l / max(sum m, 1) / ga
      return masked.sum() / mask.sum().clamp_min(1) / ga;
    case Aggregation::kConstant: {  // sum m l / (B max_completion_length) / ga
      return RowMean(masked.sum(-1), in) / static_cast<double>(config.max_completion_length) / ga;
    }
    case Aggregation::kBatchTokens:  // sum m l / (max(N, 1) ga / spg)
      return masked.sum() / (std::max(in.num_items, 1.0) * ga / in.steps_per_generation);
    case Aggregation::kSeqMeanTokenSum:  // mean_i( sum_t m l ) / ga
      return RowMean(masked.sum(-1), in) / ga;
    case Aggregation::kVerlTokenMean:  // sum m l / sum m
      return masked.sum() / mask.sum() / ga;
    case Aggregation::kVerlSeqMeanTokenSum:  // sum_i sum_t m l / #rows with L_i > 0
      return masked.sum() / (terms.lengths > 0).sum() / ga;
    case Aggregation::
        kVerlSeqMeanTokenMean:  // sum_i( sum_t m l / (L_i + 1e-8) ) / #rows with L_i > 0
      return (masked.sum(-1) / (terms.lengths + 1e-8)).sum() / (terms.lengths > 0).sum() / ga;
    case Aggregation::kVerlSeqMeanTokenSumNorm:  // sum m l / T
      return masked.sum() / static_cast<double>(mask.size(-1)) / ga;
  }
  ASSAY_CHECK(false && "unknown aggregation");
  return {};
}

// --- metrics ----------------------------------------------------------------------------------------------------------

// Token-weighted mean; of [B,1] values the mean over rows.
Tensor MaskedMean(const Tensor& x, const Tensor& mask) {
  if (x.size(1) == 1 && mask.size(1) != 1) return x.mean();
  return (x * mask).sum() / mask.sum().clamp_min(1);
}

// Each row's share of clipped tokens; NaN for rows without tokens, which the minimum and maximum pass over.
Tensor RowShare(const Tensor& clipped, const Terms& terms) {
  if (clipped.size(1) == 1 && terms.mask.size(1) != 1) return clipped.squeeze(1);
  return (clipped * terms.mask.to(at::kFloat)).sum(-1) / terms.lengths.to(at::kFloat);
}

void AddClipRatios(const LossConfig& config, const Terms& terms, LossOutput* out) {
  const Tensor ratio =
      config.delta ? terms.ratio.detach().clamp_max(*config.delta) : terms.ratio.detach();
  const Tensor low = (ratio < 1 - config.epsilon_low).logical_and(terms.advantages < 0);
  const Tensor high = (ratio > 1 + config.epsilon_high).logical_and(terms.advantages > 0);
  const Tensor mask = terms.mask.to(at::kFloat);
  const auto share = [&](const Tensor& x) { return MaskedMean(x.to(at::kFloat), mask); };
  out->metrics.emplace_back("clip_ratio/low_mean", share(low));
  out->metrics.emplace_back("clip_ratio/high_mean", share(high));
  out->metrics.emplace_back("clip_ratio/region_mean", share(low.logical_or(high)));
  const Tensor low_rows = RowShare(low.to(at::kFloat), terms);
  const Tensor high_rows = RowShare(high.to(at::kFloat), terms);
  out->metrics.emplace_back("clip_ratio/low_min", low_rows.nan_to_num(INFINITY).amin());
  out->metrics.emplace_back("clip_ratio/high_max", high_rows.nan_to_num(-INFINITY).amax());
}

// --- verl (trainer/ppo/core_algos.py) ---------------------------------------------------------------------------------

// sum m x / (sum m + 1e-8)
Tensor VerlMean(const Tensor& x, const Tensor& mask) {
  return (x * mask).sum() / (mask.sum() + 1e-8);
}

struct VerlObjective {
  Tensor l;  // [B,T], or [B] for geo_mean, which is a mean over rows
  Tensor clipfrac;
  Tensor clipfrac_lower;
};

// d clamped to +-20; l = max(-A rho, -A clip(rho)); for A < 0 at most -A c (dual clip, 1912.09729).
VerlObjective VerlVanilla(const LossConfig& config, const Terms& terms, const Tensor& mask) {
  const Tensor rho = terms.log_ratio.clamp(-20.0, 20.0).exp();
  const Tensor& a = terms.advantages;
  const Tensor plain = -a * rho;
  const Tensor clipped = -a * rho.clamp(1 - config.epsilon_low, 1 + config.epsilon_high);
  const Tensor worse = at::maximum(plain, clipped);
  const Tensor cap = -a * config.dual_clip;
  VerlObjective out;
  out.l = at::where(a < 0, at::minimum(cap, worse), worse);
  out.clipfrac = VerlMean((clipped > plain).to(mask.scalar_type()), mask);
  out.clipfrac_lower = VerlMean((worse > cap).logical_and(a < 0).to(mask.scalar_type()), mask);
  return out;
}

// GSPO with a gradient through each token: log s = lp - sg(lp) + sg(mean d), at most 10.
VerlObjective VerlGspo(const LossConfig& config, const Terms& terms, const Tensor& logp) {
  const Tensor mean_d = (terms.log_ratio * terms.mask).sum(-1) / terms.lengths.clamp_min(1);
  const Tensor s = (logp - logp.detach() + mean_d.detach().unsqueeze(-1)).clamp_max(10.0).exp();
  const Tensor plain = -terms.advantages * s;
  const Tensor clipped =
      -terms.advantages * s.clamp(1 - config.epsilon_low, 1 + config.epsilon_high);
  VerlObjective out;
  out.l = at::maximum(plain, clipped);
  out.clipfrac = VerlMean((clipped > plain).to(terms.mask.scalar_type()), terms.mask);
  return out;
}

// l = -sg(clip(rho, 1-low, 1+high)) A lp
VerlObjective VerlCispo(const LossConfig& config, const Terms& terms, const Tensor& logp) {
  const Tensor rho = terms.log_ratio.clamp(-20.0, 20.0).exp();
  const Tensor clipped = rho.clamp(1 - config.epsilon_low, 1 + config.epsilon_high).detach();
  VerlObjective out;
  out.l = -clipped * terms.advantages * logp;
  out.clipfrac = VerlMean((rho != clipped).to(terms.mask.scalar_type()), terms.mask);
  return out;
}

// GMPO (2507.20673): rho_i = exp( sum_t m s min(s d, s clip(d, -low, high)) / (L_i + 1e-8) ), s = sign(A); l_i = -A_i rho_i.
VerlObjective VerlGeoMean(const LossConfig& config, const Terms& terms) {
  const Tensor& mask = terms.mask;
  const Tensor a = terms.advantages.expand_as(mask);
  const Tensor sign = a.sign();
  const Tensor clipped = terms.log_ratio.clamp(-config.epsilon_low, config.epsilon_high);
  const Tensor d = sign * at::min(sign * terms.log_ratio, sign * clipped);
  const Tensor lengths = terms.lengths + 1e-8;
  const Tensor rho = ((d * mask).sum(-1) / lengths).exp();
  VerlObjective out;
  out.l = -(a * mask).sum(-1) / lengths * rho;
  const Tensor outside = terms.log_ratio.detach() != clipped.detach();
  out.clipfrac = VerlMean(outside.logical_and(a > 0).to(mask.scalar_type()), mask);
  out.clipfrac_lower = VerlMean(outside.logical_and(a < 0).to(mask.scalar_type()), mask);
  return out;
}

LossOutput ComputeVerlLoss(const LossConfig& config, const LossInputs& in, const Terms& terms) {
  VerlObjective objective;
  switch (config.type) {
    case LossType::kVerlGspo:
      objective = VerlGspo(config, terms, in.logp_BT);
      break;
    case LossType::kVerlSapo:
      objective.l = SapoObjective(config.sapo_tau_pos, config.sapo_tau_neg,
                                  terms.log_ratio.clamp(-20.0, 20.0).exp(), terms.advantages);
      break;
    case LossType::kVerlCispo:
      objective = VerlCispo(config, terms, in.logp_BT);
      break;
    case LossType::kVerlGeoMean:
      objective = VerlGeoMean(config, terms);
      break;
    default:
      objective = VerlVanilla(config, terms, terms.mask);
  }
  const Aggregation how = config.aggregation.value_or(DefaultAggregation(config.type));
  LossOutput out;
  if (objective.l.dim() == 1) {
    out.loss = RowMean(objective.l, in) / in.accumulation_steps;
  } else {
    Tensor l = objective.l;
    if (in.importance_ratio.defined()) l = l * in.importance_ratio;
    out.loss = Aggregate(config, how, l, terms, in);
  }
  const Tensor zero = at::zeros({}, terms.mask.options());
  out.metrics.emplace_back("actor/pg_clipfrac",
                           objective.clipfrac.defined() ? objective.clipfrac : zero);
  const bool clamped = config.type != LossType::kVerlGspo && config.type != LossType::kVerlGeoMean;
  const Tensor d = clamped ? terms.log_ratio.detach().clamp(-20.0, 20.0) : terms.log_ratio.detach();
  out.metrics.emplace_back("actor/ppo_kl", VerlMean(-d, terms.mask));
  out.metrics.emplace_back("actor/pg_clipfrac_lower",
                           objective.clipfrac_lower.defined() ? objective.clipfrac_lower : zero);
  if (config.beta != 0) {
    const Tensor kl = TokenKl(config.kl, in.logp_BT, in.ref_logp_BT);
    out.loss = out.loss + config.beta * Aggregate(config, how, kl, terms, in);
    out.metrics.emplace_back("kl", MaskedMean(kl.detach(), terms.mask));
  }
  return out;
}

// --- TRL (trainer/grpo_trainer.py) ------------------------------------------------------------------------------------

LossOutput ComputeTrlLoss(const LossConfig& config, const LossInputs& in, const Terms& terms,
                          const Tensor& top_entropy) {
  LossOutput out;
  Tensor phi;
  Tensor l;
  if (config.type == LossType::kCispo) {
    l = CispoObjective(config, terms, in.logp_BT);
  } else if (config.type == LossType::kSapo) {
    l = SapoObjective(F32(config.sapo_tau_pos), F32(config.sapo_tau_neg), terms.ratio,
                      terms.advantages);
  } else if (config.type == LossType::kVespo) {
    phi = VespoPhi(config, terms, in.importance_ratio);
    l = -phi * terms.advantages * in.logp_BT;
  } else {
    l = ClippedObjective(config, terms);
  }
  if (config.off_policy_threshold) l = l * OffPolicyMask(*config.off_policy_threshold, terms, in);
  if (top_entropy.defined()) l = l * top_entropy;
  if (in.importance_ratio.defined() && config.type != LossType::kVespo) l = l * in.importance_ratio;
  if (config.beta != 0) {
    Tensor kl = TokenKl(config.kl, in.logp_BT, in.ref_logp_BT);
    if (config.kl_bias_correction) kl = kl * terms.ratio;
    l = l + config.beta * kl;
    out.metrics.emplace_back("kl", MaskedMean(kl.detach(), terms.mask));
  }
  out.loss =
      Aggregate(config, config.aggregation.value_or(DefaultAggregation(config.type)), l, terms, in);

  if (config.type == LossType::kCispo) {
    const Tensor clipped =
        (terms.ratio.detach() > config.epsilon_high).logical_and(terms.advantages > 0);
    out.metrics.emplace_back("cispo_clip_ratio",
                             MaskedMean(clipped.to(at::kFloat), terms.mask.to(at::kFloat)));
  } else if (config.type == LossType::kVespo) {
    out.metrics.emplace_back("vespo/phi_seq_mean", MaskedMean(phi, terms.mask));
  } else if (config.type != LossType::kSapo) {
    AddClipRatios(config, terms, &out);
  }
  return out;
}

}  // namespace

// Schulman, "Approximating KL divergence": k1 = lp - lp_ref, k2 = k1^2 / 2, k3 = exp(-k1) + k1 - 1 >= 0. Clamped as verl's
// low_var_kl: the exponent to +-20, the result to +-10.
Tensor TokenKl(KlKind kind, const Tensor& logp, const Tensor& ref_logp) {
  const Tensor k1 = logp - ref_logp;
  switch (kind) {
    case KlKind::kK1:
      return k1;
    case KlKind::kK2:
      return 0.5 * k1.square();
    case KlKind::kAbs:
      return k1.abs();
    case KlKind::kK3:
      return (-k1).exp() + k1 - 1;
    case KlKind::kK3Clamped: {
      const Tensor x = (-k1).clamp(-20.0, 20.0);
      return (x.exp() - x - 1).clamp(-10.0, 10.0);
    }
  }
  ASSAY_CHECK(false && "unknown KL");
  return {};
}

Tensor ImportanceCorrection(CorrectionMode mode, const Tensor& old_logp_BT,
                            const Tensor& sampler_logp_BT, const Tensor& mask_BT,
                            std::optional<double> clip_min, double clip_max) {
  Tensor d = ((old_logp_BT - sampler_logp_BT) * mask_BT).nan_to_num(0.0);
  if (mode == CorrectionMode::kSequenceTruncate || mode == CorrectionMode::kSequenceMask)
    d = d.sum(-1, true);
  const Tensor ratio = d.exp();
  if (mode == CorrectionMode::kTokenTruncate || mode == CorrectionMode::kSequenceTruncate) {
    return clip_min ? ratio.clamp(*clip_min, clip_max) : ratio.clamp_max(clip_max);
  }
  Tensor outside = ratio > clip_max;
  if (clip_min) outside = outside.logical_or(ratio < *clip_min);
  return ratio.masked_fill(outside, 0.0);
}

LossOutput ComputeLoss(const LossConfig& config, const LossInputs& in) {
  ASSAY_CHECK(config.beta == 0 || in.ref_logp_BT.defined());
  const Terms terms = MakeTerms(config, in);
  Tensor top_entropy;
  if (config.top_entropy_quantile < 1) {
    top_entropy = TopEntropyMask(config.top_entropy_quantile, in.entropy_BT, terms.mask);
  }
  LossOutput out = IsVerl(config.type) ? ComputeVerlLoss(config, in, terms)
                                       : ComputeTrlLoss(config, in, terms, top_entropy);
  if (config.entropy_coef != 0) {
    const bool window =
        config.aggregation.value_or(DefaultAggregation(config.type)) == Aggregation::kBatchTokens;
    out.metrics.emplace_back("policy_loss",
                             out.loss.detach() * (window ? 1.0 : in.accumulation_steps));
    out.metrics.emplace_back("entropy_coef",
                             at::full({}, config.entropy_coef, terms.mask.options()));
    // loss -= coef * mean masked token entropy / ga, over the tokens that the policy term acts on
    const Tensor acted = top_entropy.defined() ? terms.mask * top_entropy : terms.mask;
    const Tensor bonus =
        (in.entropy_BT * acted).sum() / acted.sum().clamp_min(1) / in.accumulation_steps;
    out.loss = out.loss - config.entropy_coef * bonus;
  }
  if (in.entropy_BT.defined()) {
    out.metrics.emplace_back(
        "entropy", MaskedMean(in.entropy_BT.detach().to(terms.mask.scalar_type()), terms.mask));
  }
  return out;
}

}  // namespace assay
