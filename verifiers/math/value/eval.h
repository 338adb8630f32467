// Values of expressions, three ways, each within a budget: exact rationals, residues modulo a secret prime with functions as
// opaque but consistent values (an identity test), and balls (Arb) with the size of every subterm noted. Private to
// verifiers/math.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/value/flint_types.h"

namespace assay::math {

// Work left in one comparison. Deterministic: the same texts always spend the same.
class Budget {
 public:
  explicit Budget(int64_t units) : left_(units) {}
  bool Spend(int64_t units) {
    left_ -= units;
    return left_ >= 0;
  }
  bool Exhausted() const { return left_ < 0; }

 private:
  int64_t left_;
};

enum class Value {
  kOk,
  kNo,         // not of this kind (not rational; has symbols; no evaluation known)
  kUndefined,  // division by zero and the like
  kLimit,
};

// Exact rational value of a constant expression, if it has one that can be found without irrational numbers.
class ExactEval {
 public:
  ExactEval(const Tree& tree, Budget* budget) : tree_(tree), budget_(*budget) {}
  Value Eval(NodeId id, Rational* out);
  // Gives a symbol a value.
  void Bind(std::string_view name, const Rational& value) { bound_.emplace_back(name, value); }

 private:
  Value Sum(NodeId id, Rational* out);
  Value Product(NodeId id, Rational* out);
  Value Power(const Rational& base, const Rational& exponent, Rational* out);
  Value RootOf(const Rational& base, const fmpz* index, Rational* out);
  Value Factorial(NodeId id, Rational* out);
  Value Binomial(NodeId id, Rational* out);
  Value Divide(const Rational& a, const Rational& b, Rational* out);
  Value Modulo(NodeId id, Rational* out);
  Value Several(NodeId id, Rational* out);
  Value Series(NodeId id, Rational* out);
  Value Function(NodeId id, Rational* out);
  Value Logarithm(NodeId id, Rational* out);
  Value Big(NodeId id, Rational* out);
  Value Floor(NodeId id, bool ceil, Rational* out);
  Value Kids(NodeId id, std::vector<Rational>* out);
  bool Spend(const Rational& r) { return budget_.Spend(1 + r.Bits() / 32); }

  const Tree& tree_;
  Budget& budget_;
  std::vector<std::pair<std::string_view, Rational>> bound_;
};

// A secret prime p = 1 (mod 4) below 2^62 and everything drawn with it.
struct Field {
  uint64_t p = 0;
  uint64_t p_inverse = 0;
  uint64_t seed = 0;
  uint64_t root_of_minus_one = 0;

  Field(uint64_t seed_value, int index);
  uint64_t Mul(uint64_t a, uint64_t b) const { return n_mulmod2_preinv(a, b, p, p_inverse); }
  uint64_t AddMod(uint64_t a, uint64_t b) const { return n_addmod(a, b, p); }
  uint64_t Negate(uint64_t a) const { return a == 0 ? 0 : p - a; }
  uint64_t Random(uint64_t tag, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) const;
};

// Residues. Two expressions with the same residue at random points are, up to the error of the test, equal as rational
// functions of their symbols and opaque subterms; different residues mean different rational functions, which for
// opaque subterms is no proof of different values: see `opaque`.
class FieldEval {
 public:
  FieldEval(const Tree& tree, const Field& field, Budget* budget)
      : tree_(tree), f_(field), budget_(*budget) {}
  Value Eval(NodeId id, uint64_t* out);
  bool opaque() const { return opaque_; }  // a function was met
  // Gives a symbol another value than the drawn one.
  void Bind(std::string_view name, uint64_t value) { bound_.emplace_back(name, value); }

 private:
  Value Number(const Node& n, uint64_t* out);
  Value BigNumber(NodeId id, uint64_t* out);
  Value Inverse(uint64_t a, uint64_t* out);
  Value PowInteger(uint64_t base, const fmpz* e, uint64_t* out);
  Value Power(NodeId base, NodeId exponent, uint64_t* out);
  Value PowerOf(uint64_t base, NodeId exponent, uint64_t* out);
  Value Opaque(uint64_t tag, NodeId id, uint64_t* out);
  Value Function(NodeId id, uint64_t* out);
  Value Absolute(NodeId id, uint64_t* out);
  Value AbsoluteProduct(NodeId id, uint64_t* out);
  Value Binomial(NodeId id, uint64_t* out);
  Value Series(NodeId id, uint64_t* out);
  Value Binder(NodeId id, uint64_t* out);
  Value Rounded(NodeId id, uint64_t* out);
  uint64_t WholeTerms(NodeId id) const;
  Value Commutative(NodeId id, uint64_t* out);
  Value Operands(NodeId id, Op op, std::vector<uint64_t>* out);
  Value Extreme(uint64_t a, uint64_t b, bool larger, uint64_t* out);
  bool IsNegatedHalf(uint64_t v) const { return v > f_.p - v; }

  const Tree& tree_;
  const Field& f_;
  Budget& budget_;
  std::vector<std::pair<std::string_view, uint64_t>> bound_;
  int binders_ = 0;
  bool opaque_ = false;
};

// Balls.
struct Sample {
  std::string_view name;
  Complex value;
};

class BallEval {
 public:
  BallEval(const Tree& tree, Budget* budget, slong prec)
      : tree_(tree), budget_(*budget), prec_(prec) {}
  Value Eval(NodeId id, Complex* out);

  // Symbols' values; a symbol without one ends the evaluation with kNo.
  std::vector<Sample> samples;
  // The largest |log2| of a subterm that was met, and of what functions with hidden exponentials were given.
  double largest_log2 = 0;
  // A root or logarithm of a negative number, or an inverse function outside of its real range.
  bool left_reals = false;

 private:
  Value Note(const Complex& z, Value v);
  Value Sum(NodeId id, Complex* out);
  Value Product(NodeId id, Complex* out);
  Value Power(NodeId id, Complex* out);
  Value RationalPower(const Complex& base, const Rational& e, Complex* out);
  Value GeneralPower(const Complex& base, const Complex& e, Complex* out);
  Value Exp(const Complex& x, Complex* out);
  Value Log(const Complex& x, Complex* out);
  Value Function(NodeId id, Complex* out);
  Value Inverse(FuncId f, Complex* x, Complex* out);
  Value Hyperbolic(FuncId f, const Complex& x, Complex* out);
  Value Trigonometric(FuncId f, const Complex& x, Complex* out);
  Value Factorial(const Complex& x, Complex* out);
  Value Binomial(NodeId id, Complex* out);
  Value Rounded(NodeId id, Complex* out);
  Value Extreme(NodeId id, Complex* out);
  Value Series(NodeId id, Complex* out);
  bool Spend(int64_t weight);

  const Tree& tree_;
  Budget& budget_;
  const slong prec_;
};

uint64_t MixHash(uint64_t x);

}  // namespace assay::math
