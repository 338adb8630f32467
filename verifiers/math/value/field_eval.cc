// The algebra of residues. Functions are opaque: any value will do that is the same for the same argument and keeps the few laws
// that an answer may use: f(-x), b^(u + v), |u v|, max(a, max(b, c)).
#include <algorithm>
#include <string>

#include "core/hash.h"
#include "verifiers/math/value/operators.h"

namespace assay::math {
namespace {

constexpr int64_t kMaxSmallBinomial = 64;
constexpr ulong kMaxFactorial = 5000;
// What has a residue (or its negative) below this at a random point is that whole number: 2y - y - y, or a bound variable.
constexpr uint64_t kSmall = uint64_t{1} << 20;

// Tags of opaque values; functions use kFuncTag + FuncId.
enum Tag : uint64_t {
  kNameTag = 1,
  kPowTag,
  kRootTag,
  kAbsTag,
  kFloorTag,
  kFactTag,
  kBinomTag,
  kModTag,
  kGcdTag,
  kLcmTag,
  kMaxTag,
  kMinTag,
  kApplyTag,
  kSumTag,
  kProdTag,
  kIntTag,
  kLimTag,
  kDerivTag,
  kConstTag,
  kBoundTag,
  kNormTag,
  kFuncTag = 64,
};

}  // namespace

template Value Walk<FieldEval, uint64_t>::Eval(NodeId, uint64_t*);

Value FieldEval::Inverse(uint64_t a, uint64_t* out) {
  if (a == 0) return Value::kUndefined;
  budget_.Spend(8);
  *out = n_invmod(a, f_.p);
  return Value::kOk;
}

Value FieldEval::Residue(const Node& n, uint64_t* out) {
  const uint64_t magnitude =
      n.num < 0 ? -static_cast<uint64_t>(n.num) : static_cast<uint64_t>(n.num);
  uint64_t v = f_.Reduce(magnitude);
  if (n.num < 0) v = f_.Negate(v);
  if (n.den != 1) {
    uint64_t inverse = 0;
    const Value ok = Inverse(f_.Reduce(static_cast<uint64_t>(n.den)), &inverse);
    if (ok != Value::kOk) return ok;
    v = f_.Mul(v, inverse);
  }
  *out = v;
  return Value::kOk;
}

Value FieldEval::BigLiteral(NodeId id, uint64_t* out) {
  const Node& n = tree_[id];
  const std::string& digits = tree_.bigs[static_cast<size_t>(n.num)];
  if (!budget_.Spend(static_cast<int64_t>(digits.size() / 4))) return Value::kLimit;
  uint64_t v = 0;
  for (const char c : digits) v = f_.AddMod(f_.Mul(v, 10), static_cast<uint64_t>(c - '0'));
  const uint64_t e = static_cast<uint64_t>(n.den < 0 ? -n.den : n.den);
  uint64_t scale = f_.Pow(10, e);
  if (n.den < 0) {
    const Value ok = Inverse(scale, &scale);
    if (ok != Value::kOk) return ok;
  }
  *out = f_.Mul(v, scale);
  return Value::kOk;
}

Value FieldEval::FreeSymbol(NodeId id, uint64_t* out) {
  *out = f_.Random(kNameTag, HashBytes64(tree_.Name(id)));
  return Value::kOk;
}

Value FieldEval::Constant(ConstId id, uint64_t* out) {
  if (id == ConstId::kInf) return Value::kUndefined;
  if (id == ConstId::kI) {
    *out = f_.RootOfMinusOne();
    return Value::kOk;
  }
  opaque_ = true;
  *out = f_.Random(kConstTag, static_cast<uint64_t>(id));
  return Value::kOk;
}

Value FieldEval::Add(uint64_t x, uint64_t* total) {
  *total = f_.AddMod(*total, x);
  return Value::kOk;
}

Value FieldEval::Multiply(uint64_t x, uint64_t* total) {
  *total = f_.Mul(*total, x);
  return Value::kOk;
}

void FieldEval::TimesPi(uint64_t* x) {
  uint64_t pi = 0;
  Constant(ConstId::kPi, &pi);
  *x = f_.Mul(*x, pi);
}

Value FieldEval::Divide(uint64_t a, uint64_t b, uint64_t* out) {
  uint64_t inverse = 0;
  const Value ok = Inverse(b, &inverse);
  if (ok == Value::kOk) *out = f_.Mul(a, inverse);
  return ok;
}

Value FieldEval::DivideBy(slong divisor, uint64_t* x) {
  return Divide(*x, static_cast<uint64_t>(divisor), x);
}

// A value that depends on nothing but what the children's values are.
Value FieldEval::Opaque(uint64_t tag, NodeId id, uint64_t* out) {
  const Node& n = tree_[id];
  uint64_t h = n.n;
  for (uint32_t k = 0; k < n.n; ++k) {
    uint64_t v = 0;
    const Value ok = Eval(tree_.Kid(id, k), &v);
    if (ok != Value::kOk) return ok;
    h = f_.Random(tag, h, v, k);
  }
  opaque_ = true;
  *out = h;
  return Value::kOk;
}

// Functions that are only names, and derivatives.
Value FieldEval::Unknown(NodeId id, uint64_t* out) {
  const uint64_t tag = tree_[id].op == Op::kApply ? kApplyTag : kDerivTag;
  return Opaque(tag + (HashBytes64(tree_.Name(id)) << 8), id, out);
}

Value FieldEval::Modulo(NodeId id, uint64_t* out) { return Opaque(kModTag, id, out); }

Value FieldEval::FactorialOf(uint64_t x, int marks, uint64_t* out) {
  const auto step = static_cast<uint64_t>(marks);
  if (x <= kMaxFactorial) {
    uint64_t f = 1;
    for (uint64_t j = x; j > 1; j = j > step ? j - step : 0) f = f_.Mul(f, j);
    *out = f;
    return budget_.Spend(static_cast<int64_t>(x / 4)) ? Value::kOk : Value::kLimit;
  }
  opaque_ = true;
  *out = f_.Random(kFactTag + 32 * step, 1, x);
  return Value::kOk;
}

Value FieldEval::LogarithmOf(uint64_t a, uint64_t base, uint64_t* out) {
  if (a == 0 || base == 0 || base == 1) return Value::kUndefined;
  opaque_ = true;
  return Divide(a == 1 ? 0 : ValueOf(FuncId::kLn, a), ValueOf(FuncId::kLn, base), out);
}

Value FieldEval::PowInteger(uint64_t base, const fmpz* e, uint64_t* out) {
  if (base == 0) {
    if (fmpz_sgn(e) < 0) return Value::kUndefined;
    *out = fmpz_is_zero(e) ? 1 : 0;
    return Value::kOk;
  }
  if (!budget_.Spend(8)) return Value::kLimit;
  Integer reduced;
  fmpz_mod_ui(reduced.get(), e, f_.p - 1);
  *out = f_.Pow(base, fmpz_get_ui(reduced.get()));
  return Value::kOk;
}

Value FieldEval::PowerOf(uint64_t base, NodeId id, uint64_t* out) {
  if (tree_[id].op == Op::kPow) return Raise(base, tree_.Kid(id, 1), out);
  uint64_t exponent = 0;
  const Value ok = Exponent(id, &exponent);
  if (ok != Value::kOk) return ok;
  opaque_ = true;
  *out = base <= 1 ? base : f_.Random(kPowTag, base, exponent);
  return Value::kOk;
}

// b^(u + v) = b^u b^v, b^(-u) = 1 / b^u, b^(n u) = (b^u)^n for whole n; whole exponents by repeated squaring, all others opaque.
Value FieldEval::Raise(uint64_t base, NodeId exponent, uint64_t* out) {
  if (!budget_.Spend(1)) return Value::kLimit;
  const Node& e = tree_[exponent];
  Rational whole;
  if (e.op == Op::kNum && e.den == 1) {
    whole.Set(e.num);
    return PowInteger(base, whole.num(), out);
  }
  if (e.op == Op::kNeg) {
    const Value ok = Raise(base, tree_.Kid(exponent, 0), out);
    return ok == Value::kOk ? Inverse(*out, out) : ok;
  }
  if (bound_.empty() || binders_ == 0) {
    ExactEval exact(tree_, &budget_);
    const Value v = exact.Eval(exponent, &whole);
    if (v == Value::kLimit && budget_.Exhausted()) return v;
    if (v == Value::kOk && whole.IsInteger()) return PowInteger(base, whole.num(), out);
  }
  if (e.op == Op::kAdd) {
    uint64_t product = 1;
    for (uint32_t k = 0; k < e.n; ++k) {
      uint64_t v = 0;
      const Value ok = Raise(base, tree_.Kid(exponent, k), &v);
      if (ok != Value::kOk) return ok;
      product = f_.Mul(product, v);
    }
    *out = product;
    return Value::kOk;
  }
  if (e.op == Op::kMul && e.n == 2 && tree_[tree_.Kid(exponent, 0)].op == Op::kNum &&
      tree_[tree_.Kid(exponent, 0)].den == 1) {
    uint64_t v = 0;
    const Value ok = Raise(base, tree_.Kid(exponent, 1), &v);
    if (ok != Value::kOk) return ok;
    whole.Set(tree_[tree_.Kid(exponent, 0)].num);
    return PowInteger(v, whole.num(), out);
  }
  uint64_t x = 0;
  const Value ok = Eval(exponent, &x);
  if (ok != Value::kOk) return ok;
  if (x < kSmall || f_.p - x < kSmall) {
    whole.Set(x < kSmall ? static_cast<int64_t>(x) : -static_cast<int64_t>(f_.p - x));
    return PowInteger(base, whole.num(), out);
  }
  opaque_ = true;
  if (base == 0) return Value::kNo;
  // -t/a and -(t/a) are one exponent: of u and -u the lesser residue is drawn for.
  const bool negative = f_.p - x < x;
  *out = base == 1 ? 1 : f_.Random(kPowTag, base, negative ? f_.p - x : x);
  return negative ? Inverse(*out, out) : Value::kOk;
}

// |u| has one value for u and -u; the absolute value of a product is the product of absolute values.
Value FieldEval::Absolute(NodeId id, uint64_t* out) {
  if (tree_[id].op == Op::kNorm) return Opaque(kNormTag, id, out);
  return AbsoluteProduct(tree_.Kid(id, 0), out);
}

Value FieldEval::AbsoluteProduct(NodeId id, uint64_t* out) {
  if (!budget_.Spend(1)) return Value::kLimit;
  const Node& n = tree_[id];
  switch (n.op) {
    case Op::kNum: {
      Node positive = n;
      positive.num = n.num < 0 ? -n.num : n.num;
      return Residue(positive, out);
    }
    case Op::kBig:
      return BigLiteral(id, out);
    case Op::kNeg:
    case Op::kAbs:
      return AbsoluteProduct(tree_.Kid(id, 0), out);
    case Op::kMul:
    case Op::kDiv: {
      uint64_t product = 1;
      for (uint32_t k = 0; k < n.n; ++k) {
        uint64_t v = 0;
        Value ok = AbsoluteProduct(tree_.Kid(id, k), &v);
        if (ok == Value::kOk && n.op == Op::kDiv && k > 0) ok = Inverse(v, &v);
        if (ok != Value::kOk) return ok;
        product = f_.Mul(product, v);
      }
      *out = product;
      return Value::kOk;
    }
    case Op::kConst:
      if (n.aux == static_cast<uint8_t>(ConstId::kPi) || n.aux == static_cast<uint8_t>(ConstId::kE))
        return Eval(id, out);
      break;
    default:
      break;
  }
  uint64_t v = 0;
  const Value ok = Eval(id, &v);
  if (ok != Value::kOk) return ok;
  opaque_ = true;
  *out = v == 0 ? 0 : f_.Random(kAbsTag, std::min(v, f_.p - v));
  return Value::kOk;
}

// The sum of the whole numbers among the terms: they may leave a floor. (n + 5)/2 is (n + 1)/2 + 2.
uint64_t FieldEval::WholeTerms(NodeId id) const {
  const Node& n = tree_[id];
  uint64_t sum = 0;
  if (n.op == Op::kDiv) {
    const Node& divisor = tree_[tree_.Kid(id, 1)];
    if (divisor.op != Op::kNum || divisor.den != 1 || divisor.num < 1) return 0;
    const auto d = static_cast<uint64_t>(divisor.num);
    const uint64_t above = WholeTerms(tree_.Kid(id, 0));
    // A residue near the modulus is a negative number, whose quotient is rounded down.
    if (above < kSmall) return above / d;
    const uint64_t below = f_.Negate(above);
    return below < kSmall ? f_.Negate((below + d - 1) / d) : 0;
  }
  for (uint32_t k = 0; n.op == Op::kAdd && k < n.n; ++k) {
    const NodeId kid = tree_.Kid(id, k);
    const bool negative = tree_[kid].op == Op::kNeg;
    const Node& term = tree_[negative ? tree_.Kid(kid, 0) : kid];
    if (term.op != Op::kNum || term.den != 1 || term.num < 0) continue;
    const uint64_t v = f_.Reduce(static_cast<uint64_t>(term.num));
    sum = f_.AddMod(sum, negative ? f_.Negate(v) : v);
  }
  return sum;
}

// The ceiling of u is minus the floor of -u.
Value FieldEval::Rounded(NodeId id, uint64_t* out) {
  Rational exact;
  ExactEval whole(tree_, &budget_);
  if (binders_ == 0 && whole.Eval(id, &exact) == Value::kOk) {
    *out = fmpz_fdiv_ui(exact.num(), f_.p);
    return Value::kOk;
  }
  uint64_t v = 0;
  const Value ok = Eval(tree_.Kid(id, 0), &v);
  if (ok != Value::kOk) return ok;
  if (v < kSmall || f_.p - v < kSmall) {
    *out = v;
    return Value::kOk;
  }
  opaque_ = true;
  const uint64_t whole_part = WholeTerms(tree_.Kid(id, 0));
  v = f_.AddMod(v, f_.Negate(whole_part));
  const bool ceil = tree_[id].op == Op::kCeil;
  const uint64_t f = f_.Random(kFloorTag, ceil ? f_.Negate(v) : v);
  *out = f_.AddMod(whole_part, ceil ? f_.Negate(f) : f);
  return Value::kOk;
}

// e^x is a power, with a power's laws.
Value FieldEval::Function(NodeId id, uint64_t* out) {
  if (static_cast<FuncId>(tree_[id].aux) != FuncId::kExp) return Walk::Function(id, out);
  const uint64_t e = f_.Random(kConstTag, static_cast<uint64_t>(ConstId::kE));
  return Raise(e, tree_.Kid(id, 0), out);
}

uint64_t FieldEval::ValueOf(FuncId f, uint64_t x) const {
  return f_.Random(kFuncTag + static_cast<uint64_t>(f), x);
}

uint64_t FieldEval::Odd(FuncId f, uint64_t x) const {
  if (x == 0) return 0;
  return IsNegatedHalf(x) ? f_.Negate(ValueOf(f, f_.Negate(x))) : ValueOf(f, x);
}

uint64_t FieldEval::Even(FuncId f, uint64_t x) const {
  return x == 0 ? 1 : ValueOf(f, std::min(x, f_.p - x));
}

Value FieldEval::Apply(FuncId f, uint64_t x, uint64_t* out) {
  opaque_ = true;
  switch (f) {
    case FuncId::kSin:
    case FuncId::kSinh:
    case FuncId::kAsin:
    case FuncId::kAtan:
    case FuncId::kAsinh:
    case FuncId::kAtanh:
    case FuncId::kErf:
    case FuncId::kSign:
      *out = Odd(f, x);
      return Value::kOk;
    case FuncId::kCos:
    case FuncId::kCosh:
      *out = Even(f, x);
      return Value::kOk;
    case FuncId::kTan:
      return Divide(Odd(FuncId::kSin, x), Even(FuncId::kCos, x), out);
    case FuncId::kCot:
      return Divide(Even(FuncId::kCos, x), Odd(FuncId::kSin, x), out);
    case FuncId::kSec:
      return Divide(1, Even(FuncId::kCos, x), out);
    case FuncId::kCsc:
      return Divide(1, Odd(FuncId::kSin, x), out);
    case FuncId::kTanh:
      return Divide(Odd(FuncId::kSinh, x), Even(FuncId::kCosh, x), out);
    case FuncId::kCoth:
      return Divide(Even(FuncId::kCosh, x), Odd(FuncId::kSinh, x), out);
    case FuncId::kSech:
      return Divide(1, Even(FuncId::kCosh, x), out);
    case FuncId::kCsch:
      return Divide(1, Odd(FuncId::kSinh, x), out);
    case FuncId::kLn:
      if (x == 0) return Value::kUndefined;
      if (x == f_.Random(kConstTag, static_cast<uint64_t>(ConstId::kE))) {
        *out = 1;
        return Value::kOk;
      }
      *out = x == 1 ? 0 : ValueOf(f, x);
      return Value::kOk;
    default:
      *out = ValueOf(f, x);
      return Value::kOk;
  }
}

// Binomials with a small whole lower index are polynomials of the upper one.
Value FieldEval::Choose(uint64_t n, uint64_t k, NodeId /*lower*/, uint64_t* out) {
  uint64_t small = k;
  const uint64_t difference = f_.AddMod(n, f_.Negate(k));
  if (small > kMaxSmallBinomial && difference <= kMaxSmallBinomial) small = difference;
  if (small <= kMaxSmallBinomial) {
    uint64_t product = 1;
    uint64_t factorial = 1;
    for (uint64_t j = 0; j < small; ++j) {
      product = f_.Mul(product, f_.AddMod(n, f_.Negate(j)));
      factorial = f_.Mul(factorial, j + 1);
    }
    return Divide(product, factorial, out);
  }
  opaque_ = true;
  *out = f_.Random(kBinomTag, n, f_.Mul(k, difference));
  return Value::kOk;
}

// Term by term over constant bounds, else opaque in bounds and body.
Value FieldEval::Series(NodeId id, uint64_t* out) {
  Rational from;
  Rational to;
  ExactEval exact(tree_, &budget_);
  const bool constant = binders_ == 0 && exact.Eval(tree_.Kid(id, 1), &from) == Value::kOk &&
                        exact.Eval(tree_.Kid(id, 2), &to) == Value::kOk && from.IsInteger() &&
                        to.IsInteger();
  if (!constant) return Binder(id, out);
  Integer low;
  Integer count;
  fmpz_set(low.get(), from.num());
  fmpz_sub(count.get(), to.num(), from.num());
  if (fmpz_cmp_si(count.get(), kMaxTerms) > 0) return Binder(id, out);
  ++binders_;
  const Value ok = Terms(id, low, count, out);
  --binders_;
  return ok;
}

// A bound or target, which may be infinite.
Value FieldEval::BoundOf(NodeId id, uint64_t* out) {
  const bool negative = tree_[id].op == Op::kNeg;
  const Node& n = tree_[negative ? tree_.Kid(id, 0) : id];
  if (n.op != Op::kConst || n.aux != static_cast<uint8_t>(ConstId::kInf)) return Eval(id, out);
  *out = f_.Random(kConstTag, negative ? 98 : 99);
  return Value::kOk;
}

// What binds a variable: the variable is named by its depth, so that its own name does not matter.
Value FieldEval::Binder(NodeId id, uint64_t* out) {
  const Node& n = tree_[id];
  const bool integral = n.op == Op::kInt;
  const NodeId variable = tree_.Kid(id, integral ? 1 : 0);
  const NodeId body = tree_.Kid(id, integral ? 0 : n.n - 1);
  const bool free = integral && n.aux == 0;  // an indefinite integral depends on its variable
  uint64_t h = f_.Random(kIntTag + static_cast<uint64_t>(n.op) * 16 + n.aux);
  for (uint32_t k = 0; k < n.n; ++k) {
    if (tree_.Kid(id, k) == body || tree_.Kid(id, k) == variable) continue;
    uint64_t v = 0;
    const Value ok = BoundOf(tree_.Kid(id, k), &v);
    if (ok != Value::kOk) return ok;
    h = f_.Random(kBoundTag, h, v, k);
  }
  uint64_t v = 0;
  if (tree_[variable].op != Op::kSym) return Value::kNo;
  if (free) {
    const Value ok = Eval(variable, &v);
    if (ok != Value::kOk) return ok;
    h = f_.Random(kBoundTag, h, v, 77);
  } else {
    Bind(tree_.Name(variable), f_.Random(kBoundTag, static_cast<uint64_t>(binders_)));
  }
  ++binders_;
  const Value ok = Eval(body, &v);
  --binders_;
  if (!free) bound_.pop_back();
  if (ok != Value::kOk) return ok;
  opaque_ = true;
  // A constant factor may stand inside or outside, so what is opaque is linear in the body only by coincidence of form.
  *out = f_.Random(kBoundTag, h, v, 78);
  return Value::kOk;
}

// max(max(a, b), c) is max(a, b, c).
Value FieldEval::Operands(NodeId id, Op op, std::vector<uint64_t>* out) {
  for (uint32_t k = 0; k < tree_[id].n; ++k) {
    const NodeId kid = tree_.Kid(id, k);
    uint64_t v = 0;
    const Value ok = tree_[kid].op == op ? Operands(kid, op, out) : Eval(kid, &v);
    if (ok != Value::kOk) return ok;
    if (tree_[kid].op != op) out->push_back(v);
  }
  return budget_.Spend(1) ? Value::kOk : Value::kLimit;
}

// (a + b + |a - b|) / 2 is the larger one.
Value FieldEval::Extreme(uint64_t a, uint64_t b, bool larger, uint64_t* out) {
  opaque_ = true;
  const uint64_t difference = f_.AddMod(a, f_.Negate(b));
  const uint64_t distance = f_.Random(kAbsTag, std::min(difference, f_.p - difference));
  const uint64_t twice = f_.AddMod(f_.AddMod(a, b), larger ? distance : f_.Negate(distance));
  *out = f_.Mul(twice, (f_.p + 1) / 2);
  return Value::kOk;
}

Value FieldEval::Several(NodeId id, uint64_t* out) {
  const Node& n = tree_[id];
  Rational exact;
  ExactEval whole(tree_, &budget_);
  if (binders_ == 0 && whole.Eval(id, &exact) == Value::kOk) {
    return Divide(fmpz_fdiv_ui(exact.num(), f_.p), fmpz_fdiv_ui(exact.den(), f_.p), out);
  }
  std::vector<uint64_t> values;
  const Value ok = Operands(id, n.op, &values);
  if (ok != Value::kOk) return ok;
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (values.size() == 1) {
    *out = values[0];
    return Value::kOk;
  }
  if (values.size() == 2 && (n.op == Op::kMax || n.op == Op::kMin))
    return Extreme(values[0], values[1], n.op == Op::kMax, out);
  uint64_t h = values.size();
  for (const uint64_t v : values) h = f_.Random(kGcdTag + static_cast<uint64_t>(n.op) * 16, h, v);
  opaque_ = true;
  *out = h;
  return Value::kOk;
}

}  // namespace assay::math
