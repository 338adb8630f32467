// What one side writes out and the other leaves as it is. Private to verifiers/math.
#pragma once

#include "verifiers/math/equal/scalar.h"
#include "verifiers/math/syntax/tree.h"

namespace assay::math {

// `id` with \sum_{i=1}^{3} x_i as x_1 + x_2 + x_3, and products alike; of at most twelve terms. `id` itself if there is none.
NodeId SumsWrittenOut(Tree* tree, NodeId id);
// `id` with sines, cosines and tangents of multiples of 15 degrees as roots; `id` itself if there is none.
NodeId ExactTrigonometry(Tree* tree, Scalars* scalars, NodeId id);

}  // namespace assay::math
