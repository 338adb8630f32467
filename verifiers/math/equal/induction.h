// Sums and products whose upper bound has a symbol n, compared by induction over n: the difference (or the quotient) of two
// neighbouring values has no such sum left and is compared as any expression is. Values at single n alone prove nothing:
// they cannot tell F(n) from F(n) + n(n-1)..(n-1000). Private to verifiers/math.
#pragma once

#include <functional>

#include "verifiers/math/equal/decision.h"
#include "verifiers/math/equal/residues.h"

namespace assay::math {

// `equal` compares what is left; it may come back here, with a `depth` one larger than this one's.
Decision EqualByInduction(Tree* tree, Budget* budget, Residues* residues, int depth,
                          const std::function<Decision(NodeId, NodeId)>& equal, NodeId a, NodeId b);

}  // namespace assay::math
