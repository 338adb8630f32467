// Where two expressions with symbols are compared: points that meet every piece of an absolute value, a root and the like, as
// far as these can be told apart. Private to verifiers/math.
#pragma once

#include <vector>

#include "verifiers/math/equal/residues.h"
#include "verifiers/math/equal/traits.h"

namespace assay::math {

struct SamplePoints {
  std::vector<std::vector<Sample>> real;
  std::vector<std::vector<Sample>> complex;
  bool complete = false;  // every piece of every absolute value and root is among them
};

// Drawn by `seed`; empty if there are no symbols.
SamplePoints CollectPoints(Tree* tree, Budget* budget, Residues* residues, uint64_t seed, NodeId a,
                           NodeId b, const Traits& ta, const Traits& tb);

}  // namespace assay::math
