#include <algorithm>
#include <string>

#include "core/hash.h"
#include "verifiers/math/value/eval.h"

namespace assay::math {
namespace {

constexpr slong kMaxTerms = 2000;
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

uint64_t MixHash(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

Field::Field(uint64_t seed_value, int index) {
  seed = MixHash(seed_value ^ (0x5851f42d4c957f2dull * static_cast<uint64_t>(index + 1)));
  // The first prime = 1 (mod 4) from a random place in [2^61, 2^61 + 2^60).
  uint64_t n = (uint64_t{1} << 61) + (MixHash(seed) >> 4);
  n = (n & ~uint64_t{3}) | 1;
  while (n_is_probabprime(n) == 0) n += 4;
  p = n;
  p_inverse = n_preinvert_limb(p);
  for (uint64_t g = 2;; ++g) {
    const uint64_t r = n_powmod2_ui_preinv(g, (p - 1) / 4, p, p_inverse);
    if (n_mulmod2_preinv(r, r, p, p_inverse) == p - 1) {
      root_of_minus_one = r;
      break;
    }
  }
}

uint64_t Field::Random(uint64_t tag, uint64_t a, uint64_t b, uint64_t c) const {
  uint64_t h = MixHash(seed ^ MixHash(tag));
  h = MixHash(h ^ MixHash(a + 1));
  h = MixHash(h ^ MixHash(b + 2));
  h = MixHash(h ^ MixHash(c + 3));
  return h % (p - 2) + 1;
}

Value FieldEval::Inverse(uint64_t a, uint64_t* out) {
  if (a == 0) return Value::kUndefined;
  budget_.Spend(8);
  *out = n_invmod(a, f_.p);
  return Value::kOk;
}

Value FieldEval::Number(const Node& n, uint64_t* out) {
  const uint64_t magnitude =
      n.num < 0 ? -static_cast<uint64_t>(n.num) : static_cast<uint64_t>(n.num);
  uint64_t v = n_mod2_preinv(magnitude, f_.p, f_.p_inverse);
  if (n.num < 0) v = f_.Negate(v);
  if (n.den != 1) {
    uint64_t inverse = 0;
    const Value ok =
        Inverse(n_mod2_preinv(static_cast<uint64_t>(n.den), f_.p, f_.p_inverse), &inverse);
    if (ok != Value::kOk) return ok;
    v = f_.Mul(v, inverse);
  }
  *out = v;
  return Value::kOk;
}

Value FieldEval::BigNumber(NodeId id, uint64_t* out) {
  const Node& n = tree_[id];
  const std::string& digits = tree_.bigs[static_cast<size_t>(n.num)];
  if (!budget_.Spend(static_cast<int64_t>(digits.size() / 4))) return Value::kLimit;
  uint64_t v = 0;
  for (const char c : digits) v = f_.AddMod(f_.Mul(v, 10), static_cast<uint64_t>(c - '0'));
  const uint64_t e = static_cast<uint64_t>(n.den < 0 ? -n.den : n.den);
  uint64_t scale = n_powmod2_ui_preinv(10, e, f_.p, f_.p_inverse);
  if (n.den < 0) {
    const Value ok = Inverse(scale, &scale);
    if (ok != Value::kOk) return ok;
  }
  *out = f_.Mul(v, scale);
  return Value::kOk;
}

Value FieldEval::Eval(NodeId id, uint64_t* out) {
  if (!budget_.Spend(1)) return Value::kLimit;
  const Node& n = tree_[id];
  switch (n.op) {
    case Op::kNum:
      return Number(n, out);
    case Op::kBig:
      return BigNumber(id, out);
    case Op::kSym: {
      const std::string& name = tree_.Name(id);
      for (size_t k = bound_.size(); k-- > 0;) {
        if (bound_[k].first == name) {
          *out = bound_[k].second;
          return Value::kOk;
        }
      }
      *out = f_.Random(kNameTag, HashBytes64(name));
      return Value::kOk;
    }
    case Op::kConst:
      if (n.aux == static_cast<uint8_t>(ConstId::kInf)) return Value::kUndefined;
      if (n.aux == static_cast<uint8_t>(ConstId::kI)) {
        *out = f_.root_of_minus_one;
        return Value::kOk;
      }
      opaque_ = true;
      *out = f_.Random(kConstTag, n.aux);
      return Value::kOk;
    case Op::kAdd: {
      uint64_t sum = 0;
      for (uint32_t k = 0; k < n.n; ++k) {
        uint64_t v = 0;
        const Value ok = Eval(tree_.Kid(id, k), &v);
        if (ok != Value::kOk) return ok;
        sum = f_.AddMod(sum, v);
      }
      *out = sum;
      return Value::kOk;
    }
    case Op::kMul: {
      uint64_t product = 1;
      for (uint32_t k = 0; k < n.n; ++k) {
        uint64_t v = 0;
        const Value ok = Eval(tree_.Kid(id, k), &v);
        if (ok != Value::kOk) return ok;
        product = f_.Mul(product, v);
      }
      *out = product;
      return Value::kOk;
    }
    case Op::kNeg: {
      const Value ok = Eval(tree_.Kid(id, 0), out);
      if (ok == Value::kOk) *out = f_.Negate(*out);
      return ok;
    }
    case Op::kDiv:
    case Op::kRatio: {
      if (n.n != 2) return Value::kNo;
      uint64_t a = 0;
      uint64_t b = 0;
      Value ok = Eval(tree_.Kid(id, 0), &a);
      if (ok != Value::kOk) return ok;
      ok = Eval(tree_.Kid(id, 1), &b);
      if (ok != Value::kOk) return ok;
      ok = Inverse(b, &b);
      if (ok == Value::kOk) *out = f_.Mul(a, b);
      return ok;
    }
    case Op::kPow:
      return Power(tree_.Kid(id, 0), tree_.Kid(id, 1), out);
    case Op::kRoot: {
      // The n-th root is the power 1/n.
      uint64_t base = 0;
      Value ok = Eval(tree_.Kid(id, 0), &base);
      if (ok != Value::kOk) return ok;
      uint64_t index = 0;
      ok = Eval(tree_.Kid(id, 1), &index);
      if (ok != Value::kOk) return ok;
      ok = Inverse(index, &index);
      if (ok != Value::kOk) return ok;
      opaque_ = true;
      *out = base <= 1 ? base : f_.Random(kPowTag, base, index);
      return Value::kOk;
    }
    case Op::kAbs:
      return Absolute(id, out);
    case Op::kFloor:
    case Op::kCeil:
      return Rounded(id, out);
    case Op::kFunc:
      return Function(id, out);
    case Op::kBinom:
      return Binomial(id, out);
    case Op::kSum:
    case Op::kProd:
      return Series(id, out);
    case Op::kInt:
    case Op::kLim:
      return Binder(id, out);
    case Op::kMax:
    case Op::kMin:
    case Op::kGcd:
    case Op::kLcm:
      return Commutative(id, out);
    case Op::kPercent: {
      Value ok = Eval(tree_.Kid(id, 0), out);
      uint64_t hundredth = 0;
      if (ok == Value::kOk) ok = Inverse(100, &hundredth);
      if (ok == Value::kOk) *out = f_.Mul(*out, hundredth);
      return ok;
    }
    case Op::kDegree: {
      uint64_t x = 0;
      Value ok = Eval(tree_.Kid(id, 0), &x);
      uint64_t per = 0;
      if (ok == Value::kOk) ok = Inverse(n.aux == 0 ? 180 : n.aux == 1 ? 10800 : 648000, &per);
      if (ok != Value::kOk) return ok;
      opaque_ = true;
      *out = f_.Mul(f_.Mul(x, per), f_.Random(kConstTag, static_cast<uint64_t>(ConstId::kPi)));
      return Value::kOk;
    }
    case Op::kLog: {
      uint64_t a = 0;
      uint64_t b = 0;
      Value ok = Eval(tree_.Kid(id, 0), &a);
      if (ok == Value::kOk) ok = Eval(tree_.Kid(id, 1), &b);
      if (ok != Value::kOk) return ok;
      if (a == 0 || b == 0 || b == 1) return Value::kUndefined;
      opaque_ = true;
      const uint64_t tag = kFuncTag + static_cast<uint64_t>(FuncId::kLn);
      uint64_t below = 0;
      ok = Inverse(f_.Random(tag, b), &below);
      if (ok == Value::kOk) *out = a == 1 ? 0 : f_.Mul(f_.Random(tag, a), below);
      return ok;
    }
    case Op::kFact:
      return Opaque(kFactTag + 32 * n.aux, id, out);
    case Op::kMod:
      return Opaque(kModTag, id, out);
    case Op::kNorm:
      return Opaque(kNormTag, id, out);
    case Op::kApply:
      return Opaque(kApplyTag + (HashBytes64(tree_.Name(id)) << 8), id, out);
    case Op::kDeriv:
      return Opaque(kDerivTag + (HashBytes64(tree_.Name(id)) << 8), id, out);
    case Op::kDiff:
      *out = 1;
      return Value::kOk;
    case Op::kQuantity:
      return Eval(tree_.Kid(id, 0), out);
    case Op::kSet:
    case Op::kList:
    case Op::kSeq:
      return n.n == 1 ? Eval(tree_.Kid(id, 0), out) : Value::kNo;
    case Op::kUndef:
      return Value::kUndefined;
    default:
      return Value::kNo;
  }
}

// A value that depends on nothing but what the children's values are.
Value FieldEval::Opaque(uint64_t tag, NodeId id, uint64_t* out) {
  const Node& n = tree_[id];
  uint64_t h = n.n;
  for (uint32_t k = 0; k < n.n; ++k) {
    uint64_t v = 0;
    const Value ok = Eval(tree_.Kid(id, k), &v);
    if (ok != Value::kOk) return ok;
    if (n.op == Op::kFact && v <= kMaxFactorial) {
      const uint64_t step = n.aux;
      uint64_t f = 1;
      for (uint64_t j = v; j > 1; j = j > step ? j - step : 0) f = f_.Mul(f, j);
      *out = f;
      return budget_.Spend(static_cast<int64_t>(v / 4)) ? Value::kOk : Value::kLimit;
    }
    h = f_.Random(tag, h, v, k);
  }
  opaque_ = true;
  *out = h;
  return Value::kOk;
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
  *out = n_powmod2_ui_preinv(base, fmpz_get_ui(reduced.get()), f_.p, f_.p_inverse);
  return Value::kOk;
}

Value FieldEval::Power(NodeId base, NodeId exponent, uint64_t* out) {
  uint64_t b = 0;
  const Value ok = Eval(base, &b);
  return ok == Value::kOk ? PowerOf(b, exponent, out) : ok;
}

// b^(u + v) = b^u b^v, b^(-u) = 1 / b^u, b^(n u) = (b^u)^n for whole n; whole exponents by repeated squaring, all others opaque.
Value FieldEval::PowerOf(uint64_t base, NodeId exponent, uint64_t* out) {
  if (!budget_.Spend(1)) return Value::kLimit;
  const Node& e = tree_[exponent];
  Rational whole;
  if (e.op == Op::kNum && e.den == 1) {
    whole.Set(e.num);
    return PowInteger(base, whole.num(), out);
  }
  if (e.op == Op::kNeg) {
    const Value ok = PowerOf(base, tree_.Kid(exponent, 0), out);
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
      const Value ok = PowerOf(base, tree_.Kid(exponent, k), &v);
      if (ok != Value::kOk) return ok;
      product = f_.Mul(product, v);
    }
    *out = product;
    return Value::kOk;
  }
  if (e.op == Op::kMul && e.n == 2 && tree_[tree_.Kid(exponent, 0)].op == Op::kNum &&
      tree_[tree_.Kid(exponent, 0)].den == 1) {
    uint64_t v = 0;
    const Value ok = PowerOf(base, tree_.Kid(exponent, 1), &v);
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
  *out = base == 1 ? 1 : f_.Random(kPowTag, base, x);
  return Value::kOk;
}

// |u| has one value for u and -u; the absolute value of a product is the product of absolute values.
Value FieldEval::Absolute(NodeId id, uint64_t* out) {
  return AbsoluteProduct(tree_.Kid(id, 0), out);
}

Value FieldEval::AbsoluteProduct(NodeId id, uint64_t* out) {
  if (!budget_.Spend(1)) return Value::kLimit;
  const Node& n = tree_[id];
  switch (n.op) {
    case Op::kNum: {
      Node positive = n;
      positive.num = n.num < 0 ? -n.num : n.num;
      return Number(positive, out);
    }
    case Op::kBig:
      return BigNumber(id, out);
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

// The sum of the whole numbers among the terms: they may leave a floor.
uint64_t FieldEval::WholeTerms(NodeId id) const {
  const Node& n = tree_[id];
  uint64_t sum = 0;
  for (uint32_t k = 0; n.op == Op::kAdd && k < n.n; ++k) {
    const NodeId kid = tree_.Kid(id, k);
    const bool negative = tree_[kid].op == Op::kNeg;
    const Node& term = tree_[negative ? tree_.Kid(kid, 0) : kid];
    if (term.op != Op::kNum || term.den != 1 || term.num < 0) continue;
    const uint64_t v = n_mod2_preinv(static_cast<uint64_t>(term.num), f_.p, f_.p_inverse);
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

Value FieldEval::Function(NodeId id, uint64_t* out) {
  const Node& n = tree_[id];
  auto f = static_cast<FuncId>(n.aux);
  if (f == FuncId::kExp)
    return PowerOf(f_.Random(kConstTag, static_cast<uint64_t>(ConstId::kE)), tree_.Kid(id, 0), out);
  uint64_t x = 0;
  const Value ok = Eval(tree_.Kid(id, 0), &x);
  if (ok != Value::kOk) return ok;
  opaque_ = true;
  const auto value = [this](FuncId g, uint64_t v) {
    return f_.Random(kFuncTag + static_cast<uint64_t>(g), v);
  };
  const auto odd = [this, &value](FuncId g, uint64_t v) -> uint64_t {
    if (v == 0) return 0;
    return IsNegatedHalf(v) ? f_.Negate(value(g, f_.Negate(v))) : value(g, v);
  };
  const auto even = [this, &value](FuncId g, uint64_t v) -> uint64_t {
    if (v == 0) return 1;
    return value(g, std::min(v, f_.p - v));
  };
  const auto quotient = [this, out](uint64_t a, uint64_t b) {
    uint64_t inverse = 0;
    const Value v = Inverse(b, &inverse);
    if (v == Value::kOk) *out = f_.Mul(a, inverse);
    return v;
  };
  switch (f) {
    case FuncId::kSin:
    case FuncId::kSinh:
    case FuncId::kAsin:
    case FuncId::kAtan:
    case FuncId::kAsinh:
    case FuncId::kAtanh:
    case FuncId::kErf:
    case FuncId::kSign:
      *out = odd(f, x);
      return Value::kOk;
    case FuncId::kCos:
    case FuncId::kCosh:
      *out = even(f, x);
      return Value::kOk;
    case FuncId::kTan:
      return quotient(odd(FuncId::kSin, x), even(FuncId::kCos, x));
    case FuncId::kCot:
      return quotient(even(FuncId::kCos, x), odd(FuncId::kSin, x));
    case FuncId::kSec:
      return quotient(1, even(FuncId::kCos, x));
    case FuncId::kCsc:
      return quotient(1, odd(FuncId::kSin, x));
    case FuncId::kTanh:
      return quotient(odd(FuncId::kSinh, x), even(FuncId::kCosh, x));
    case FuncId::kCoth:
      return quotient(even(FuncId::kCosh, x), odd(FuncId::kSinh, x));
    case FuncId::kSech:
      return quotient(1, even(FuncId::kCosh, x));
    case FuncId::kCsch:
      return quotient(1, odd(FuncId::kSinh, x));
    case FuncId::kLn:
      if (x == 0) return Value::kUndefined;
      if (x == f_.Random(kConstTag, static_cast<uint64_t>(ConstId::kE))) {
        *out = 1;
        return Value::kOk;
      }
      *out = x == 1 ? 0 : value(f, x);
      return Value::kOk;
    default:
      *out = value(f, x);
      return Value::kOk;
  }
}

// Binomials with a small whole lower index are polynomials of the upper one.
Value FieldEval::Binomial(NodeId id, uint64_t* out) {
  uint64_t n = 0;
  uint64_t k = 0;
  Value ok = Eval(tree_.Kid(id, 0), &n);
  if (ok == Value::kOk) ok = Eval(tree_.Kid(id, 1), &k);
  if (ok != Value::kOk) return ok;
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
    uint64_t inverse = 0;
    ok = Inverse(factorial, &inverse);
    if (ok == Value::kOk) *out = f_.Mul(product, inverse);
    return ok;
  }
  opaque_ = true;
  *out = f_.Random(kBinomTag, n, f_.Mul(k, difference));
  return Value::kOk;
}

// Sums and products: term by term over constant bounds, else opaque in bounds and body.
Value FieldEval::Series(NodeId id, uint64_t* out) {
  Rational from;
  Rational to;
  ExactEval exact(tree_, &budget_);
  const bool constant = binders_ == 0 && exact.Eval(tree_.Kid(id, 1), &from) == Value::kOk &&
                        exact.Eval(tree_.Kid(id, 2), &to) == Value::kOk && from.IsInteger() &&
                        to.IsInteger();
  if (!constant) return Binder(id, out);
  Integer count;
  fmpz_sub(count.get(), to.num(), from.num());
  if (fmpz_cmp_si(count.get(), kMaxTerms) > 0) return Binder(id, out);
  const bool sum = tree_[id].op == Op::kSum;
  uint64_t total = sum ? 0 : 1;
  uint64_t at = fmpz_fdiv_ui(from.num(), f_.p);
  bound_.emplace_back(tree_.Name(tree_.Kid(id, 0)), at);
  const size_t slot = bound_.size() - 1;
  ++binders_;
  Value ok = Value::kOk;
  if (fmpz_sgn(count.get()) < 0) fmpz_set_si(count.get(), -1);  // no terms
  for (slong k = fmpz_get_si(count.get()); k >= 0; --k) {
    uint64_t term = 0;
    ok = Eval(tree_.Kid(id, 3), &term);
    if (ok != Value::kOk) break;
    total = sum ? f_.AddMod(total, term) : f_.Mul(total, term);
    at = f_.AddMod(at, 1);
    bound_[slot].second = at;
  }
  --binders_;
  bound_.pop_back();
  *out = total;
  return ok;
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
    if (tree_[tree_.Kid(id, k)].op == Op::kConst &&
        tree_[tree_.Kid(id, k)].aux == static_cast<uint8_t>(ConstId::kInf)) {
      v = f_.Random(kConstTag, 99);
    } else if (tree_[tree_.Kid(id, k)].op == Op::kNeg &&
               tree_[tree_.Kid(tree_.Kid(id, k), 0)].op == Op::kConst &&
               tree_[tree_.Kid(tree_.Kid(id, k), 0)].aux == static_cast<uint8_t>(ConstId::kInf)) {
      v = f_.Random(kConstTag, 98);
    } else {
      const Value ok = Eval(tree_.Kid(id, k), &v);
      if (ok != Value::kOk) return ok;
    }
    h = f_.Random(kBoundTag, h, v, k);
  }
  uint64_t v = 0;
  if (tree_[variable].op != Op::kSym) return Value::kNo;
  if (free) {
    const Value ok = Eval(variable, &v);
    if (ok != Value::kOk) return ok;
    h = f_.Random(kBoundTag, h, v, 77);
  } else {
    bound_.emplace_back(tree_.Name(variable),
                        f_.Random(kBoundTag, static_cast<uint64_t>(binders_)));
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

Value FieldEval::Commutative(NodeId id, uint64_t* out) {
  const Node& n = tree_[id];
  Rational exact;
  ExactEval whole(tree_, &budget_);
  if (binders_ == 0 && whole.Eval(id, &exact) == Value::kOk) {
    uint64_t inverse = 0;
    const Value ok = Inverse(fmpz_fdiv_ui(exact.den(), f_.p), &inverse);
    if (ok == Value::kOk) *out = f_.Mul(fmpz_fdiv_ui(exact.num(), f_.p), inverse);
    return ok;
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
