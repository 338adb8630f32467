// What the policy loss is: kinds and numbers, by the names that TRL and verl use in their configurations. Plain values
// without LibTorch; the formulas are in grpo/losses.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/options.h"
#include "core/result.h"

namespace assay {

enum class LossType {
  kGrpo,
  kBnpo,
  kDrGrpo,
  kDapo,
  kCispo,
  kSapo,
  kLuspo,
  kVespo,  // TRL 1.16
  kVerlVanilla,
  kVerlGspo,
  kVerlSapo,
  kVerlCispo,
  kVerlGeoMean,  // verl
};
enum class RatioLevel { kToken, kSequence };  // kSequence: GSPO
enum class KlKind { kK1, kK2, kK3, kAbs, kK3Clamped };
enum class Aggregation {
  kSeqMeanTokenMean,  // TRL grpo: mean over rows of the row's token mean
  kTokenMean,         // bnpo: over the micro-batch's tokens
  kConstant,          // dr_grpo: rows * max_completion_length
  kBatchTokens,       // dapo: tokens of the whole generation batch
  kSeqMeanTokenSum,   // luspo
  kVerlTokenMean,
  kVerlSeqMeanTokenSum,
  kVerlSeqMeanTokenMean,
  kVerlSeqMeanTokenSumNorm,
};

const ChoiceNames<LossType>& LossTypeNames();
Result<LossType> LossTypeFromName(std::string_view name);  // "dapo", ..., "verl_vanilla", ...
const ChoiceNames<RatioLevel>& RatioLevelNames();
Result<RatioLevel> RatioLevelFromName(std::string_view name);
const ChoiceNames<KlKind>& KlKindNames();
Result<KlKind> KlKindFromName(std::string_view name);
const ChoiceNames<Aggregation>& AggregationNames();
Result<Aggregation> AggregationFromName(
    std::string_view name);  // verl's "token-mean", ...; TRL's by loss type
// The aggregation that the loss type's reference uses.
Aggregation DefaultAggregation(LossType type);

struct LossConfig {
  LossType type = LossType::kDapo;
  std::optional<Aggregation> aggregation;  // empty: DefaultAggregation(type)
  RatioLevel ratio_level = RatioLevel::kToken;
  double epsilon_low = 0.2;
  double epsilon_high = 0.2;    // kCispo: the absolute cap of the ratio, not 1 + epsilon
  std::optional<double> delta;  // two-sided clip (INTELLECT-2)
  double dual_clip = 3.0;       // verl_vanilla's c
  double sapo_tau_pos = 1.0;
  double sapo_tau_neg = 1.05;
  double vespo_k_pos = 2.0, vespo_lambda_pos = 3.0, vespo_k_neg = 3.0, vespo_lambda_neg = 2.0;
  double beta = 0.0;  // weight of the KL term
  KlKind kl = KlKind::kK3;
  bool kl_bias_correction = true;  // KL times the ratio
  double top_entropy_quantile =
      1.0;  // below 1: only that share of tokens, the most uncertain, gets a policy gradient
  std::optional<double> off_policy_threshold;
  double entropy_coef = 0.0;
  int64_t max_completion_length = 512;  // kConstant
};

// How log-probs of another sampler are made up for (truncated importance sampling).
enum class CorrectionMode { kTokenTruncate, kTokenMask, kSequenceTruncate, kSequenceMask };
const ChoiceNames<CorrectionMode>& CorrectionModeNames();
Result<CorrectionMode> CorrectionModeFromName(std::string_view name);

}  // namespace assay
