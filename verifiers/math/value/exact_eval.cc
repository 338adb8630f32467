#include <algorithm>
#include <string>

#include "verifiers/math/value/eval.h"

namespace assay::math {
namespace {

constexpr slong kMaxBits = slong{1} << 18;
constexpr ulong kMaxFactorial = 20000;
constexpr slong kMaxTerms = 10000;

}  // namespace

Value ExactEval::Eval(NodeId id, Rational* out) {
  if (!budget_.Spend(1)) return Value::kLimit;
  const Node& n = tree_[id];
  switch (n.op) {
    case Op::kNum:
      fmpz_set_si(out->num(), n.num);
      fmpz_set_si(out->den(), n.den);
      return Value::kOk;
    case Op::kBig:
      return Big(id, out);
    case Op::kSym:
      for (size_t k = bound_.size(); k-- > 0;) {
        if (bound_[k].first == tree_.Name(id)) {
          *out = bound_[k].second;
          return Value::kOk;
        }
      }
      return Value::kNo;
    case Op::kAdd:
      return Sum(id, out);
    case Op::kMul:
      return Product(id, out);
    case Op::kNeg: {
      const Value v = Eval(tree_.Kid(id, 0), out);
      if (v == Value::kOk) fmpq_neg(out->get(), out->get());
      return v;
    }
    case Op::kDiv:
    case Op::kRatio: {
      if (n.n != 2) return Value::kNo;
      Rational a;
      Rational b;
      Value v = Eval(tree_.Kid(id, 0), &a);
      if (v != Value::kOk) return v;
      v = Eval(tree_.Kid(id, 1), &b);
      return v != Value::kOk ? v : Divide(a, b, out);
    }
    case Op::kPow:
    case Op::kRoot: {
      Rational a;
      Rational b;
      Value v = Eval(tree_.Kid(id, 0), &a);
      if (v != Value::kOk) return v;
      v = Eval(tree_.Kid(id, 1), &b);
      if (v != Value::kOk) return v;
      if (n.op == Op::kRoot) {
        if (b.IsZero()) return Value::kUndefined;
        fmpq_inv(b.get(), b.get());
      }
      return Power(a, b, out);
    }
    case Op::kAbs:
    case Op::kNorm: {
      const Value v = Eval(tree_.Kid(id, 0), out);
      if (v == Value::kOk) fmpq_abs(out->get(), out->get());
      return v;
    }
    case Op::kFloor:
      return Floor(id, false, out);
    case Op::kCeil:
      return Floor(id, true, out);
    case Op::kFact:
      return Factorial(id, out);
    case Op::kBinom:
      return Binomial(id, out);
    case Op::kFunc:
      return Function(id, out);
    case Op::kLog:
      return Logarithm(id, out);
    case Op::kMod:
      return Modulo(id, out);
    case Op::kGcd:
    case Op::kLcm:
    case Op::kMax:
    case Op::kMin:
      return Several(id, out);
    case Op::kSum:
    case Op::kProd:
      return Series(id, out);
    case Op::kPercent: {
      const Value v = Eval(tree_.Kid(id, 0), out);
      if (v == Value::kOk) fmpq_div_fmpz(out->get(), out->get(), Integer(100).get());
      return v;
    }
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

Value ExactEval::Big(NodeId id, Rational* out) {
  const Node& n = tree_[id];
  const std::string& digits = tree_.bigs[static_cast<size_t>(n.num)];
  constexpr int64_t kMaxScale = 60000;
  if (digits.size() > 70000 || n.den > kMaxScale || n.den < -kMaxScale) return Value::kLimit;
  if (!budget_.Spend(static_cast<int64_t>(digits.size() / 8) + std::abs(n.den) / 8))
    return Value::kLimit;
  fmpz_set_str(out->num(), digits.c_str(), 10);
  fmpz_one(out->den());
  Integer scale;
  fmpz_ui_pow_ui(scale.get(), 10, static_cast<ulong>(std::abs(n.den)));
  if (n.den >= 0) {
    fmpz_mul(out->num(), out->num(), scale.get());
  } else {
    fmpz_set(out->den(), scale.get());
    fmpq_canonicalise(out->get());
  }
  return Value::kOk;
}

Value ExactEval::Sum(NodeId id, Rational* out) {
  Rational total;
  Rational term;
  for (uint32_t k = 0; k < tree_[id].n; ++k) {
    const Value v = Eval(tree_.Kid(id, k), &term);
    if (v != Value::kOk) return v;
    fmpq_add(total.get(), total.get(), term.get());
    if (total.Bits() > kMaxBits || !Spend(total)) return Value::kLimit;
  }
  *out = total;
  return Value::kOk;
}

Value ExactEval::Product(NodeId id, Rational* out) {
  Rational total;
  Rational factor;
  total.Set(1);
  for (uint32_t k = 0; k < tree_[id].n; ++k) {
    const Value v = Eval(tree_.Kid(id, k), &factor);
    if (v != Value::kOk) return v;
    fmpq_mul(total.get(), total.get(), factor.get());
    if (total.Bits() > kMaxBits || !Spend(total)) return Value::kLimit;
  }
  *out = total;
  return Value::kOk;
}

Value ExactEval::Divide(const Rational& a, const Rational& b, Rational* out) {
  if (b.IsZero()) return Value::kUndefined;
  fmpq_div(out->get(), a.get(), b.get());
  return Spend(*out) ? Value::kOk : Value::kLimit;
}

Value ExactEval::RootOf(const Rational& base, const fmpz* index, Rational* out) {
  if (fmpz_cmp_si(index, 100000) > 0) return Value::kNo;
  const slong n = fmpz_get_si(index);
  const bool negative = base.Sign() < 0;
  if (negative && n % 2 == 0) return Value::kNo;
  Rational magnitude;
  fmpq_abs(magnitude.get(), base.get());
  Integer top;
  Integer bottom;
  if (fmpz_root(top.get(), magnitude.num(), n) == 0 ||
      fmpz_root(bottom.get(), magnitude.den(), n) == 0)
    return Value::kNo;
  fmpz_set(out->num(), top.get());
  fmpz_set(out->den(), bottom.get());
  if (negative) fmpq_neg(out->get(), out->get());
  return Value::kOk;
}

Value ExactEval::Power(const Rational& base, const Rational& exponent, Rational* out) {
  if (base.IsZero()) {
    // 0^0 is 1, as everywhere in combinatorics and in polynomials.
    if (exponent.Sign() < 0) return Value::kUndefined;
    out->Set(exponent.IsZero() ? 1 : 0);
    return Value::kOk;
  }
  Rational b = base;
  if (!exponent.IsInteger()) {
    const Value v = RootOf(base, exponent.den(), &b);
    if (v != Value::kOk) return v;
  }
  Rational magnitude;
  fmpq_abs(magnitude.get(), b.get());
  if (fmpq_is_one(magnitude.get()) != 0) {
    out->Set(b.Sign() < 0 && fmpz_is_odd(exponent.num()) ? -1 : 1);
    return Value::kOk;
  }
  if (fmpz_cmpabs(exponent.num(), Integer(kMaxBits).get()) > 0) return Value::kLimit;
  const slong e = fmpz_get_si(exponent.num());
  if ((b.Bits() - 1) * std::abs(e) > kMaxBits) return Value::kLimit;
  fmpq_pow_si(out->get(), b.get(), e);
  return Spend(*out) ? Value::kOk : Value::kLimit;
}

Value ExactEval::Factorial(NodeId id, Rational* out) {
  Rational x;
  const Value v = Eval(tree_.Kid(id, 0), &x);
  if (v != Value::kOk) return v;
  if (!x.IsInteger()) return Value::kNo;
  if (x.Sign() < 0) return Value::kUndefined;
  if (fmpz_cmp_ui(x.num(), kMaxFactorial) > 0) return Value::kLimit;
  const ulong m = fmpz_get_ui(x.num());
  if (!budget_.Spend(static_cast<int64_t>(m) / 4)) return Value::kLimit;
  fmpz_one(out->den());
  if (tree_[id].aux == 2) {
    if (m > 4000) return Value::kLimit;
    fmpz_one(out->num());
    for (ulong k = m; k > 1; k -= 2) fmpz_mul_ui(out->num(), out->num(), k);
    return Spend(*out) ? Value::kOk : Value::kLimit;
  }
  fmpz_fac_ui(out->num(), m);
  return Spend(*out) ? Value::kOk : Value::kLimit;
}

Value ExactEval::Binomial(NodeId id, Rational* out) {
  Rational n;
  Rational k;
  Value v = Eval(tree_.Kid(id, 0), &n);
  if (v != Value::kOk) return v;
  v = Eval(tree_.Kid(id, 1), &k);
  if (v != Value::kOk) return v;
  if (!n.IsInteger() || !k.IsInteger()) return Value::kNo;
  if (k.Sign() < 0) {
    out->Set(0);
    return Value::kOk;
  }
  if (n.Sign() < 0) return Value::kNo;
  if (fmpz_cmp_ui(n.num(), 1000000) > 0) return Value::kLimit;
  ulong m = fmpz_get_ui(n.num());
  if (fmpz_cmp(k.num(), n.num()) > 0) {
    out->Set(0);
    return Value::kOk;
  }
  ulong j = fmpz_get_ui(k.num());
  j = std::min(j, m - j);
  if (static_cast<slong>(j) * FLINT_BIT_COUNT(m) > kMaxBits ||
      !budget_.Spend(static_cast<int64_t>(j)))
    return Value::kLimit;
  fmpz_bin_uiui(out->num(), m, j);
  fmpz_one(out->den());
  return Spend(*out) ? Value::kOk : Value::kLimit;
}

Value ExactEval::Floor(NodeId id, bool ceil, Rational* out) {
  Rational x;
  const Value v = Eval(tree_.Kid(id, 0), &x);
  if (v == Value::kOk) {
    if (ceil) {
      fmpz_cdiv_q(out->num(), x.num(), x.den());
    } else {
      fmpz_fdiv_q(out->num(), x.num(), x.den());
    }
    fmpz_one(out->den());
    return Value::kOk;
  }
  if (v != Value::kNo || !bound_.empty()) return v;
  // The floor of an irrational constant: from a ball that holds no integer.
  for (const slong prec : {64, 256, 1024}) {
    BallEval balls(tree_, &budget_, prec);
    Complex z;
    const Value b = balls.Eval(tree_.Kid(id, 0), &z);
    if (b != Value::kOk) return b;
    if (!z.IsReal()) return Value::kNo;
    Real f;
    if (ceil) {
      arb_ceil(f.get(), z.re(), prec);
    } else {
      arb_floor(f.get(), z.re(), prec);
    }
    if (arb_is_exact(f.get()) && arb_get_unique_fmpz(out->num(), f.get())) {
      fmpz_one(out->den());
      return Value::kOk;
    }
  }
  return Value::kNo;
}

Value ExactEval::Modulo(NodeId id, Rational* out) {
  Rational a;
  Rational b;
  Value v = Eval(tree_.Kid(id, 0), &a);
  if (v != Value::kOk) return v;
  v = Eval(tree_.Kid(id, 1), &b);
  if (v != Value::kOk) return v;
  Rational q;
  v = Divide(a, b, &q);
  if (v != Value::kOk) return v;
  Integer floor;
  fmpz_fdiv_q(floor.get(), q.num(), q.den());
  fmpq_mul_fmpz(b.get(), b.get(), floor.get());
  fmpq_sub(out->get(), a.get(), b.get());
  return Value::kOk;
}

Value ExactEval::Kids(NodeId id, std::vector<Rational>* out) {
  out->resize(tree_[id].n);
  for (uint32_t k = 0; k < tree_[id].n; ++k) {
    const Value v = Eval(tree_.Kid(id, k), &(*out)[k]);
    if (v != Value::kOk) return v;
  }
  return Value::kOk;
}

Value ExactEval::Several(NodeId id, Rational* out) {
  std::vector<Rational> xs;
  const Value v = Kids(id, &xs);
  if (v != Value::kOk) return v;
  const Op op = tree_[id].op;
  Rational r = xs[0];
  if (op == Op::kGcd || op == Op::kLcm) fmpq_abs(r.get(), r.get());
  for (size_t k = 1; k < xs.size(); ++k) {
    if (op == Op::kMax || op == Op::kMin) {
      const int c = fmpq_cmp(xs[k].get(), r.get());
      if (op == Op::kMax ? c > 0 : c < 0) r = xs[k];
      continue;
    }
    Rational g;
    fmpq_gcd(g.get(), r.get(), xs[k].get());
    if (op == Op::kGcd) {
      r = g;
    } else if (g.IsZero()) {
      r.Set(0);
    } else {
      fmpq_mul(r.get(), r.get(), xs[k].get());
      fmpq_div(r.get(), r.get(), g.get());
      fmpq_abs(r.get(), r.get());
    }
    if (!Spend(r) || r.Bits() > kMaxBits) return Value::kLimit;
  }
  *out = r;
  return Value::kOk;
}

// Sums and products over constant bounds, term by term.
Value ExactEval::Series(NodeId id, Rational* out) {
  Rational from;
  Rational to;
  Value v = Eval(tree_.Kid(id, 1), &from);
  if (v != Value::kOk) return v;
  v = Eval(tree_.Kid(id, 2), &to);
  if (v != Value::kOk) return v;
  if (!from.IsInteger() || !to.IsInteger()) return Value::kNo;
  Integer count;
  fmpz_sub(count.get(), to.num(), from.num());
  if (fmpz_cmp_si(count.get(), kMaxTerms) > 0) return Value::kLimit;
  const bool sum = tree_[id].op == Op::kSum;
  Rational total;
  total.Set(sum ? 0 : 1);
  bound_.emplace_back(tree_.Name(tree_.Kid(id, 0)), from);
  const size_t at = bound_.size() - 1;
  v = Value::kOk;
  if (fmpz_sgn(count.get()) < 0) fmpz_set_si(count.get(), -1);  // no terms
  for (slong k = fmpz_get_si(count.get()); k >= 0 && v == Value::kOk; --k) {
    Rational term;
    v = Eval(tree_.Kid(id, 3), &term);
    if (v != Value::kOk) break;
    if (sum) {
      fmpq_add(total.get(), total.get(), term.get());
    } else {
      fmpq_mul(total.get(), total.get(), term.get());
    }
    if (total.Bits() > kMaxBits || !Spend(total)) v = Value::kLimit;
    fmpq_add_si(bound_[at].second.get(), bound_[at].second.get(), 1);
  }
  bound_.pop_back();
  if (v == Value::kOk) *out = total;
  return v;
}

Value ExactEval::Function(NodeId id, Rational* out) {
  Rational x;
  const Value v = Eval(tree_.Kid(id, 0), &x);
  if (v != Value::kOk) return v;
  switch (static_cast<FuncId>(tree_[id].aux)) {
    case FuncId::kSin:
    case FuncId::kTan:
    case FuncId::kAsin:
    case FuncId::kAtan:
    case FuncId::kSinh:
    case FuncId::kTanh:
    case FuncId::kAsinh:
    case FuncId::kAtanh:
    case FuncId::kErf:
      if (!x.IsZero()) return Value::kNo;
      out->Set(0);
      return Value::kOk;
    case FuncId::kCos:
    case FuncId::kCosh:
    case FuncId::kExp:
    case FuncId::kSec:
    case FuncId::kSech:
      if (!x.IsZero()) return Value::kNo;
      out->Set(1);
      return Value::kOk;
    case FuncId::kCot:
    case FuncId::kCsc:
    case FuncId::kCoth:
    case FuncId::kCsch:
      return x.IsZero() ? Value::kUndefined : Value::kNo;
    case FuncId::kLn:
      if (x.IsZero()) return Value::kUndefined;
      if (fmpq_is_one(x.get()) == 0) return Value::kNo;
      out->Set(0);
      return Value::kOk;
    case FuncId::kSign:
      out->Set(x.Sign());
      return Value::kOk;
    case FuncId::kRe:
    case FuncId::kConj:
      *out = x;
      return Value::kOk;
    case FuncId::kIm:
      out->Set(0);
      return Value::kOk;
    default:
      return Value::kNo;
  }
}

// log_b(a) where a is a power of b with a whole exponent.
Value ExactEval::Logarithm(NodeId id, Rational* out) {
  Rational a;
  Rational b;
  Value v = Eval(tree_.Kid(id, 0), &a);
  if (v != Value::kOk) return v;
  v = Eval(tree_.Kid(id, 1), &b);
  if (v != Value::kOk) return v;
  if (b.Sign() <= 0 || fmpq_is_one(b.get()) || a.IsZero()) return Value::kUndefined;
  if (a.Sign() < 0) return Value::kNo;
  if (fmpq_is_one(a.get())) {
    out->Set(0);
    return Value::kOk;
  }
  const slong bits = a.Bits();
  if (bits > 4096) return Value::kNo;
  Rational up = b;
  Rational down;
  fmpq_inv(down.get(), b.get());
  const Rational step_up = up;
  const Rational step_down = down;
  for (slong k = 1; up.Bits() <= bits + 1 && k <= bits + 1; ++k) {
    if (!Spend(up)) return Value::kLimit;
    if (fmpq_equal(up.get(), a.get())) {
      out->Set(k);
      return Value::kOk;
    }
    if (fmpq_equal(down.get(), a.get())) {
      out->Set(-k);
      return Value::kOk;
    }
    fmpq_mul(up.get(), up.get(), step_up.get());
    fmpq_mul(down.get(), down.get(), step_down.get());
  }
  return Value::kNo;
}

}  // namespace assay::math
