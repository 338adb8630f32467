#include "verifiers/own/call_plan.h"

#include <algorithm>

namespace assay::own {
namespace {

// What went wrong is asked again in so many parts. Few levels: a sample that hangs costs the time of as many calls.
constexpr size_t kParts = 16;
// A call that took less than this share of its time may be twice as large.
constexpr double kQuick = 0.25;
// So many times the limit without one answer, and the function is given up.
constexpr double kPatience = 16;

}  // namespace

CallPlan::CallPlan(CallPace* pace, const std::vector<size_t>& groups) : pace_(pace) {
  for (size_t samples : groups) {
    for (size_t i = 0; i < samples; ++i) begins_.push_back(i == 0);
  }
  settled_.assign(begins_.size(), false);
  begins_.push_back(true);
  levels_.push_back({settled_.size(), pace_->fits_, SIZE_MAX, false});
}

std::optional<CallPlan::Call> CallPlan::Next() {
  while (at_ < settled_.size() && settled_[at_]) ++at_;
  if (at_ >= settled_.size()) return std::nullopt;
  while (levels_.back().until <= at_) levels_.pop_back();
  call_ = {at_, EndOf(at_, levels_.back())};
  return call_;
}

size_t CallPlan::EndOf(size_t from, const Level& level) const {
  size_t end = from;
  for (size_t to = from + 1;; ++to) {
    const bool stop = to == level.until || settled_[to];
    if (!stop && !begins_[to] && !level.cuts_groups) continue;
    if (to - from > level.size && end > from) return end;
    end = to;
    if (stop || to - from >= level.size) return end;
  }
}

bool CallPlan::HasSeveralGroups(const Call& call) const {
  for (size_t at = call.from + 1; at < call.to; ++at) {
    if (begins_[at]) return true;
  }
  return false;
}

void CallPlan::Answered(double seconds) {
  pace_->fruitless_s_ = 0;
  at_ = call_.to;
  const bool quick = pace_->limit_s_ <= 0 || seconds <= kQuick * pace_->limit_s_;
  if (!quick) return;
  Level& level = levels_.back();
  level.size = std::min(level.most, std::max(level.size, 2 * (call_.to - call_.from)));
  if (levels_.size() == 1 && level.size > pace_->fits_) pace_->fits_ = level.size;
}

void CallPlan::Blame(size_t at) { settled_[at] = true; }

size_t CallPlan::Failed(double seconds, bool too_long) {
  pace_->fruitless_s_ += seconds;
  if (pace_->limit_s_ > 0 && pace_->fruitless_s_ >= kPatience * pace_->limit_s_)
    return at_ = settled_.size();
  const size_t samples = call_.to - call_.from;
  if (samples == 1) return at_ = call_.to;
  const size_t part = std::max<size_t>(samples / kParts, 1);
  if (too_long) {
    for (Level& level : levels_) level.size = std::min(level.size, part);
    pace_->fits_ = part;
  }
  levels_.push_back({call_.to, part, part, !HasSeveralGroups(call_)});
  return call_.from;
}

}  // namespace assay::own
