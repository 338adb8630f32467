// Values of expressions, three ways, each within a budget: exact rationals, residues modulo a secret prime with functions as
// opaque but consistent values (an identity test), and balls (Arb) with the size of every subterm noted. What each operator
// means is written once, in operators.h, for all three. Private to verifiers/math.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/value/field.h"
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

template <typename Number>
struct Binding {
  std::string_view name;
  Number value;
};

// The walk over a tree's operators, common to all algebras. `Self`, the algebra, derives from Walk and knows its numbers:
// operations like Add, Divide or Choose on them. An operator that it takes in a way of its own is a member of the algebra with
// the name that the operator has here, and hides the common way.
template <typename Self, typename Number>
class Walk {
 public:
  Value Eval(NodeId id, Number* out);
  // The exponent of a power, or one over the index of a root.
  Value Exponent(NodeId id, Number* out);
  // Gives a symbol a value, for as long as nothing in the tree binds it again.
  void Bind(std::string_view name, const Number& value) { bound_.push_back({name, value}); }
  void Bind(const std::vector<Binding<Number>>& values) { bound_ = values; }

 protected:
  Walk(const Tree& tree, Budget* budget) : tree_(tree), budget_(*budget) {}

  bool Step() { return budget_.Spend(1); }
  Value Note(const Number&) { return Value::kOk; }
  Value Ordered(const Number&) const { return Value::kOk; }

  Value Symbol(NodeId id, Number* out);
  Value Joined(NodeId id, Number* out);
  Value Negated(NodeId id, Number* out);
  Value Quotient(NodeId id, Number* out);
  Value Power(NodeId id, Number* out);
  Value Absolute(NodeId id, Number* out);
  Value Rounded(NodeId id, Number* out);
  Value Modulo(NodeId id, Number* out);
  Value Factorial(NodeId id, Number* out);
  Value Binomial(NodeId id, Number* out);
  Value Function(NodeId id, Number* out);
  Value Logarithm(NodeId id, Number* out);
  Value Several(NodeId id, Number* out);
  Value Series(NodeId id, Number* out);
  Value Percent(NodeId id, Number* out);
  Value Angle(NodeId id, Number* out);
  Value Differential(Number* out);
  Value Binder(NodeId, Number*) { return Value::kNo; }
  Value Unknown(NodeId, Number*) { return Value::kNo; }

  Value Bounds(NodeId id, Integer* from, Integer* to);
  // `count` + 1 terms of a sum or product; none if it is negative.
  Value Terms(NodeId id, const Integer& from, const Integer& count, Number* out);
  Value Two(NodeId id, Number* a, Number* b);
  Value Noted(Value v, const Number& x) { return v == Value::kOk ? self().Note(x) : v; }

  Self& self() { return static_cast<Self&>(*this); }

  const Tree& tree_;
  Budget& budget_;
  std::vector<Binding<Number>> bound_;
};

// Exact rational value of a constant expression, if it has one that can be found without irrational numbers.
class ExactEval : public Walk<ExactEval, Rational> {
 public:
  ExactEval(const Tree& tree, Budget* budget) : Walk(tree, budget) {}

 private:
  friend Walk;
  static constexpr slong kMaxTerms = 10000;

  void Set(slong value, Rational* out) { out->Set(value); }
  void Set(const Integer& value, Rational* out);
  Value Literal(NodeId id, Rational* out);
  Value BigLiteral(NodeId id, Rational* out);
  Value FreeSymbol(NodeId, Rational*) { return Value::kNo; }
  Value Constant(ConstId, Rational*) { return Value::kNo; }
  Value Add(const Rational& x, Rational* total);
  Value Multiply(const Rational& x, Rational* total);
  void Increment(Rational* x) { fmpq_add_si(x->get(), x->get(), 1); }
  void Negate(Rational* x) { fmpq_neg(x->get(), x->get()); }
  void Magnitude(Rational* x) { fmpq_abs(x->get(), x->get()); }
  Value Reciprocal(Rational* x);
  Value DivideBy(slong divisor, Rational* x);
  Value Divide(const Rational& a, const Rational& b, Rational* out);
  Value PowerOf(const Rational& base, NodeId id, Rational* out);
  Value RootOf(const Rational& base, const fmpz* index, Rational* out);
  bool Whole(const Rational& x, Integer* out);
  Value Round(const Rational& x, bool up, Rational* out);
  Value Remainder(const Rational& a, const Rational& b, Rational* out);
  Value FactorialOf(const Rational& x, int marks, Rational* out);
  Value Choose(const Rational& n, const Rational& k, NodeId lower, Rational* out);
  Value Fold(Op op, const std::vector<Rational>& xs, Rational* out);
  Value Apply(FuncId f, const Rational& x, Rational* out);
  Value LogarithmOf(const Rational& a, const Rational& base, Rational* out);

  Value Rounded(NodeId id, Rational* out);
  Value RoundedBall(NodeId id, Rational* out);
  Value Angle(NodeId, Rational*) { return Value::kNo; }
  Value Differential(Rational*) { return Value::kNo; }

  bool Spend(const Rational& r) { return budget_.Spend(1 + r.Bits() / 32); }
};

// Residues. Two expressions with the same residue at random points are, up to the error of the test, equal as rational
// functions of their symbols and opaque subterms; different residues mean different rational functions, which for
// opaque subterms is no proof of different values: see `opaque`. A symbol without a value has a drawn one.
class FieldEval : public Walk<FieldEval, uint64_t> {
 public:
  FieldEval(const Tree& tree, const Field& field, Budget* budget) : Walk(tree, budget), f_(field) {}
  bool opaque() const { return opaque_; }  // a function was met

 private:
  friend Walk;
  static constexpr slong kMaxTerms = 2000;

  void Set(slong value, uint64_t* out) { *out = static_cast<uint64_t>(value); }  // 0 or 1
  void Set(const Integer& value, uint64_t* out) { *out = fmpz_fdiv_ui(value.get(), f_.p); }
  Value Literal(NodeId id, uint64_t* out) { return Residue(tree_[id], out); }
  Value BigLiteral(NodeId id, uint64_t* out);
  Value FreeSymbol(NodeId id, uint64_t* out);
  Value Constant(ConstId id, uint64_t* out);
  Value Add(uint64_t x, uint64_t* total);
  Value Multiply(uint64_t x, uint64_t* total);
  void TimesPi(uint64_t* x);
  void Increment(uint64_t* x) { *x = f_.AddMod(*x, 1); }
  void Negate(uint64_t* x) { *x = f_.Negate(*x); }
  Value Reciprocal(uint64_t* x) { return Inverse(*x, x); }
  Value DivideBy(slong divisor, uint64_t* x);
  Value Divide(uint64_t a, uint64_t b, uint64_t* out);
  Value PowerOf(uint64_t base, NodeId id, uint64_t* out);
  Value FactorialOf(uint64_t x, int marks, uint64_t* out);
  Value Choose(uint64_t n, uint64_t k, NodeId lower, uint64_t* out);
  Value Apply(FuncId f, uint64_t x, uint64_t* out);
  Value LogarithmOf(uint64_t a, uint64_t base, uint64_t* out);

  Value Absolute(NodeId id, uint64_t* out);
  Value Rounded(NodeId id, uint64_t* out);
  Value Modulo(NodeId id, uint64_t* out);
  Value Function(NodeId id, uint64_t* out);
  Value Several(NodeId id, uint64_t* out);
  Value Series(NodeId id, uint64_t* out);
  Value Binder(NodeId id, uint64_t* out);
  Value Unknown(NodeId id, uint64_t* out);

  Value Residue(const Node& n, uint64_t* out);
  Value Inverse(uint64_t a, uint64_t* out);
  Value PowInteger(uint64_t base, const fmpz* e, uint64_t* out);
  Value Raise(uint64_t base, NodeId exponent, uint64_t* out);
  Value Opaque(uint64_t tag, NodeId id, uint64_t* out);
  Value BoundOf(NodeId id, uint64_t* out);
  Value AbsoluteProduct(NodeId id, uint64_t* out);
  uint64_t WholeTerms(NodeId id) const;
  Value Operands(NodeId id, Op op, std::vector<uint64_t>* out);
  Value Extreme(uint64_t a, uint64_t b, bool larger, uint64_t* out);
  bool IsNegatedHalf(uint64_t v) const { return v > f_.p - v; }
  uint64_t ValueOf(FuncId f, uint64_t x) const;
  uint64_t Odd(FuncId f, uint64_t x) const;
  uint64_t Even(FuncId f, uint64_t x) const;

  const Field& f_;
  int binders_ = 0;
  bool opaque_ = false;
};

using Sample = Binding<Complex>;

// Balls. A symbol without a value ends the evaluation with kNo.
class BallEval : public Walk<BallEval, Complex> {
 public:
  BallEval(const Tree& tree, Budget* budget, slong prec) : Walk(tree, budget), prec_(prec) {}

  // The largest |log2| of a subterm that was met, and of what functions with hidden exponentials were given.
  double largest_log2 = 0;
  // A root or logarithm of a negative number, or an inverse function outside of its real range.
  bool left_reals = false;

 private:
  friend Walk;
  static constexpr slong kMaxTerms = 2000;

  bool Step() { return Spend(1); }
  Value Note(const Complex& z);
  Value Ordered(const Complex& z) const { return z.IsReal() ? Value::kOk : Value::kNo; }

  void Set(slong value, Complex* out) { acb_set_si(out->get(), value); }
  void Set(const Integer& value, Complex* out) { acb_set_fmpz(out->get(), value.get()); }
  Value Literal(NodeId id, Complex* out);
  Value BigLiteral(NodeId id, Complex* out) { return Exactly(id, out); }
  Value FreeSymbol(NodeId, Complex*) { return Value::kNo; }
  Value Constant(ConstId id, Complex* out);
  Value Add(const Complex& x, Complex* total);
  Value Multiply(const Complex& x, Complex* total);
  void TimesPi(Complex* x);
  void Increment(Complex* x) { acb_add_si(x->get(), x->get(), 1, prec_ + 64); }
  void Negate(Complex* x) { acb_neg(x->get(), x->get()); }
  void Magnitude(Complex* x);
  Value Reciprocal(Complex* x);
  Value DivideBy(slong divisor, Complex* x);
  Value Divide(const Complex& a, const Complex& b, Complex* out);
  Value PowerOf(const Complex& base, NodeId id, Complex* out);
  bool Whole(const Complex& x, Integer* out);
  Value Round(const Complex& x, bool up, Complex* out);
  Value Remainder(const Complex& a, const Complex& b, Complex* out);
  Value FactorialOf(const Complex& x, int marks, Complex* out);
  Value Choose(const Complex& n, const Complex& k, NodeId lower, Complex* out);
  Value Fold(Op op, const std::vector<Complex>& xs, Complex* out);
  Value Apply(FuncId f, const Complex& x, Complex* out);
  Value LogarithmOf(const Complex& a, const Complex& base, Complex* out);

  Value Rounded(NodeId id, Complex* out);
  Value Modulo(NodeId id, Complex* out);
  Value Factorial(NodeId id, Complex* out);
  Value Several(NodeId id, Complex* out);

  Value Exactly(NodeId id, Complex* out);
  Value RationalPower(const Complex& base, const Rational& e, Complex* out);
  Value GeneralPower(const Complex& base, const Complex& e, Complex* out);
  Value Exp(const Complex& x, Complex* out);
  Value Log(const Complex& x, Complex* out);
  Value Parts(FuncId f, const Complex& x, Complex* out);
  Value Trigonometric(FuncId f, const Complex& x, Complex* out);
  Value Hyperbolic(FuncId f, const Complex& x, Complex* out);
  Value Inverse(FuncId f, const Complex& x, Complex* out);
  Value InverseOfReciprocal(FuncId f, const Complex& x, Complex* out);
  bool Spend(int64_t weight);

  const slong prec_;
};

// Each beside its algebra.
extern template Value Walk<ExactEval, Rational>::Eval(NodeId, Rational*);
extern template Value Walk<ExactEval, Rational>::Exponent(NodeId, Rational*);
extern template Value Walk<FieldEval, uint64_t>::Eval(NodeId, uint64_t*);
extern template Value Walk<BallEval, Complex>::Eval(NodeId, Complex*);

}  // namespace assay::math
