// Exact rational functions (FLINT's multivariate polynomials) for what needs more than an identity test: greatest common
// divisors with symbols, equations with equal solutions, integrals of polynomials. Bounded in terms and degree. Private to
// verifiers/math.
#pragma once

#include <string_view>
#include <vector>

#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/value/eval.h"

namespace assay::math {

// `id` with greatest common divisors, least common multiples and definite integrals worked out where their arguments are
// polynomials (of symbols, and of roots, pi and the like taken as symbols). The rest stays as it is.
NodeId EvaluatePolynomials(Tree* tree, Budget* budget, NodeId id);

// A literal of any size.
NodeId WholeNode(Tree* tree, const fmpz* z);

// True if a = 0 and b = 0 have the same solutions because the numerators of the two rational functions have the same
// factors, each counted once.
bool SameZeros(Tree* tree, Budget* budget, NodeId a, NodeId b);

// The real zeros and poles of rational functions of one symbol with rational coefficients, each once, kept apart however close
// they lie: the real roots of the least common multiple of all numerators and denominators.
class RealBreaks {
 public:
  RealBreaks() { fmpz_poly_init(&product_), fmpz_poly_one(&product_); }
  ~RealBreaks() { fmpz_poly_clear(&product_); }
  RealBreaks(const RealBreaks&) = delete;
  RealBreaks& operator=(const RealBreaks&) = delete;

  // False if the expression is no such function, or too large.
  bool Add(Tree* tree, Budget* budget, NodeId id, std::string_view symbol);
  // Disjoint intervals in ascending order, one around each; false if that costs too much.
  bool Isolate(Budget* budget, std::vector<Real>* out) const;
  // The same as exact numbers in no order: rationals, square roots and roots of a x^n + c. False if one is none of these, or
  // that costs too much.
  bool Exactly(Tree* tree, Budget* budget, std::vector<NodeId>* out) const;

 private:
  fmpz_poly_struct product_;
};

// True if the expression is a rational function of its symbols (and of subterms that are none, taken as symbols) without
// repeated factors: a root or logarithm of it does not hide an absolute value.
bool IsSquareFree(Tree* tree, Budget* budget, NodeId id);

}  // namespace assay::math
