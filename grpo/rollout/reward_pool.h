// RewardPool: scores groups on threads of its own while the caller goes on generating: each thread takes one group, or as many as the
// rubric's verifiers like to see at once. What a thread scores has a time limit: what takes longer is given up (its samples get no
// reward, or fail), its thread is left behind and replaced, so a hanging test never holds the device. Submit and Collect belong to one
// thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "core/types.h"
#include "verifiers/rubric.h"

namespace assay {

class RewardPool {
 public:
  struct Options {
    int threads = 2;
    double timeout_s = 120;      // for each of the groups that a thread scores at a time; 0: none
    bool timeout_fails = false;  // true: late groups fail with reward 0; false: they have no reward
  };
  RewardPool(std::shared_ptr<const Rubric> rubric, const Options& options);
  ~RewardPool();  // does not wait for groups that are late
  RewardPool(const RewardPool&) = delete;
  RewardPool& operator=(const RewardPool&) = delete;

  // Tickets count from 0 after each Collect.
  size_t Submit(Group group);
  // Waits until every submitted group is scored or late: the scores by ticket. Once `cancelled`, which is asked while it waits, says so,
  // what is not scored yet is left behind like what is late, and has no reward.
  std::vector<GroupScore> Collect(const std::function<bool()>& cancelled = {});

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace assay
