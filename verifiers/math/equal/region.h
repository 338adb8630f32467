// Sets of real numbers given by intervals, unions, differences, finite sets and inequalities in one unknown: compared by
// membership on every cell that the ends and zeros of both sides cut the line into. Private to verifiers/math.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "verifiers/math/equal/scalar.h"

namespace assay::math {

// Empty if one of the two is no such set (symbols at the ends, more than one unknown, zeros that cannot be found).
std::optional<Decision> RegionsEqual(Tree* tree, Scalars* scalars, Budget* budget, NodeId a,
                                     NodeId b);

// The zeros of an expression that is a polynomial of degree one or two in the symbol with rational coefficients, each once,
// complex ones included; empty if it is none such.
std::vector<NodeId> QuadraticRoots(Tree* tree, Scalars* scalars, NodeId id,
                                   std::string_view symbol);

}  // namespace assay::math
