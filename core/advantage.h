// Group-relative advantages for scored groups: (r - mean) / (std + eps) with the sample deviation (n - 1), nulls left
// out (DeepSeekMath 2402.03300 section 4.1.2; TRL 1.16 `grpo_trainer.py`, scale_rewards="group", eps 1e-4). Double precision;
// pure; thread-safe. The trainer's tensor form and its other scalings are in grpo/.
#pragma once

#include <vector>

#include "core/types.h"

namespace assay {

inline constexpr double kAdvantageEps = 1e-4;

// One advantage for each reward of one group. A null reward has mask false and value 0. A group with a single
// scored reward has no deviation: value 0, as TRL does (its mask stays true).
std::vector<Advantage> GroupAdvantages(const std::vector<Reward>& rewards,
                                       double eps = kAdvantageEps);

}  // namespace assay
