// Rewards to advantages: TRL's two aggregations and three scalings, verl's outcome estimators, overlong punishment, and how
// rows without a reward are treated. Plain doubles, no tensors: a generation batch has thousands of rows at most. Pure;
// thread-safe. The formulas' sources stand beside them in advantages.cc. Not the group-relative column that
// `assay score` prints (core/advantage.h).
#pragma once

#include <cstdint>
#include <vector>

#include "core/types.h"
#include "grpo/config/advantage_config.h"

namespace assay {

// What each reward function said of each row: rewards[row][function], empty where it said nothing.
using RewardTable = std::vector<std::vector<Reward>>;

struct GroupAdvantageConfig {
  int64_t num_generations = 8;  // consecutive rows of one group; divides the rows
  RewardAggregation aggregation = RewardAggregation::kSumThenNormalize;
  RewardScale scale = RewardScale::kGroup;
  std::vector<double> weights;  // one a function; empty: all 1
  double eps = 1e-4;
};

struct RewardStats {
  double mean = 0;  // NaN if nothing was scored
  double std = 0;   // sample deviation; NaN with fewer than two values
};

struct GroupAdvantageResult {
  std::vector<Advantage> advantages;  // mask false: unscorable (no function said anything), value 0
  std::vector<Reward> rewards;        // weighted sums; empty where unscorable
  std::vector<RewardStats> per_function;
  RewardStats reward;
  double frac_reward_zero_std = 0;  // rows whose (group's or batch's) deviation is about zero
};

GroupAdvantageResult ComputeGroupAdvantages(const RewardTable& rewards,
                                            const GroupAdvantageConfig& config);

// Rows of token values, right-padded to `width`; a row's valid tokens are its first `lengths[row]`.
struct TokenRows {
  int64_t width = 0;
  std::vector<double> values;  // row-major
  double at(int64_t row, int64_t column) const { return values[row * width + column]; }
};

struct OutcomeAdvantageInput {
  std::vector<double> scores;     // one a row, placed on its last valid token
  std::vector<int64_t> lengths;   // valid tokens; 0 takes the row out of token statistics
  std::vector<int64_t> groups;    // which group each row belongs to
  std::vector<double> baselines;  // kRemax only
  int64_t width = 0;
  double gamma = 1.0;  // kReinforcePlusPlus only
  double eps = 1e-6;   // kVerlGrpo only
};
// Token-level advantages, 0 at padding. `estimator` is any but kGroup.
TokenRows ComputeOutcomeAdvantages(AdvantageEstimator estimator,
                                   const OutcomeAdvantageInput& input);

// DAPO's soft overlong punishment (2503.14476, equation 13): 0, then linear over the last `cache` tokens, -1 beyond `max`.
double SoftOverlongPunishment(int64_t length, int64_t max, int64_t cache);
// verl's: min(-(length - (max - buffer)) / buffer * factor, 0), without a floor.
double VerlOverlongPenalty(int64_t length, int64_t max, int64_t buffer, double factor);

// Mean and sample deviation of what is not empty.
RewardStats StatsOf(const std::vector<Reward>& values);

}  // namespace assay
