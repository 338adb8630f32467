// Logarithms of absolute values as sums of those of their factors. Private to verifiers/math.
#pragma once

#include "verifiers/math/syntax/tree.h"

namespace assay::math {

// `id` with ln|u v|, ln|u/v|, ln|u^n|, ln|tan u|, ln|sec u| and their like, and ln(u^n) for even n, written as sums of ln|sin u|,
// ln|cos u| and logarithms of what has no factors: the same function wherever it is defined. `id` itself where there are none.
NodeId SplitAbsoluteLogs(Tree* tree, NodeId id);

}  // namespace assay::math
