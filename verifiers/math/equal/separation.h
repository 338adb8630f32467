// How far two different algebraic numbers lie apart at least (Burnikel, Funke, Mehlhorn, Schirra, Schmitt 2001). Private to
// verifiers/math.
#pragma once

#include <optional>

#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/value/eval.h"

namespace assay::math {

// n such that |a - b| is zero or at least 2^-n; empty if one of the constants is not seen to be algebraic, or would cost too much.
std::optional<double> SeparationBits(const Tree& tree, Budget* budget, NodeId a, NodeId b);

}  // namespace assay::math
