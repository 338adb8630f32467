// Which advantages a run wants, by the names that recipes use; learn/advantages.h computes them. Plain values.
#pragma once

#include <string_view>

#include "core/options.h"
#include "core/result.h"

namespace assay {

enum class RewardAggregation { kSumThenNormalize, kNormalizeThenSum };
enum class RewardScale { kGroup, kBatch, kNone };
// kMask: a row without a reward is out of everything (mean, deviation, loss, KL, normaliser). kTrl: it gets advantage 0
// but its tokens still count in normalisers and KL, as TRL treats None.
enum class NullRows { kMask, kTrl };
enum class AdvantageEstimator {
  kGroup,              // TRL's, with aggregation and scale
  kVerlGrpo,           // (r - mean) / (std + 1e-6)
  kVerlGrpoNoStd,      // r - mean (Dr.GRPO)
  kRloo,               // leave-one-out baseline
  kReinforcePlusPlus,  // whitened discounted returns, token level
  kReinforcePlusPlusBaseline,
  kOpo,  // length-weighted baseline
  kGpg,
  kRemax,  // reward minus a greedy rollout's reward
};

const ChoiceNames<RewardAggregation>& RewardAggregationNames();
Result<RewardAggregation> RewardAggregationFromName(std::string_view name);
const ChoiceNames<RewardScale>& RewardScaleNames();
Result<RewardScale> RewardScaleFromName(std::string_view name);
const ChoiceNames<NullRows>& NullRowsNames();
Result<NullRows> NullRowsFromName(std::string_view name);
const ChoiceNames<AdvantageEstimator>& AdvantageEstimatorNames();
Result<AdvantageEstimator> AdvantageEstimatorFromName(std::string_view name);

}  // namespace assay
