// RewardPool: scores groups on threads of its own while the caller goes on generating. Every group has a time limit: one that
// takes longer is given up (its samples get no reward, or fail), its thread is left behind and replaced, so a hanging test
// never holds the device. Submit and Collect belong to one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/types.h"
#include "verifiers/rubric.h"

namespace assay {

class RewardPool {
 public:
  struct Options {
    int threads = 2;
    double timeout_s = 120;      // for one group, from when its scoring starts; 0: none
    bool timeout_fails = false;  // true: a late group fails with reward 0; false: it has no reward
  };
  RewardPool(std::shared_ptr<const Rubric> rubric, const Options& options);
  ~RewardPool();  // does not wait for groups that are late
  RewardPool(const RewardPool&) = delete;
  RewardPool& operator=(const RewardPool&) = delete;

  // Tickets count from 0 after each Collect.
  size_t Submit(Group group);
  // Waits until every submitted group is scored or late: the scores by ticket.
  std::vector<GroupScore> Collect();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace assay
