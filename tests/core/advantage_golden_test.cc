// GroupAdvantages, which `assay score` and the store call, against advantages that TRL computed (data folder).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "core/advantage.h"
#include "core/json.h"
#include "core/jsonl.h"

namespace assay {
namespace {

std::string GoldenPath() {
  const char* data = std::getenv("ASSAY_DATA");
  if (data != nullptr) return std::string(data) + "/golden_grpo.json";
  const char* source = std::getenv("ASSAY_SOURCE_DIR");
  return std::string(source != nullptr ? source : ".") + "/../shared/data/golden_grpo.json";
}

// Scalings other than by the group's own deviation are the trainer's.
bool IsOurs(const Json& golden) {
  return golden.Find("rewards_per_func")->AsArray()->at(0).AsArray()->size() == 1 &&
         golden.StringOr("scale_rewards", "") == "group" &&
         golden.Find("reward_weights")->AsArray()->at(0).NumberOr(0) == 1;
}

// The largest error over all groups of one golden case; rows are groups one after the other.
double LargestError(const Json& golden) {
  const Json::Array& rewards = *golden.Find("rewards_per_func")->AsArray();
  const Json::Array& expected = *golden.Find("advantages")->AsArray();
  const auto group_size = static_cast<size_t>(golden.IntOr("num_generations", 1));
  double worst = 0;
  for (size_t start = 0; start < rewards.size(); start += group_size) {
    std::vector<Reward> group;
    for (size_t i = 0; i < group_size; ++i) {
      const Json& reward = (*rewards[start + i].AsArray())[0];
      group.push_back(reward.IsNumber() ? Reward(reward.NumberOr(0)) : std::nullopt);
    }
    const std::vector<Advantage> ours = GroupAdvantages(group);
    for (size_t i = 0; i < group_size; ++i) {
      EXPECT_EQ(ours[i].mask, group[i].has_value());
      if (!ours[i].mask) continue;
      worst = std::max(worst, std::abs(ours[i].value - expected[start + i].NumberOr(NAN)));
    }
  }
  return worst;
}

TEST(AdvantageGoldenTest, EqualsTrlWithOneRewardFunction) {
  Result<std::string> text = ReadFile(GoldenPath());
  if (!text.ok()) GTEST_SKIP() << "data folder: " << GoldenPath() << " is not there (ASSAY_DATA)";
  Result<Json> golden = ParseJson(*text);
  ASSERT_TRUE(golden.ok()) << golden.error().message;
  int cases = 0;
  double worst = 0;
  for (const Json& one : *golden->Find("advantages")->AsArray()) {
    if (!IsOurs(one)) continue;
    const double error = LargestError(one);
    EXPECT_LE(error, 1e-9) << one.StringOr("id", "?");
    worst = std::max(worst, error);
    ++cases;
  }
  EXPECT_GT(cases, 0);
  std::printf("{\"cases\": %d, \"max_error\": %.3g}\n", cases, worst);
}

}  // namespace
}  // namespace assay
