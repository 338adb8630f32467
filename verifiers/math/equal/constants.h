// Whether two constants are the same number: by exact rationals, by balls and a separation bound for algebraic numbers, else by
// balls of as many bits as their subterms ask for. Private to verifiers/math.
#pragma once

#include "verifiers/math/equal/compare.h"
#include "verifiers/math/equal/decision.h"
#include "verifiers/math/equal/residues.h"

namespace assay::math {

// Numbers that differ may be close enough for the options (tolerance.h).
Decision ConstantsEqual(const Tree& tree, Budget* budget, Residues* residues,
                        const CompareOptions& options, NodeId a, NodeId b);

}  // namespace assay::math
