// Numbers taken out of roots. Private to verifiers/math.
#pragma once

#include "verifiers/math/syntax/tree.h"

namespace assay::math {

// `id` with \sqrt{4 u}, (4u)^{1/2} and \sqrt{u/4} written as 4^{1/2} u^{1/2} and their like, for positive whole numbers: the same
// function, whatever u is. `id` itself where no root holds a number among other factors.
NodeId NumbersOutOfRoots(Tree* tree, NodeId id);

}  // namespace assay::math
