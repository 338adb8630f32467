// Decides whether two scalar expressions have the same value. Which way is chosen by what occurs in them (traits.h): constants
// (constants.h), limits (limits.h), expressions with symbols by residues modulo secret primes (residues.h), then sums with open
// bounds by induction (induction.h) and others by balls at sample points (samples.h). How each decision is made is written in
// docs/math.md. Private to verifiers/math.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "verifiers/math/equal/decision.h"
#include "verifiers/math/equal/residues.h"
#include "verifiers/math/equal/traits.h"
#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/value/eval.h"

namespace assay::math {

class Scalars {
 public:
  Scalars(Tree* tree, Budget* budget, uint64_t seed, const CompareOptions& options)
      : tree_(*tree),
        budget_(*budget),
        seed_(seed),
        options_(options),
        residues_(tree, budget, seed) {}

  Decision Equal(NodeId a, NodeId b);
  // -1, 0 or 1 for real constants (infinities included); empty if undecided or not real.
  std::optional<int> Order(NodeId a, NodeId b);
  // See residues.h.
  std::optional<Rational> ConstantRatio(NodeId a, NodeId b) {
    return residues_.ConstantRatio(a, b);
  }
  bool IsZero(NodeId a) { return residues_.IsZero(a); }
  bool Quadratic(NodeId id, std::string_view symbol, Rational out[3]) {
    return residues_.Quadratic(id, symbol, out);
  }
  // See traits.h.
  int InfinitySign(NodeId id) const { return math::InfinitySign(tree_, id); }
  Traits TraitsOf(NodeId id) { return math::TraitsOf(tree_, &budget_, id); }
  // Exact rational value.
  Value Exact(NodeId id, Rational* out) { return ExactEval(tree_, &budget_).Eval(id, out); }

 private:
  Decision SymbolicEqual(NodeId a, NodeId b);
  // Both with a symbol of its own for each value of an unknown function: f(0), f(2x - x) and f(x) are two. kNoNode: something
  // else is opaque, or there are too many.
  std::pair<NodeId, NodeId> NameApplications(NodeId a, NodeId b);

  Tree& tree_;
  Budget& budget_;
  const uint64_t seed_;
  const CompareOptions& options_;
  Residues residues_;
  int inductions_ = 0;  // nested ones
};

}  // namespace assay::math
