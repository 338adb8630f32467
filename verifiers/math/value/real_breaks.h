// Where rational functions of one symbol change their sign or have none: their real zeros and poles. Private to
// verifiers/math.
#pragma once

#include <string_view>
#include <vector>

#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/value/eval.h"

namespace assay::math {

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

// A literal of any size.
NodeId WholeNode(Tree* tree, const fmpz* z);

}  // namespace assay::math
