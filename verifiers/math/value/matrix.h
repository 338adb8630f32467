// Matrix arithmetic on trees: sums, products, whole powers, determinants. Private to verifiers/math.
#pragma once

#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/value/eval.h"

namespace assay::math {

// `id` with every matrix expression in it computed (entries as expressions). What cannot be computed (sizes that do not fit,
// too many operations) stays as it is.
NodeId EvaluateMatrices(Tree* tree, Budget* budget, NodeId id);

}  // namespace assay::math
