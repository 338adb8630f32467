#include "grpo/learn/advantages.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "core/check.h"

namespace assay {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// As torch.isclose(x, 0) does: an absolute tolerance of 1e-8; NaN is not close.
bool AboutZero(double x) { return std::abs(x) <= 1e-8; }

struct Range {
  size_t begin;
  size_t end;
};

std::vector<Range> GroupRanges(size_t rows, int64_t num_generations) {
  ASSAY_CHECK(num_generations > 0 && rows % num_generations == 0);
  std::vector<Range> ranges;
  for (size_t begin = 0; begin < rows; begin += num_generations)
    ranges.push_back({begin, begin + num_generations});
  return ranges;
}

RewardStats StatsOfRange(const std::vector<Reward>& values, Range range) {
  double sum = 0;
  int64_t count = 0;
  for (size_t i = range.begin; i < range.end; ++i) {
    if (!values[i]) continue;
    sum += *values[i];
    ++count;
  }
  if (count == 0) return {kNaN, kNaN};
  RewardStats stats;
  stats.mean = sum / count;
  double squares = 0;
  for (size_t i = range.begin; i < range.end; ++i) {
    if (values[i]) squares += (*values[i] - stats.mean) * (*values[i] - stats.mean);
  }
  stats.std = count > 1 ? std::sqrt(squares / (count - 1)) : kNaN;
  return stats;
}

// A group of one row has no deviation to divide by: TRL takes 0 there, and NaN (so advantage 0) where a larger group has
// only one scored row.
double DeviationOrZero(const RewardStats& stats, size_t rows) { return rows > 1 ? stats.std : 0.0; }

std::vector<Reward> WeightedSums(const RewardTable& rewards, const std::vector<double>& weights) {
  std::vector<Reward> sums(rewards.size());
  for (size_t i = 0; i < rewards.size(); ++i) {
    for (size_t k = 0; k < rewards[i].size(); ++k) {
      if (rewards[i][k]) sums[i] = sums[i].value_or(0.0) + weights[k] * *rewards[i][k];
    }
  }
  return sums;
}

// A_i = (s_i - mean_group) / (std + eps), std of the group, of the batch, or no division.
void SumThenNormalize(const GroupAdvantageConfig& config, GroupAdvantageResult* result) {
  const size_t rows = result->rewards.size();
  const double batch_std = DeviationOrZero(StatsOf(result->rewards), rows);
  size_t zero_std = 0;
  for (const Range& group : GroupRanges(rows, config.num_generations)) {
    const RewardStats stats = StatsOfRange(result->rewards, group);
    const double std = config.scale == RewardScale::kBatch
                           ? batch_std
                           : DeviationOrZero(stats, group.end - group.begin);
    for (size_t i = group.begin; i < group.end; ++i) {
      zero_std += AboutZero(std);
      if (!result->rewards[i]) continue;
      const double centred = *result->rewards[i] - stats.mean;
      const double value =
          config.scale == RewardScale::kNone ? centred : centred / (std + config.eps);
      result->advantages[i].value = std::isnan(value) ? 0.0 : value;
    }
  }
  result->frac_reward_zero_std = rows == 0 ? 0.0 : static_cast<double>(zero_std) / rows;
}

// GDPO: z_ik = (R_ik - mean_group) / (std_group + eps), s_i = sum_k w_k z_ik, A_i = (s_i - mean) / (std + eps) over the batch.
void NormalizeThenSum(const RewardTable& rewards, const std::vector<double>& weights,
                      const GroupAdvantageConfig& config, GroupAdvantageResult* result) {
  const size_t rows = rewards.size();
  std::vector<Reward> sums(rows);
  // What a function says of a row may still be worthless (a lone value in its group has no deviation): it adds nothing,
  // but the row counts as scored, with sum 0.
  for (size_t i = 0; i < rows; ++i) {
    if (result->rewards[i]) sums[i] = 0.0;
  }
  for (size_t k = 0; k < weights.size(); ++k) {
    std::vector<Reward> column(rows);
    for (size_t i = 0; i < rows; ++i) column[i] = rewards[i][k];
    for (const Range& group : GroupRanges(rows, config.num_generations)) {
      const RewardStats stats = StatsOfRange(column, group);
      const double std = DeviationOrZero(stats, group.end - group.begin);
      for (size_t i = group.begin; i < group.end; ++i) {
        if (!column[i]) continue;
        const double z = (*column[i] - stats.mean) / (std + config.eps);
        if (!std::isnan(z)) sums[i] = *sums[i] + weights[k] * z;
      }
    }
  }
  const RewardStats batch = StatsOf(sums);
  const double std = DeviationOrZero(batch, rows);
  for (size_t i = 0; i < rows; ++i) {
    if (!sums[i]) continue;
    const double value = (*sums[i] - batch.mean) / (std + config.eps);
    result->advantages[i].value = std::isnan(value) ? 0.0 : value;
  }
  result->frac_reward_zero_std = AboutZero(std) ? 1.0 : 0.0;
}

// --- verl (trainer/ppo/core_algos.py) ---------------------------------------------------------------------------------

std::map<int64_t, std::vector<size_t>> RowsByGroup(const std::vector<int64_t>& groups) {
  std::map<int64_t, std::vector<size_t>> rows;
  for (size_t i = 0; i < groups.size(); ++i) rows[groups[i]].push_back(i);
  return rows;
}

// (r - mean) / (std + eps) with the sample deviation; a group of one: mean 0, std 1.
std::vector<double> VerlGrpo(const OutcomeAdvantageInput& in, bool divide) {
  std::vector<double> out(in.scores.size());
  for (const auto& [group, rows] : RowsByGroup(in.groups)) {
    double mean = 0;
    double std = 1;
    if (rows.size() > 1) {
      for (size_t i : rows) mean += in.scores[i];
      mean /= rows.size();
      double squares = 0;
      for (size_t i : rows) squares += (in.scores[i] - mean) * (in.scores[i] - mean);
      std = std::sqrt(squares / (rows.size() - 1));
    }
    for (size_t i : rows)
      out[i] = divide ? (in.scores[i] - mean) / (std + in.eps) : in.scores[i] - mean;
  }
  return out;
}

// RLOO (2402.14740): r_i - mean of the others = n/(n-1) (r_i - mean); a group of one is left as it is.
std::vector<double> Rloo(const OutcomeAdvantageInput& in) {
  std::vector<double> out = in.scores;
  for (const auto& [group, rows] : RowsByGroup(in.groups)) {
    const double n = rows.size();
    if (n < 2) continue;
    double mean = 0;
    for (size_t i : rows) mean += in.scores[i] / n;
    for (size_t i : rows) out[i] = n / (n - 1) * (in.scores[i] - mean);
  }
  return out;
}

// r - mean of the group, mean 0 for a group of one; `alpha` scales (GPG).
std::vector<double> Centred(const OutcomeAdvantageInput& in, double alpha) {
  std::vector<double> out(in.scores.size());
  for (const auto& [group, rows] : RowsByGroup(in.groups)) {
    double mean = 0;
    if (rows.size() > 1) {
      for (size_t i : rows) mean += in.scores[i];
      mean /= rows.size();
    }
    for (size_t i : rows) out[i] = alpha * (in.scores[i] - mean);
  }
  return out;
}

// OPO (2505.23585): the baseline is sum(len r) / sum(len); 0 for a group of one.
std::vector<double> Opo(const OutcomeAdvantageInput& in) {
  std::vector<double> out(in.scores.size());
  for (const auto& [group, rows] : RowsByGroup(in.groups)) {
    double baseline = 0;
    if (rows.size() > 1) {
      double weighted = 0;
      double lengths = 0;
      for (size_t i : rows) {
        weighted += in.lengths[i] * in.scores[i];
        lengths += in.lengths[i];
      }
      baseline = lengths > 0 ? weighted / lengths : 0.0;
    }
    for (size_t i : rows) out[i] = in.scores[i] - baseline;
  }
  return out;
}

// GPG (2504.02546): alpha = rows / rows with a reward that is not zero; verl divides two integers in float32.
double GpgAlpha(const OutcomeAdvantageInput& in) {
  const auto nonzero =
      std::count_if(in.scores.begin(), in.scores.end(), [](double r) { return r != 0; });
  return static_cast<float>(in.scores.size()) / static_cast<float>(std::max<int64_t>(nonzero, 1));
}

TokenRows Tile(const OutcomeAdvantageInput& in, const std::vector<double>& row_values) {
  TokenRows out{in.width, std::vector<double>(in.scores.size() * in.width, 0.0)};
  for (size_t i = 0; i < row_values.size(); ++i) {
    std::fill_n(out.values.begin() + i * in.width, in.lengths[i], row_values[i]);
  }
  return out;
}

// (x - mean) rsqrt(var + 1e-8) over all valid tokens; var = sum m (x-mean)^2 / (sum m + 1e-8) * n / (n - 1).
void Whiten(const std::vector<int64_t>& lengths, TokenRows* tokens) {
  double n = 0;
  double sum = 0;
  const auto each_valid = [&](auto visit) {
    for (size_t i = 0; i < lengths.size(); ++i) {
      for (int64_t t = 0; t < lengths[i]; ++t) visit(tokens->values[i * tokens->width + t]);
    }
  };
  each_valid([&](double& x) { n += 1, sum += x; });
  const double mean = sum / (n + 1e-8);
  double squares = 0;
  each_valid([&](double& x) { squares += (x - mean) * (x - mean); });
  const double variance = n > 1 ? squares / (n + 1e-8) * (n / (n - 1)) : 0.0;
  each_valid([&](double& x) { x = (x - mean) / std::sqrt(variance + 1e-8); });
}

// REINFORCE++ (2501.03262): ret_t = r_t + gamma ret_{t+1} with the reward on the last valid token, then whitened.
TokenRows ReinforcePlusPlus(const OutcomeAdvantageInput& in) {
  TokenRows out = Tile(in, in.scores);
  for (size_t i = 0; i < in.scores.size(); ++i) {
    double running = in.scores[i];
    for (int64_t t = in.lengths[i] - 1; t >= 0; --t, running *= in.gamma)
      out.values[i * in.width + t] = running;
  }
  Whiten(in.lengths, &out);
  return out;
}

}  // namespace

RewardStats StatsOf(const std::vector<Reward>& values) {
  return StatsOfRange(values, {0, values.size()});
}

GroupAdvantageResult ComputeGroupAdvantages(const RewardTable& rewards,
                                            const GroupAdvantageConfig& config) {
  const size_t functions = rewards.empty() ? config.weights.size() : rewards[0].size();
  const std::vector<double> weights =
      config.weights.empty() ? std::vector<double>(functions, 1.0) : config.weights;
  ASSAY_CHECK(weights.size() == functions);
  GroupAdvantageResult result;
  result.rewards = WeightedSums(rewards, weights);
  result.advantages.resize(rewards.size());
  for (size_t i = 0; i < rewards.size(); ++i)
    result.advantages[i].mask = result.rewards[i].has_value();
  for (size_t k = 0; k < functions; ++k) {
    std::vector<Reward> column(rewards.size());
    for (size_t i = 0; i < rewards.size(); ++i) column[i] = rewards[i][k];
    result.per_function.push_back(StatsOf(column));
  }
  result.reward = StatsOf(result.rewards);
  if (config.aggregation == RewardAggregation::kSumThenNormalize) {
    SumThenNormalize(config, &result);
  } else {
    NormalizeThenSum(rewards, weights, config, &result);
  }
  return result;
}

TokenRows ComputeOutcomeAdvantages(AdvantageEstimator estimator, const OutcomeAdvantageInput& in) {
  ASSAY_CHECK(in.lengths.size() == in.scores.size() && in.groups.size() == in.scores.size());
  switch (estimator) {
    case AdvantageEstimator::kVerlGrpo:
      return Tile(in, VerlGrpo(in, true));
    case AdvantageEstimator::kVerlGrpoNoStd:
      return Tile(in, VerlGrpo(in, false));
    case AdvantageEstimator::kRloo:
      return Tile(in, Rloo(in));
    case AdvantageEstimator::kReinforcePlusPlus:
      return ReinforcePlusPlus(in);
    case AdvantageEstimator::kReinforcePlusPlusBaseline: {
      TokenRows out = Tile(in, Centred(in, 1.0));
      Whiten(in.lengths, &out);
      return out;
    }
    case AdvantageEstimator::kOpo:
      return Tile(in, Opo(in));
    case AdvantageEstimator::kGpg:
      return Tile(in, Centred(in, GpgAlpha(in)));
    case AdvantageEstimator::kRemax: {
      // ReMax (2310.10505): the reversed cumulative sum of rewards, all on the last token, minus the baseline.
      ASSAY_CHECK(in.baselines.size() == in.scores.size());
      std::vector<double> differences(in.scores.size());
      for (size_t i = 0; i < differences.size(); ++i)
        differences[i] = in.scores[i] - in.baselines[i];
      return Tile(in, differences);
    }
    case AdvantageEstimator::kGroup:
      break;
  }
  ASSAY_CHECK(false && "kGroup has ComputeGroupAdvantages");
  return {};
}

double SoftOverlongPunishment(int64_t length, int64_t max, int64_t cache) {
  if (length <= max - cache) return 0.0;
  if (length > max) return -1.0;
  return static_cast<double>((max - cache) - length) / cache;
}

double VerlOverlongPenalty(int64_t length, int64_t max, int64_t buffer, double factor) {
  const double exceeded = static_cast<double>(length - (max - buffer));
  return std::min(-exceeded / buffer * factor, 0.0);
}

}  // namespace assay
