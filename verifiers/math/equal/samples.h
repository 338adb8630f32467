// Whether two expressions agree wherever they are looked at: balls at sample points. Private to verifiers/math.
#pragma once

#include "verifiers/math/equal/decision.h"
#include "verifiers/math/equal/residues.h"
#include "verifiers/math/equal/traits.h"

namespace assay::math {

// Equal needs agreement at points on every piece of both; without symbols, or where pieces cannot be told apart, samples show
// nothing.
Decision SamplesEqual(Tree* tree, Budget* budget, Residues* residues, uint64_t seed, NodeId a,
                      NodeId b, const Traits& ta, const Traits& tb);

}  // namespace assay::math
