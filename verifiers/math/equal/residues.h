// Identities of rational functions, and of what can be taken for such, by residues modulo two secret primes. Private to
// verifiers/math.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

#include "verifiers/math/equal/decision.h"
#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/value/eval.h"

namespace assay::math {

class Residues {
 public:
  Residues(const Tree* tree, Budget* budget, uint64_t seed)
      : tree_(*tree), budget_(*budget), seed_(seed) {}

  // `decided`: equality was shown, or inequality of two rational functions was.
  Decision Equal(NodeId a, NodeId b, bool* decided);
  // True if the expression is identically zero as a rational function of symbols and opaque terms.
  bool IsZero(NodeId a);
  // The rational c with a = c * b as expressions, if there is one (0 = 0 gives 1).
  std::optional<Rational> ConstantRatio(NodeId a, NodeId b);
  // Coefficients c0 + c1 x + c2 x^2 of an expression in one symbol, if it is such a polynomial with rational coefficients.
  bool Quadratic(NodeId id, std::string_view symbol, Rational out[3]);

 private:
  const Field& GetField(int index);
  std::optional<uint64_t> ConstantResidue(NodeId a, NodeId b);
  bool HasResidues(NodeId id, std::string_view symbol, const Rational c[3]);

  const Tree& tree_;
  Budget& budget_;
  const uint64_t seed_;
  std::deque<Field> fields_;
};

}  // namespace assay::math
