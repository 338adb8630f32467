// Rows without a reward, groups without variance, and the estimators' small cases; the golden file has the rest.
#include "grpo/learn/advantages.h"

#include <gtest/gtest.h>

#include <cmath>

namespace assay {
namespace {

GroupAdvantageResult OneFunction(const std::vector<Reward>& rewards, int64_t group) {
  RewardTable table;
  for (const Reward& reward : rewards) table.push_back({reward});
  GroupAdvantageConfig config;
  config.num_generations = group;
  return ComputeGroupAdvantages(table, config);
}

TEST(Advantages, NullRowsAreLeftOutOfMeanAndDeviation) {
  const GroupAdvantageResult with = OneFunction({1.0, 0.0, Reward(), 1.0}, 4);
  const GroupAdvantageResult without = OneFunction({1.0, 0.0, 1.0}, 3);
  EXPECT_FALSE(with.advantages[2].mask);
  EXPECT_EQ(with.advantages[2].value, 0.0);
  EXPECT_DOUBLE_EQ(with.advantages[0].value, without.advantages[0].value);
  EXPECT_DOUBLE_EQ(with.advantages[1].value, without.advantages[1].value);
}

TEST(Advantages, ALoneScoredRowAndZeroVarianceGiveZero) {
  EXPECT_EQ(OneFunction({Reward(), 1.0}, 2).advantages[1].value, 0.0);
  EXPECT_TRUE(OneFunction({Reward(), 1.0}, 2).advantages[1].mask);
  const GroupAdvantageResult flat = OneFunction({1.0, 1.0}, 2);
  EXPECT_EQ(flat.advantages[0].value, 0.0);
  EXPECT_EQ(flat.frac_reward_zero_std, 1.0);
}

TEST(Advantages, NothingScoredIsNoCrash) {
  const GroupAdvantageResult none = OneFunction({Reward(), Reward()}, 2);
  EXPECT_TRUE(std::isnan(none.reward.mean));
  EXPECT_EQ(none.advantages[0].value, 0.0);
  EXPECT_TRUE(ComputeGroupAdvantages({}, {}).advantages.empty());
}

TEST(Advantages, RlooSumsToZeroAndLeavesOneRowAlone) {
  OutcomeAdvantageInput in;
  in.scores = {1.0, 0.0, 0.5, 3.0};
  in.lengths = {1, 1, 1, 1};
  in.groups = {0, 0, 0, 1};
  in.width = 1;
  const TokenRows rows = ComputeOutcomeAdvantages(AdvantageEstimator::kRloo, in);
  EXPECT_NEAR(rows.at(0, 0) + rows.at(1, 0) + rows.at(2, 0), 0.0, 1e-12);
  EXPECT_DOUBLE_EQ(rows.at(0, 0), 1.0 - 0.25);
  EXPECT_DOUBLE_EQ(rows.at(3, 0), 3.0);
}

TEST(Advantages, OverlongPunishment) {
  EXPECT_EQ(SoftOverlongPunishment(80, 100, 20), 0.0);
  EXPECT_DOUBLE_EQ(SoftOverlongPunishment(90, 100, 20), -0.5);
  EXPECT_EQ(SoftOverlongPunishment(101, 100, 20), -1.0);
  EXPECT_DOUBLE_EQ(VerlOverlongPenalty(140, 100, 20, 1.0), -3.0);
}

}  // namespace
}  // namespace assay
