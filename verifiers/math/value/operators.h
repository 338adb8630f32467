// What each operator means: the walk over a tree's operators, written once for every kind of number. Only the three algebras'
// own files include this; all others need eval.h alone. Private to verifiers/math.
#pragma once

#include <vector>

#include "verifiers/math/value/eval.h"

namespace assay::math {

template <typename Self, typename Number>
Value Walk<Self, Number>::Eval(NodeId id, Number* out) {
  if (!self().Step()) return Value::kLimit;
  const Node& n = tree_[id];
  switch (n.op) {
    case Op::kNum:
      return Noted(self().Literal(id, out), *out);
    case Op::kBig:
      return Noted(self().BigLiteral(id, out), *out);
    case Op::kSym:
      return Noted(Symbol(id, out), *out);
    case Op::kConst:
      return self().Constant(static_cast<ConstId>(n.aux), out);
    case Op::kAdd:
    case Op::kMul:
      return Noted(Joined(id, out), *out);
    case Op::kNeg:
      return Negated(id, out);
    case Op::kDiv:
    case Op::kRatio:  // a : b is a / b
      return n.n == 2 ? Noted(Quotient(id, out), *out) : Value::kNo;
    case Op::kPow:   // 0^0 is 1, as everywhere in combinatorics and in polynomials
    case Op::kRoot:  // odd roots of negative numbers are real
      return Noted(Power(id, out), *out);
    case Op::kAbs:
    case Op::kNorm:
      return self().Absolute(id, out);
    case Op::kFloor:
    case Op::kCeil:
      return Noted(self().Rounded(id, out), *out);
    case Op::kMod:  // a - b floor(a / b)
      return Noted(self().Modulo(id, out), *out);
    case Op::kFact:  // n!! is n (n - 2) (n - 4) ..; n! of what is not whole is Gamma(n + 1)
      return Noted(self().Factorial(id, out), *out);
    case Op::kBinom:  // n (n - 1) .. (n - k + 1) / k!, for a whole k; zero for a negative one
      return Noted(Binomial(id, out), *out);
    case Op::kFunc:
      return Noted(self().Function(id, out), *out);
    case Op::kLog:  // ln a / ln b
      return Noted(Logarithm(id, out), *out);
    case Op::kGcd:
    case Op::kLcm:
    case Op::kMax:
    case Op::kMin:
      return Noted(self().Several(id, out), *out);
    case Op::kSum:
    case Op::kProd:
      return Noted(self().Series(id, out), *out);
    case Op::kPercent:  // a hundredth
      return Noted(Percent(id, out), *out);
    case Op::kDegree:  // in radians
      return Noted(self().Angle(id, out), *out);
    case Op::kBased:     // its value
    case Op::kQuantity:  // its number; whether units agree is not seen here
      return Eval(tree_.Kid(id, 0), out);
    case Op::kSet:
    case Op::kList:
    case Op::kSeq:  // one item in brackets is that item
      return n.n == 1 ? Eval(tree_.Kid(id, 0), out) : Value::kNo;
    case Op::kDiff:  // 1: what it stands beside is the integrand
      return self().Differential(out);
    case Op::kInt:
    case Op::kLim:
      return self().Binder(id, out);
    case Op::kApply:
    case Op::kDeriv:
      return self().Unknown(id, out);
    case Op::kUndef:
      return Value::kUndefined;
    default:  // not a scalar
      return Value::kNo;
  }
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Two(NodeId id, Number* a, Number* b) {
  const Value v = Eval(tree_.Kid(id, 0), a);
  return v == Value::kOk ? Eval(tree_.Kid(id, 1), b) : v;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Symbol(NodeId id, Number* out) {
  for (size_t k = bound_.size(); k-- > 0;) {
    if (bound_[k].name == tree_.Name(id)) {
      *out = bound_[k].value;
      return Value::kOk;
    }
  }
  return self().FreeSymbol(id, out);
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Joined(NodeId id, Number* out) {
  const bool sum = tree_[id].op == Op::kAdd;
  Number total{};
  Number part{};
  self().Set(sum ? 0 : 1, &total);
  for (uint32_t k = 0; k < tree_[id].n; ++k) {
    Value v = Eval(tree_.Kid(id, k), &part);
    if (v == Value::kOk) v = sum ? self().Add(part, &total) : self().Multiply(part, &total);
    if (v != Value::kOk) return v;
  }
  *out = total;
  return Value::kOk;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Negated(NodeId id, Number* out) {
  const Value v = Eval(tree_.Kid(id, 0), out);
  if (v == Value::kOk) self().Negate(out);
  return v;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Quotient(NodeId id, Number* out) {
  Number a{};
  Number b{};
  const Value v = Two(id, &a, &b);
  return v == Value::kOk ? self().Divide(a, b, out) : v;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Exponent(NodeId id, Number* out) {
  const Value v = Eval(tree_.Kid(id, 1), out);
  return v == Value::kOk && tree_[id].op == Op::kRoot ? self().Reciprocal(out) : v;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Power(NodeId id, Number* out) {
  Number base{};
  const Value v = Eval(tree_.Kid(id, 0), &base);
  return v == Value::kOk ? self().PowerOf(base, id, out) : v;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Absolute(NodeId id, Number* out) {
  const Value v = Eval(tree_.Kid(id, 0), out);
  if (v == Value::kOk) self().Magnitude(out);
  return v;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Rounded(NodeId id, Number* out) {
  Number x{};
  Value v = Eval(tree_.Kid(id, 0), &x);
  if (v == Value::kOk) v = self().Ordered(x);
  return v == Value::kOk ? self().Round(x, tree_[id].op == Op::kCeil, out) : v;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Modulo(NodeId id, Number* out) {
  Number a{};
  Number b{};
  Value v = Eval(tree_.Kid(id, 0), &a);
  if (v == Value::kOk) v = self().Ordered(a);
  if (v == Value::kOk) v = Eval(tree_.Kid(id, 1), &b);
  if (v == Value::kOk) v = self().Ordered(b);
  return v == Value::kOk ? self().Remainder(a, b, out) : v;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Factorial(NodeId id, Number* out) {
  Number x{};
  const Value v = Eval(tree_.Kid(id, 0), &x);
  return v == Value::kOk ? self().FactorialOf(x, tree_[id].aux, out) : v;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Binomial(NodeId id, Number* out) {
  Number n{};
  Number k{};
  const Value v = Two(id, &n, &k);
  return v == Value::kOk ? self().Choose(n, k, tree_.Kid(id, 1), out) : v;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Function(NodeId id, Number* out) {
  Number x{};
  const Value v = Eval(tree_.Kid(id, 0), &x);
  return v == Value::kOk ? self().Apply(static_cast<FuncId>(tree_[id].aux), x, out) : v;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Logarithm(NodeId id, Number* out) {
  Number a{};
  Number base{};
  const Value v = Two(id, &a, &base);
  return v == Value::kOk ? self().LogarithmOf(a, base, out) : v;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Several(NodeId id, Number* out) {
  std::vector<Number> xs(tree_[id].n);
  for (uint32_t k = 0; k < tree_[id].n; ++k) {
    Value v = Eval(tree_.Kid(id, k), &xs[k]);
    if (v == Value::kOk) v = self().Ordered(xs[k]);
    if (v != Value::kOk) return v;
  }
  return self().Fold(tree_[id].op, xs, out);
}

// Term by term over whole bounds; an empty range gives 0 or 1.
template <typename Self, typename Number>
Value Walk<Self, Number>::Series(NodeId id, Number* out) {
  Integer from;
  Integer to;
  const Value v = Bounds(id, &from, &to);
  if (v != Value::kOk) return v;
  Integer count;
  fmpz_sub(count.get(), to.get(), from.get());
  if (fmpz_cmp_si(count.get(), Self::kMaxTerms) > 0) return Value::kLimit;
  return Terms(id, from, count, out);
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Bounds(NodeId id, Integer* from, Integer* to) {
  Number low{};
  Number high{};
  Value v = Eval(tree_.Kid(id, 1), &low);
  if (v == Value::kOk) v = Eval(tree_.Kid(id, 2), &high);
  if (v != Value::kOk) return v;
  return self().Whole(low, from) && self().Whole(high, to) ? Value::kOk : Value::kNo;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Terms(NodeId id, const Integer& from, const Integer& count, Number* out) {
  const bool sum = tree_[id].op == Op::kSum;
  Number total{};
  Number term{};
  self().Set(sum ? 0 : 1, &total);
  self().Set(from, &term);
  Bind(tree_.Name(tree_.Kid(id, 0)), term);
  const size_t at = bound_.size() - 1;
  Value v = Value::kOk;
  for (slong k = fmpz_sgn(count.get()) < 0 ? -1 : fmpz_get_si(count.get()); k >= 0; --k) {
    v = Eval(tree_.Kid(id, 3), &term);
    if (v == Value::kOk) v = sum ? self().Add(term, &total) : self().Multiply(term, &total);
    if (v != Value::kOk) break;
    self().Increment(&bound_[at].value);
  }
  bound_.pop_back();
  if (v == Value::kOk) *out = total;
  return v;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Percent(NodeId id, Number* out) {
  const Value v = Eval(tree_.Kid(id, 0), out);
  return v == Value::kOk ? self().DivideBy(100, out) : v;
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Angle(NodeId id, Number* out) {
  const uint8_t part = tree_[id].aux;  // degrees, minutes, seconds
  const Value v = Eval(tree_.Kid(id, 0), out);
  if (v != Value::kOk) return v;
  self().TimesPi(out);
  return self().DivideBy(part == 0 ? 180 : part == 1 ? 10800 : 648000, out);
}

template <typename Self, typename Number>
Value Walk<Self, Number>::Differential(Number* out) {
  self().Set(1, out);
  return Value::kOk;
}

}  // namespace assay::math
