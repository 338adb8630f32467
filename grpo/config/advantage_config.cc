#include "grpo/config/advantage_config.h"

namespace assay {

const ChoiceNames<RewardAggregation>& RewardAggregationNames() {
  static const ChoiceNames<RewardAggregation> kNames = {
      {"sum_then_normalize", RewardAggregation::kSumThenNormalize},
      {"normalize_then_sum", RewardAggregation::kNormalizeThenSum}};
  return kNames;
}

Result<RewardAggregation> RewardAggregationFromName(std::string_view name) {
  return FromName("multi_objective_aggregation", name, RewardAggregationNames());
}

const ChoiceNames<RewardScale>& RewardScaleNames() {
  static const ChoiceNames<RewardScale> kNames = {
      {"group", RewardScale::kGroup}, {"batch", RewardScale::kBatch}, {"none", RewardScale::kNone}};
  return kNames;
}

Result<RewardScale> RewardScaleFromName(std::string_view name) {
  return FromName("scale_rewards", name, RewardScaleNames());
}

const ChoiceNames<NullRows>& NullRowsNames() {
  static const ChoiceNames<NullRows> kNames = {{"mask", NullRows::kMask}, {"trl", NullRows::kTrl}};
  return kNames;
}

Result<NullRows> NullRowsFromName(std::string_view name) {
  return FromName("null_rows", name, NullRowsNames());
}

const ChoiceNames<AdvantageEstimator>& AdvantageEstimatorNames() {
  static const ChoiceNames<AdvantageEstimator> kNames = {
      {"group", AdvantageEstimator::kGroup},
      {"grpo", AdvantageEstimator::kVerlGrpo},
      {"grpo_nostd", AdvantageEstimator::kVerlGrpoNoStd},
      {"rloo", AdvantageEstimator::kRloo},
      {"reinforce_plus_plus", AdvantageEstimator::kReinforcePlusPlus},
      {"reinforce_plus_plus_baseline", AdvantageEstimator::kReinforcePlusPlusBaseline},
      {"opo", AdvantageEstimator::kOpo},
      {"gpg", AdvantageEstimator::kGpg},
      {"remax", AdvantageEstimator::kRemax}};
  return kNames;
}

Result<AdvantageEstimator> AdvantageEstimatorFromName(std::string_view name) {
  return FromName("advantage_estimator", name, AdvantageEstimatorNames());
}

}  // namespace assay
