// Whether two constants are the same number: by exact rationals, by balls and a separation bound for algebraic numbers, else by
// balls of as many bits as their subterms ask for. Private to verifiers/math.
#pragma once

#include <optional>

#include "verifiers/math/equal/decision.h"
#include "verifiers/math/equal/residues.h"

namespace assay::math {

// With `float_digits`, numbers that agree when rounded to so many decimal places are equal, too.
Decision ConstantsEqual(const Tree& tree, Budget* budget, Residues* residues,
                        std::optional<int> float_digits, NodeId a, NodeId b);

}  // namespace assay::math
