// In which calls samples are asked about: whole groups, smaller calls for what went wrong, and an end where nothing ever answers.
#include "verifiers/own/call_plan.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

#include "core/text.h"

namespace assay::own {
namespace {

constexpr double kLimit = 10;

// What a made-up function does with samples [from, to): seconds, or less than 0 for an exception.
using Function = std::function<double(size_t from, size_t to)>;

struct Outcome {
  std::set<size_t> lost;  // samples settled by a failure
  size_t calls = 0;
  double seconds = 0;
  std::string ranges;
};

Outcome Ask(CallPace* pace, const std::vector<size_t>& groups, const Function& function) {
  Outcome run;
  CallPlan plan(pace, groups);
  while (const std::optional<CallPlan::Call> call = plan.Next()) {
    ++run.calls;
    StrAppend(&run.ranges, run.ranges.empty() ? "" : " ", call->from, "-", call->to);
    const double takes = function(call->from, call->to);
    run.seconds += takes < 0 ? 0.001 : std::min(takes, kLimit);
    if (takes >= 0 && takes <= kLimit) {
      plan.Answered(takes);
      continue;
    }
    const size_t until = plan.Failed(takes < 0 ? 0.001 : kLimit, takes > kLimit);
    for (size_t at = call->from; at < until; ++at) run.lost.insert(at);
  }
  return run;
}

std::vector<size_t> Groups(size_t count, size_t samples) {
  return std::vector<size_t>(count, samples);
}

Function Hangs(const std::set<size_t>& at) {
  return [at](size_t from, size_t to) {
    const auto first = at.lower_bound(from);
    return first != at.end() && *first < to ? 1e9 : 0.01 * static_cast<double>(to - from);
  };
}

TEST(CallPlan, OneCallIsEnoughWhereNothingGoesWrong) {
  CallPace pace(kLimit);
  EXPECT_EQ(Ask(&pace, Groups(32, 8), Hangs({})).ranges, "0-256");
  EXPECT_EQ(Ask(&pace, {}, Hangs({})).calls, 0U);
}

TEST(CallPlan, WhatIsSlowAndHonestLosesNothing) {
  for (const double seconds_each : {0.05, 0.3, 1.0, 4.0, 9.9}) {
    for (const size_t samples : {size_t{1}, size_t{4}, size_t{8}}) {
      CallPace pace(kLimit);
      const auto slow = [&](size_t from, size_t to) {
        return seconds_each * static_cast<double>(to - from);
      };
      const Outcome first = Ask(&pace, Groups(256 / samples, samples), slow);
      EXPECT_TRUE(first.lost.empty()) << seconds_each << " s, groups of " << samples;
      // What the function has time for is known then: no call of groups that fit is too long any more.
      const Outcome second = Ask(&pace, Groups(256 / samples, samples), slow);
      EXPECT_TRUE(second.lost.empty());
      if (seconds_each * static_cast<double>(samples) <= kLimit)
        EXPECT_NEAR(second.seconds, seconds_each * 256, 1e-6);
    }
  }
}

TEST(CallPlan, OneThatHangsCostsItselfAndFewLimits) {
  for (const size_t at : {size_t{0}, size_t{100}, size_t{255}}) {
    for (const size_t samples : {size_t{1}, size_t{8}, size_t{256}}) {
      CallPace pace(kLimit);
      const Outcome run = Ask(&pace, Groups(256 / samples, samples), Hangs({at}));
      EXPECT_EQ(run.lost, std::set<size_t>{at}) << at << " " << samples;
      EXPECT_LE(run.seconds, 5 * kLimit);
    }
  }
}

TEST(CallPlan, AGroupThatHangsWholeCostsNoOther) {
  CallPace pace(kLimit);
  const std::set<size_t> hanging = {16, 17, 18, 19, 20, 21, 22, 23};
  EXPECT_EQ(Ask(&pace, Groups(32, 8), Hangs(hanging)).lost, hanging);
}

TEST(CallPlan, GroupsStayTogetherUntilOneGoesWrongByItself) {
  CallPace pace(kLimit);
  const auto raises_at_9 = [](size_t from, size_t to) { return from <= 9 && 9 < to ? -1.0 : 0.0; };
  EXPECT_EQ(Ask(&pace, Groups(4, 4), raises_at_9).ranges,
            "0-16 0-4 4-8 8-12 8-9 9-10 10-11 11-12 12-16");
}

TEST(CallPlan, WhatAlwaysRaisesIsNotAskedForEver) {
  CallPace pace(kLimit);
  const Outcome run = Ask(&pace, Groups(256, 1), [](size_t, size_t) { return -1.0; });
  EXPECT_EQ(run.lost.size(), 256U);
  EXPECT_LE(run.calls, 256U + 16 + 1);
}

TEST(CallPlan, WhatNeverAnswersIsGivenUp) {
  CallPace pace(kLimit);
  const auto dead = [](size_t, size_t) { return 1e9; };
  const Outcome first = Ask(&pace, Groups(256, 1), dead);
  EXPECT_EQ(first.lost.size(), 256U);
  EXPECT_LE(first.seconds, 16 * kLimit);
  const Outcome second = Ask(&pace, Groups(256, 1), dead);
  EXPECT_EQ(second.lost.size(), 256U);
  EXPECT_LE(second.seconds, kLimit);
  // It may come back.
  EXPECT_TRUE(Ask(&pace, Groups(256, 1), Hangs({})).lost.empty());
}

TEST(CallPlan, BlamedSamplesAreNotAskedAboutAgain) {
  CallPace pace(kLimit);
  CallPlan plan(&pace, Groups(1, 6));
  std::optional<CallPlan::Call> call = plan.Next();
  plan.Blame(2);
  EXPECT_TRUE(plan.Blamed(2));
  call = plan.Next();
  ASSERT_TRUE(call.has_value());
  EXPECT_EQ(StrCat(call->from, "-", call->to), "0-2");
  plan.Answered(0.1);
  call = plan.Next();
  ASSERT_TRUE(call.has_value());
  EXPECT_EQ(StrCat(call->from, "-", call->to), "3-6");
  plan.Answered(0.1);
  EXPECT_FALSE(plan.Next().has_value());
}

}  // namespace
}  // namespace assay::own
