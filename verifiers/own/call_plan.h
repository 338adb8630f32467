// CallPlan: in which calls a function over lists is asked about a batch of samples, so that no honest sample pays for the batch that it
// came in. A call holds whole groups, as many as fit in the function's time; one that went wrong or took too long is asked again in
// smaller ones, down to single samples, and only what goes wrong alone has no reward. Pure: it calls nothing and looks at no clock.
// CallPace is what all batches of one function know together; thread-safe. A plan is for one thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace assay::own {

class CallPace {
 public:
  // limit_s: what one call may take; 0: as long as it likes.
  explicit CallPace(double limit_s) : limit_s_(limit_s) {}

 private:
  friend class CallPlan;
  const double limit_s_;
  std::atomic<size_t> fits_{SIZE_MAX};  // samples of a call that is expected to end in time
  std::atomic<double> fruitless_s_{0};  // spent on calls since one was answered
};

class CallPlan {
 public:
  struct Call {
    size_t from, to;  // samples [from, to)
  };
  // groups: how many samples each has, in order. `pace` must outlive the plan.
  CallPlan(CallPace* pace, const std::vector<size_t>& groups);

  // The next call to make; after each one of the next three says what came of it. nullopt: all samples are settled.
  std::optional<Call> Next();
  void Answered(double seconds);
  // It is known which sample of the call is to blame; it is settled, and the others are asked about again.
  void Blame(size_t at);
  bool Blamed(size_t at) const { return settled_[at]; }
  // Nothing is known of its samples. Those in [from, the result) are settled by it; the others are asked about again.
  size_t Failed(double seconds, bool too_long);

 private:
  // Samples up to `until` go in calls of `size`, by whole groups (one at least) or, where a group went wrong by itself, across them.
  // `size` follows how long calls take, up to `most`.
  struct Level {
    size_t until, size, most;
    bool cuts_groups;
  };
  size_t EndOf(size_t from, const Level& level) const;
  bool HasSeveralGroups(const Call& call) const;

  CallPace* const pace_;
  std::vector<bool> begins_;   // a group, at each sample and at the end
  std::vector<bool> settled_;  // by blame
  std::vector<Level>
      levels_;  // the batch, and within it each call that went wrong and is asked again in parts
  size_t at_ = 0;
  Call call_ = {0, 0};
};

}  // namespace assay::own
