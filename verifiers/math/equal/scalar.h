// Decides whether two scalar expressions have the same value: constants by exact rationals, balls and a separation bound for
// algebraic numbers; expressions with symbols by residues modulo secret primes and by balls at sample points. How each
// decision is made is written in docs/math.md. Private to verifiers/math.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "verifiers/math/equal/compare.h"
#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/value/eval.h"
#include "verifiers/math/value/polynomial.h"

namespace assay::math {

struct Decision {
  Outcome outcome = Outcome::kUnequal;
  Method method = Method::kNone;
  int bits = 0;
  bool rounded = false;  // float_digits made the difference
  bool yes() const { return outcome == Outcome::kEqual; }
};

// What occurs in an expression.
struct Traits {
  std::vector<std::string_view> symbols;  // free ones, each once
  bool opaque = false;                    // unknown functions, limits, integrals, derivatives
  bool not_scalar = false;                // text, relations, collections
  bool imaginary = false;
  bool steps = false;           // floor, ceiling, mod, gcd, lcm of something with symbols
  bool pieces = false;          // abs, sign, max, min of something with symbols
  bool symbolic_power = false;  // symbols in an exponent
  bool open_sum = false;        // a sum or product whose bounds have symbols
  bool constant() const { return symbols.empty() && !opaque && !not_scalar; }
};

class Scalars {
 public:
  Scalars(Tree* tree, Budget* budget, uint64_t seed, std::optional<int> float_digits)
      : tree_(*tree), budget_(*budget), seed_(seed), float_digits_(float_digits) {}

  Decision Equal(NodeId a, NodeId b);
  // -1, 0 or 1 for real constants (infinities included); empty if undecided or not real.
  std::optional<int> Order(NodeId a, NodeId b);
  // The rational c with a = c * b as expressions, if there is one (0 = 0 gives 1).
  std::optional<Rational> ConstantRatio(NodeId a, NodeId b);
  // True if the expression is identically zero as a rational function of symbols and opaque terms.
  bool IsZero(NodeId a);
  // 1 or -1 for plus and minus infinity, else 0.
  int InfinitySign(NodeId id) const;
  Traits TraitsOf(NodeId id);
  // Exact rational value.
  Value Exact(NodeId id, Rational* out);
  // Coefficients c0 + c1 x + c2 x^2 of an expression in one symbol, if it is such a polynomial with rational coefficients.
  bool Quadratic(NodeId id, std::string_view symbol, Rational out[3]);

 private:
  struct Bound {
    double u = 0;  // log2
    double l = 0;  // log2
  };
  struct Radicals {
    std::vector<uint64_t> keys;
    double degree = 1;
    void Add(uint64_t key, double index);
  };
  struct Points;

  Decision ConstantEqual(NodeId a, NodeId b);
  Decision BallEqual(NodeId a, NodeId b);
  Decision Rounded(NodeId a, NodeId b);
  Decision LimitEqual(NodeId limit, NodeId value);
  bool NearTarget(NodeId target, bool below, slong bits, slong prec, Complex* out);
  double LimitSize(NodeId limit);
  bool RoundTo(NodeId a, Integer* re, Integer* im);
  Decision SymbolicEqual(NodeId a, NodeId b);
  Decision FieldEqual(NodeId a, NodeId b, bool* decided);
  Decision SampleEqual(NodeId a, NodeId b);
  bool CollectPoints(NodeId a, NodeId b, const Traits& ta, const Traits& tb, Points* points);
  bool PieceBreaks(NodeId id, std::string_view symbol, RealBreaks* breaks);
  void Literals(NodeId id, std::vector<double>* out);
  Decision CompareAt(NodeId a, NodeId b, const std::vector<Sample>& at, bool real_domain,
                     bool* valid);
  bool AlgebraicBound(NodeId id, Bound* out, Radicals* radicals);
  bool PowerBound(NodeId id, Bound* out, Radicals* radicals);
  bool TrigonometricBound(NodeId id, Bound* out, Radicals* radicals);
  bool PiMultiple(NodeId id, Rational* out);
  uint64_t StructureHash(NodeId id);
  Decision EqualByInduction(NodeId a, NodeId b);
  void Collect(NodeId id, std::vector<std::string_view>* bound, Traits* out);
  bool HasResidues(NodeId id, std::string_view symbol, const Rational c[3]);
  const Field& GetField(int index);

  Tree& tree_;
  Budget& budget_;
  const uint64_t seed_;
  const std::optional<int> float_digits_;
  std::deque<Field> fields_;
  int inductions_ = 0;  // nested ones
};

}  // namespace assay::math
