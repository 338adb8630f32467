// When two constants that differ are equal all the same: a decimal that shows the gold correctly rounded, and what the options
// grant beyond (compare.h). Private to verifiers/math.
#pragma once

#include "verifiers/math/equal/compare.h"
#include "verifiers/math/equal/decision.h"
#include "verifiers/math/value/eval.h"

namespace assay::math {

// `a` and `b` are constants that are known to differ, or that could not be told apart.
Decision CloseEnough(const Tree& tree, Budget* budget, const CompareOptions& options, NodeId a,
                     NodeId b);

// True if constants that differ can be equal for anything but a decimal's rounding.
bool Tolerates(const CompareOptions& options);

}  // namespace assay::math
