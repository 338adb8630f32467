// Vectors written as sums of unit vectors: 2\hat{i} - \hat{k}. Private to verifiers/math.
#pragma once

#include "verifiers/math/equal/scalar.h"
#include "verifiers/math/syntax/tree.h"

namespace assay::math {

// The expression as a tuple of `size` (2 or 3) coordinates, if it is linear in i, j (and k) without a constant term and at
// least one of them wears a hat; else kNoNode.
NodeId AsUnitVectorSum(Tree* tree, Scalars* scalars, NodeId id, uint32_t size);
// `id` with plain letters for the three unit vectors; `id` itself if it names none.
NodeId WithoutHats(Tree* tree, NodeId id);

}  // namespace assay::math
