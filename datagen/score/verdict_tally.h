// VerdictTally: how often a verifier said what, over a run or a part of one.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/json.h"
#include "core/types.h"

namespace assay {

struct VerdictTally {
  int64_t pass = 0, fail = 0, abstain = 0, fault = 0;
  std::map<std::string, int64_t> reasons;

  void Add(const Verdict& verdict);
  // {"pass", "fail", "abstain", "fault", "reasons": {reason: count}}
  Json ToJson() const;
};

}  // namespace assay
