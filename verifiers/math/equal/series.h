// Infinite series with a closed form: geometric ones, and sums of c/k^s as values of the zeta function.
// Private to equal/; pure but for the tree's growth and the budget.
#pragma once

#include "verifiers/math/equal/scalar.h"
#include "verifiers/math/syntax/tree.h"

namespace assay::math {

// `id` with every infinite series in it that is understood written in closed form, and \zeta(2n) as its multiple of
// \pi^{2n} (Euler); `id` itself where there is none. A geometric series counts only if its ratio is a rational number
// below 1 in size and its terms are proved to have that ratio.
NodeId CloseSeries(Tree* tree, Scalars* scalars, NodeId id);

}  // namespace assay::math
