// The algebra of exact rationals. What a symbol without a value, a constant like pi or an angle is worth is not rational: kNo.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "verifiers/math/value/ball_size.h"
#include "verifiers/math/value/operators.h"

namespace assay::math {
namespace {

constexpr slong kMaxBits = slong{1} << 18;
constexpr ulong kMaxFactorial = 20000;

}  // namespace

template Value Walk<ExactEval, Rational>::Eval(NodeId, Rational*);
template Value Walk<ExactEval, Rational>::Exponent(NodeId, Rational*);

void ExactEval::Set(const Integer& value, Rational* out) {
  fmpz_set(out->num(), value.get());
  fmpz_one(out->den());
}

Value ExactEval::Literal(NodeId id, Rational* out) {
  fmpz_set_si(out->num(), tree_[id].num);
  fmpz_set_si(out->den(), tree_[id].den);
  return Value::kOk;
}

Value ExactEval::BigLiteral(NodeId id, Rational* out) {
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

Value ExactEval::Add(const Rational& x, Rational* total) {
  fmpq_add(total->get(), total->get(), x.get());
  return total->Bits() > kMaxBits || !Spend(*total) ? Value::kLimit : Value::kOk;
}

Value ExactEval::Multiply(const Rational& x, Rational* total) {
  fmpq_mul(total->get(), total->get(), x.get());
  return total->Bits() > kMaxBits || !Spend(*total) ? Value::kLimit : Value::kOk;
}

Value ExactEval::Reciprocal(Rational* x) {
  if (x->IsZero()) return Value::kUndefined;
  fmpq_inv(x->get(), x->get());
  return Value::kOk;
}

Value ExactEval::DivideBy(slong divisor, Rational* x) {
  fmpq_div_fmpz(x->get(), x->get(), Integer(divisor).get());
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

// Rational only if the root is.
Value ExactEval::PowerOf(const Rational& base, NodeId id, Rational* out) {
  Rational exponent;
  Value v = Exponent(id, &exponent);
  if (v != Value::kOk) return v;
  if (base.IsZero()) {
    if (exponent.Sign() < 0) return Value::kUndefined;
    out->Set(exponent.IsZero() ? 1 : 0);
    return Value::kOk;
  }
  Rational b = base;
  if (!exponent.IsInteger()) {
    v = RootOf(base, exponent.den(), &b);
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

bool ExactEval::Whole(const Rational& x, Integer* out) {
  if (!x.IsInteger()) return false;
  fmpz_set(out->get(), x.num());
  return true;
}

Value ExactEval::Round(const Rational& x, bool up, Rational* out) {
  if (up) {
    fmpz_cdiv_q(out->num(), x.num(), x.den());
  } else {
    fmpz_fdiv_q(out->num(), x.num(), x.den());
  }
  fmpz_one(out->den());
  return Value::kOk;
}

// An irrational constant has a whole floor, too.
Value ExactEval::Rounded(NodeId id, Rational* out) {
  const Value v = Walk::Rounded(id, out);
  return v == Value::kNo && bound_.empty() ? RoundedBall(id, out) : v;
}

// From a ball that holds no integer.
Value ExactEval::RoundedBall(NodeId id, Rational* out) {
  for (const slong prec : {64, 256, 1024}) {
    BallEval balls(tree_, &budget_, prec);
    Complex z;
    const Value b = balls.Eval(tree_.Kid(id, 0), &z);
    if (b != Value::kOk) return b;
    if (!z.IsReal()) return Value::kNo;
    Real f;
    if (tree_[id].op == Op::kCeil) {
      arb_ceil(f.get(), z.re(), prec);
    } else {
      arb_floor(f.get(), z.re(), prec);
    }
    Integer whole;
    if (arb_is_exact(f.get()) && WholeNumberIn(f.get(), &whole)) {
      Set(whole, out);
      return Value::kOk;
    }
  }
  return Value::kNo;
}

Value ExactEval::Remainder(const Rational& a, const Rational& b, Rational* out) {
  Rational q;
  const Value v = Divide(a, b, &q);
  if (v != Value::kOk) return v;
  Integer floor;
  fmpz_fdiv_q(floor.get(), q.num(), q.den());
  fmpq_mul_fmpz(q.get(), b.get(), floor.get());
  fmpq_sub(out->get(), a.get(), q.get());
  return Value::kOk;
}

Value ExactEval::FactorialOf(const Rational& x, int marks, Rational* out) {
  if (!x.IsInteger()) return Value::kNo;
  if (x.Sign() < 0) return Value::kUndefined;
  if (fmpz_cmp_ui(x.num(), kMaxFactorial) > 0) return Value::kLimit;
  const ulong m = fmpz_get_ui(x.num());
  if (!budget_.Spend(static_cast<int64_t>(m) / 4)) return Value::kLimit;
  fmpz_one(out->den());
  if (marks == 2) {
    if (m > 4000) return Value::kLimit;
    fmpz_one(out->num());
    for (ulong k = m; k > 1; k -= 2) fmpz_mul_ui(out->num(), out->num(), k);
    return Spend(*out) ? Value::kOk : Value::kLimit;
  }
  fmpz_fac_ui(out->num(), m);
  return Spend(*out) ? Value::kOk : Value::kLimit;
}

Value ExactEval::Choose(const Rational& n, const Rational& k, NodeId /*lower*/, Rational* out) {
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

// One after the other.
Value ExactEval::Fold(Op op, const std::vector<Rational>& xs, Rational* out) {
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

// At the few rational places where the value is rational by the function's definition.
Value ExactEval::Apply(FuncId f, const Rational& x, Rational* out) {
  switch (f) {
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

// Where a is a power of the base with a whole exponent.
Value ExactEval::LogarithmOf(const Rational& a, const Rational& base, Rational* out) {
  if (base.Sign() <= 0 || fmpq_is_one(base.get()) || a.IsZero()) return Value::kUndefined;
  if (a.Sign() < 0) return Value::kNo;
  if (fmpq_is_one(a.get())) {
    out->Set(0);
    return Value::kOk;
  }
  const slong bits = a.Bits();
  if (bits > 4096) return Value::kNo;
  Rational up = base;
  Rational down;
  fmpq_inv(down.get(), base.get());
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
