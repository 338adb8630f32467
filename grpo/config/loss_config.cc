#include "grpo/config/loss_config.h"

namespace assay {

const ChoiceNames<LossType>& LossTypeNames() {
  static const ChoiceNames<LossType> kNames = {{"grpo", LossType::kGrpo},
                                               {"bnpo", LossType::kBnpo},
                                               {"dr_grpo", LossType::kDrGrpo},
                                               {"dapo", LossType::kDapo},
                                               {"cispo", LossType::kCispo},
                                               {"sapo", LossType::kSapo},
                                               {"luspo", LossType::kLuspo},
                                               {"vespo", LossType::kVespo},
                                               {"verl_vanilla", LossType::kVerlVanilla},
                                               {"verl_gspo", LossType::kVerlGspo},
                                               {"verl_sapo", LossType::kVerlSapo},
                                               {"verl_cispo", LossType::kVerlCispo},
                                               {"verl_geo_mean", LossType::kVerlGeoMean}};
  return kNames;
}

Result<LossType> LossTypeFromName(std::string_view name) {
  return FromName("loss_type", name, LossTypeNames());
}

const ChoiceNames<RatioLevel>& RatioLevelNames() {
  static const ChoiceNames<RatioLevel> kNames = {{"token", RatioLevel::kToken},
                                                 {"sequence", RatioLevel::kSequence}};
  return kNames;
}

Result<RatioLevel> RatioLevelFromName(std::string_view name) {
  return FromName("importance_sampling_level", name, RatioLevelNames());
}

const ChoiceNames<KlKind>& KlKindNames() {
  static const ChoiceNames<KlKind> kNames = {{"k1", KlKind::kK1},
                                             {"k2", KlKind::kK2},
                                             {"k3", KlKind::kK3},
                                             {"abs", KlKind::kAbs},
                                             {"k3_clamped", KlKind::kK3Clamped}};
  return kNames;
}

Result<KlKind> KlKindFromName(std::string_view name) { return FromName("kl", name, KlKindNames()); }

const ChoiceNames<Aggregation>& AggregationNames() {
  static const ChoiceNames<Aggregation> kNames = {
      {"token-mean", Aggregation::kVerlTokenMean},
      {"seq-mean-token-sum", Aggregation::kVerlSeqMeanTokenSum},
      {"seq-mean-token-mean", Aggregation::kVerlSeqMeanTokenMean},
      {"seq-mean-token-sum-norm", Aggregation::kVerlSeqMeanTokenSumNorm}};
  return kNames;
}

Result<Aggregation> AggregationFromName(std::string_view name) {
  return FromName("loss_agg_mode", name, AggregationNames());
}

const ChoiceNames<CorrectionMode>& CorrectionModeNames() {
  static const ChoiceNames<CorrectionMode> kNames = {
      {"token_truncate", CorrectionMode::kTokenTruncate},
      {"token_mask", CorrectionMode::kTokenMask},
      {"sequence_truncate", CorrectionMode::kSequenceTruncate},
      {"sequence_mask", CorrectionMode::kSequenceMask}};
  return kNames;
}

Result<CorrectionMode> CorrectionModeFromName(std::string_view name) {
  return FromName("importance_correction", name, CorrectionModeNames());
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
