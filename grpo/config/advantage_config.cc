#include "grpo/config/advantage_config.h"

#include "grpo/config/names.h"

namespace assay {

Result<RewardAggregation> RewardAggregationFromName(std::string_view name) {
  return FromName<RewardAggregation>(
      "multi_objective_aggregation", name,
      {{"sum_then_normalize", RewardAggregation::kSumThenNormalize},
       {"normalize_then_sum", RewardAggregation::kNormalizeThenSum}});
}

Result<RewardScale> RewardScaleFromName(std::string_view name) {
  return FromName<RewardScale>("scale_rewards", name,
                               {{"group", RewardScale::kGroup},
                                {"batch", RewardScale::kBatch},
                                {"none", RewardScale::kNone}});
}

Result<NullRows> NullRowsFromName(std::string_view name) {
  return FromName<NullRows>("null_rows", name,
                            {{"mask", NullRows::kMask}, {"trl", NullRows::kTrl}});
}

Result<AdvantageEstimator> AdvantageEstimatorFromName(std::string_view name) {
  using E = AdvantageEstimator;
  return FromName<E>("advantage_estimator", name,
                     {{"group", E::kGroup},
                      {"grpo", E::kVerlGrpo},
                      {"grpo_nostd", E::kVerlGrpoNoStd},
                      {"rloo", E::kRloo},
                      {"reinforce_plus_plus", E::kReinforcePlusPlus},
                      {"reinforce_plus_plus_baseline", E::kReinforcePlusPlusBaseline},
                      {"opo", E::kOpo},
                      {"gpg", E::kGpg},
                      {"remax", E::kRemax}});
}

}  // namespace assay
