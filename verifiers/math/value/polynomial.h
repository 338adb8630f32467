// Exact rational functions (FLINT's multivariate polynomials) for what needs more than an identity test: greatest common
// divisors with symbols, equations with equal solutions, integrals of polynomials. Bounded in terms and degree. Private to
// verifiers/math.
#pragma once

#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/value/eval.h"

namespace assay::math {

// `id` with greatest common divisors, least common multiples and definite integrals worked out where their arguments are
// polynomials (of symbols, and of roots, pi and the like taken as symbols). The rest stays as it is.
NodeId EvaluatePolynomials(Tree* tree, Budget* budget, NodeId id);

// True if a = 0 and b = 0 have the same solutions because the numerators of the two rational functions have the same
// factors, each counted once.
bool SameZeros(Tree* tree, Budget* budget, NodeId a, NodeId b);

// True if the expression is a rational function of its symbols (and of subterms that are none, taken as symbols) without
// repeated factors: a root or logarithm of it does not hide an absolute value.
bool IsSquareFree(Tree* tree, Budget* budget, NodeId id);

}  // namespace assay::math
