// Points and vectors that are added and scaled: (1, 3) + t(2, -1). Private to verifiers/math.
#pragma once

#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/value/eval.h"

namespace assay::math {

// A sum, difference or multiple of tuples as one tuple; `id` itself where it is none. A capital in front of brackets names a point.
NodeId EvaluateTuples(Tree* tree, Budget* budget, NodeId id);

}  // namespace assay::math
