#include "grpo/config/loss_config.h"

#include "grpo/config/names.h"

namespace assay {

Result<LossType> LossTypeFromName(std::string_view name) {
  using L = LossType;
  return FromName<L>("loss_type", name,
                     {{"grpo", L::kGrpo},
                      {"bnpo", L::kBnpo},
                      {"dr_grpo", L::kDrGrpo},
                      {"dapo", L::kDapo},
                      {"cispo", L::kCispo},
                      {"sapo", L::kSapo},
                      {"luspo", L::kLuspo},
                      {"vespo", L::kVespo},
                      {"verl_vanilla", L::kVerlVanilla},
                      {"verl_gspo", L::kVerlGspo},
                      {"verl_sapo", L::kVerlSapo},
                      {"verl_cispo", L::kVerlCispo},
                      {"verl_geo_mean", L::kVerlGeoMean}});
}

Result<RatioLevel> RatioLevelFromName(std::string_view name) {
  return FromName<RatioLevel>("importance_sampling_level", name,
                              {{"token", RatioLevel::kToken}, {"sequence", RatioLevel::kSequence}});
}

Result<KlKind> KlKindFromName(std::string_view name) {
  return FromName<KlKind>("kl", name,
                          {{"k1", KlKind::kK1},
                           {"k2", KlKind::kK2},
                           {"k3", KlKind::kK3},
                           {"abs", KlKind::kAbs},
                           {"k3_clamped", KlKind::kK3Clamped}});
}

Result<Aggregation> AggregationFromName(std::string_view name) {
  return FromName<Aggregation>(
      "loss_agg_mode", name,
      {{"token-mean", Aggregation::kVerlTokenMean},
       {"seq-mean-token-sum", Aggregation::kVerlSeqMeanTokenSum},
       {"seq-mean-token-mean", Aggregation::kVerlSeqMeanTokenMean},
       {"seq-mean-token-sum-norm", Aggregation::kVerlSeqMeanTokenSumNorm}});
}

Result<CorrectionMode> CorrectionModeFromName(std::string_view name) {
  return FromName<CorrectionMode>("importance_correction", name,
                                  {{"token_truncate", CorrectionMode::kTokenTruncate},
                                   {"token_mask", CorrectionMode::kTokenMask},
                                   {"sequence_truncate", CorrectionMode::kSequenceTruncate},
                                   {"sequence_mask", CorrectionMode::kSequenceMask}});
}

Aggregation DefaultAggregation(LossType type) {
  switch (type) {
    case LossType::kGrpo:
    case LossType::kSapo:
      return Aggregation::kSeqMeanTokenMean;
    case LossType::kBnpo:
      return Aggregation::kTokenMean;
    case LossType::kDrGrpo:
      return Aggregation::kConstant;
    case LossType::kDapo:
    case LossType::kCispo:
    case LossType::kVespo:
      return Aggregation::kBatchTokens;
    case LossType::kLuspo:
      return Aggregation::kSeqMeanTokenSum;
    case LossType::kVerlGspo:
    case LossType::kVerlSapo:
      return Aggregation::kVerlSeqMeanTokenMean;
    case LossType::kVerlVanilla:
    case LossType::kVerlCispo:
    case LossType::kVerlGeoMean:
      return Aggregation::kVerlTokenMean;
  }
  return Aggregation::kBatchTokens;
}

}  // namespace assay
