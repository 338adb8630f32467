#include <algorithm>
#include <cmath>
#include <string>

#include "verifiers/math/value/eval.h"

namespace assay::math {
namespace {

constexpr slong kMaxTerms = 2000;
constexpr double kLog2E = 1.4426950408889634;
constexpr double kHuge =
    1e15;  // no exponential of more than this: its exponent alone would be hard work

// log2 of |x| from above and below, as doubles; infinite where unknown.
double UpperLog2(const Complex& z) {
  Real magnitude;
  acb_abs(magnitude.get(), z.get(), 30);
  arf_t up;
  arf_init(up);
  arb_get_ubound_arf(up, magnitude.get(), 30);
  double out = -INFINITY;
  if (!arf_is_zero(up)) {
    if (arf_is_finite(up)) {
      fmpz_t e;
      fmpz_init(e);
      arf_abs_bound_lt_2exp_fmpz(e, up);
      out =
          COEFF_IS_MPZ(*e) ? (fmpz_sgn(e) > 0 ? 1e30 : -1e30) : static_cast<double>(fmpz_get_si(e));
      fmpz_clear(e);
    } else {
      out = INFINITY;
    }
  }
  arf_clear(up);
  return out;
}

double LowerLog2(const Complex& z) {
  Real magnitude;
  acb_abs(magnitude.get(), z.get(), 30);
  arf_t low;
  arf_init(low);
  arb_get_lbound_arf(low, magnitude.get(), 30);
  double out = -INFINITY;
  if (arf_sgn(low) > 0) {
    fmpz_t e;
    fmpz_init(e);
    arf_abs_bound_lt_2exp_fmpz(e, low);
    out = COEFF_IS_MPZ(*e) ? (fmpz_sgn(e) > 0 ? 1e30 : -1e30) : static_cast<double>(fmpz_get_si(e));
    fmpz_clear(e);
  }
  arf_clear(low);
  return out;
}

}  // namespace

bool BallEval::Spend(int64_t weight) {
  return budget_.Spend(weight * (1 + prec_ / 128 + prec_ * prec_ / 4000000));
}

Value BallEval::Note(const Complex& z, Value v) {
  if (v != Value::kOk) return v;
  if (acb_is_finite(z.get()) == 0) return Value::kUndefined;
  if (acb_is_zero(z.get()) != 0) return v;
  const double up = UpperLog2(z);
  if (acb_contains_zero(z.get()) != 0) {
    // Perhaps zero, so small only as far as this precision sees: no size of its own.
    if (std::isfinite(up)) largest_log2 = std::max(largest_log2, up);
    return v;
  }
  const double low = LowerLog2(z);
  if (std::isfinite(up)) largest_log2 = std::max(largest_log2, std::abs(up));
  if (std::isfinite(low)) largest_log2 = std::max(largest_log2, std::abs(low));
  return v;
}

Value BallEval::Eval(NodeId id, Complex* out) {
  if (!Spend(1)) return Value::kLimit;
  const Node& n = tree_[id];
  switch (n.op) {
    case Op::kNum:
      arb_set_si(out->re(), n.num);
      if (n.den != 1) arb_div_si(out->re(), out->re(), n.den, prec_);
      arb_zero(out->im());
      return Note(*out, Value::kOk);
    case Op::kBig: {
      ExactEval exact(tree_, &budget_);
      Rational q;
      const Value v = exact.Eval(id, &q);
      if (v != Value::kOk) return v;
      arb_set_fmpq(out->re(), q.get(), prec_);
      arb_zero(out->im());
      return Note(*out, v);
    }
    case Op::kSym:
      for (size_t k = samples.size(); k-- > 0;) {
        if (samples[k].name == tree_.Name(id)) {
          *out = samples[k].value;
          return Note(*out, Value::kOk);
        }
      }
      return Value::kNo;
    case Op::kConst:
      acb_zero(out->get());
      switch (static_cast<ConstId>(n.aux)) {
        case ConstId::kPi:
          arb_const_pi(out->re(), prec_);
          return Value::kOk;
        case ConstId::kE:
          arb_const_e(out->re(), prec_);
          return Value::kOk;
        case ConstId::kI:
          arb_one(out->im());
          return Value::kOk;
        case ConstId::kEulerGamma:
          arb_const_euler(out->re(), prec_);
          return Value::kOk;
        default:
          return Value::kNo;
      }
    case Op::kAdd:
      return Note(*out, Sum(id, out));
    case Op::kMul:
      return Note(*out, Product(id, out));
    case Op::kNeg: {
      const Value v = Eval(tree_.Kid(id, 0), out);
      acb_neg(out->get(), out->get());
      return v;
    }
    case Op::kDiv:
    case Op::kRatio: {
      if (n.n != 2) return Value::kNo;
      Complex a;
      Complex b;
      Value v = Eval(tree_.Kid(id, 0), &a);
      if (v != Value::kOk) return v;
      v = Eval(tree_.Kid(id, 1), &b);
      if (v != Value::kOk) return v;
      if (acb_is_zero(b.get())) return Value::kUndefined;
      acb_div(out->get(), a.get(), b.get(), prec_);
      return Note(*out, Value::kOk);
    }
    case Op::kPow:
    case Op::kRoot:
      return Note(*out, Power(id, out));
    case Op::kAbs:
    case Op::kNorm: {
      const Value v = Eval(tree_.Kid(id, 0), out);
      if (v != Value::kOk) return v;
      Real r;
      acb_abs(r.get(), out->get(), prec_);
      acb_set_arb(out->get(), r.get());
      return v;
    }
    case Op::kFloor:
    case Op::kCeil:
    case Op::kMod:
      return Note(*out, Rounded(id, out));
    case Op::kFact: {
      if (n.aux != 1) {
        ExactEval exact(tree_, &budget_);
        Rational q;
        const Value v = exact.Eval(id, &q);
        if (v == Value::kOk) acb_set_fmpq(out->get(), q.get(), prec_);
        return Note(*out, v);
      }
      Complex x;
      const Value v = Eval(tree_.Kid(id, 0), &x);
      return v == Value::kOk ? Note(*out, Factorial(x, out)) : v;
    }
    case Op::kBinom:
      return Note(*out, Binomial(id, out));
    case Op::kFunc:
      return Note(*out, Function(id, out));
    case Op::kLog: {
      Complex a;
      Complex b;
      Value v = Eval(tree_.Kid(id, 0), &a);
      if (v == Value::kOk) v = Eval(tree_.Kid(id, 1), &b);
      if (v == Value::kOk) v = Log(a, &a);
      if (v == Value::kOk) v = Log(b, &b);
      if (v != Value::kOk) return v;
      if (acb_is_zero(b.get())) return Value::kUndefined;
      acb_div(out->get(), a.get(), b.get(), prec_);
      return Note(*out, v);
    }
    case Op::kMax:
    case Op::kMin:
      return Note(*out, Extreme(id, out));
    case Op::kSum:
    case Op::kProd:
      return Note(*out, Series(id, out));
    case Op::kPercent: {
      const Value v = Eval(tree_.Kid(id, 0), out);
      acb_div_si(out->get(), out->get(), 100, prec_);
      return Note(*out, v);
    }
    case Op::kDegree: {
      const Value v = Eval(tree_.Kid(id, 0), out);
      Real pi;
      arb_const_pi(pi.get(), prec_);
      acb_mul_arb(out->get(), out->get(), pi.get(), prec_);
      acb_div_si(out->get(), out->get(), n.aux == 0 ? 180 : n.aux == 1 ? 10800 : 648000, prec_);
      return Note(*out, v);
    }
    case Op::kGcd:
    case Op::kLcm: {
      ExactEval exact(tree_, &budget_);
      Rational q;
      const Value v = exact.Eval(id, &q);
      if (v != Value::kOk) return v;
      acb_set_fmpq(out->get(), q.get(), prec_);
      return Note(*out, v);
    }
    case Op::kDiff:
      acb_one(out->get());
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

Value BallEval::Sum(NodeId id, Complex* out) {
  Complex total;
  Complex term;
  for (uint32_t k = 0; k < tree_[id].n; ++k) {
    const Value v = Eval(tree_.Kid(id, k), &term);
    if (v != Value::kOk) return v;
    acb_add(total.get(), total.get(), term.get(), prec_);
  }
  *out = total;
  return Value::kOk;
}

Value BallEval::Product(NodeId id, Complex* out) {
  Complex total;
  Complex factor;
  acb_one(total.get());
  for (uint32_t k = 0; k < tree_[id].n; ++k) {
    const Value v = Eval(tree_.Kid(id, k), &factor);
    if (v != Value::kOk) return v;
    acb_mul(total.get(), total.get(), factor.get(), prec_);
  }
  *out = total;
  return Value::kOk;
}

Value BallEval::Power(NodeId id, Complex* out) {
  Complex base;
  Value v = Eval(tree_.Kid(id, 0), &base);
  if (v != Value::kOk) return v;
  const NodeId e = tree_.Kid(id, 1);
  const bool root = tree_[id].op == Op::kRoot;
  ExactEval exact(tree_, &budget_);
  Rational q;
  v = exact.Eval(e, &q);
  if (v == Value::kUndefined) return v;
  if (v == Value::kOk) {
    if (root) {
      if (q.IsZero()) return Value::kUndefined;
      fmpq_inv(q.get(), q.get());
    }
    return RationalPower(base, q, out);
  }
  Complex x;
  v = Eval(e, &x);
  if (v != Value::kOk) return v;
  if (root) {
    if (acb_is_zero(x.get())) return Value::kUndefined;
    acb_inv(x.get(), x.get(), prec_);
  }
  return GeneralPower(base, x, out);
}

// Whole powers; roots of positive numbers; odd roots of negative numbers are real; even ones leave the reals.
Value BallEval::RationalPower(const Complex& base, const Rational& e, Complex* out) {
  if (acb_is_zero(base.get())) {
    if (e.Sign() < 0) return Value::kUndefined;
    if (e.IsZero()) {
      acb_one(out->get());
    } else {
      acb_zero(out->get());
    }
    return Value::kOk;
  }
  const double size = std::max(std::abs(UpperLog2(base)), 1.0);
  if (fmpz_bits(e.num()) > 50 || size * std::abs(fmpq_get_d(e.get())) > kHuge) return Value::kLimit;
  if (!Spend(2 + static_cast<int64_t>(fmpz_bits(e.num())))) return Value::kLimit;
  if (e.IsInteger()) {
    acb_pow_fmpz(out->get(), base.get(), e.num(), prec_);
    return Value::kOk;
  }
  if (fmpz_bits(e.den()) > 20) {
    Complex x;
    acb_set_fmpq(x.get(), e.get(), prec_);
    return GeneralPower(base, x, out);
  }
  const ulong index = fmpz_get_ui(e.den());
  if (!Spend(8)) return Value::kLimit;
  Complex r;
  if (base.IsReal() && arb_is_nonnegative(base.re())) {
    arb_root_ui(r.re(), base.re(), index, prec_);
  } else if (base.IsReal() && arb_is_negative(base.re()) && index % 2 == 1) {
    arb_neg(r.re(), base.re());
    arb_root_ui(r.re(), r.re(), index, prec_);
    arb_neg(r.re(), r.re());
  } else {
    if (base.IsReal()) left_reals = true;
    acb_root_ui(r.get(), base.get(), index, prec_);
  }
  acb_pow_fmpz(out->get(), r.get(), e.num(), prec_);
  return Value::kOk;
}

Value BallEval::GeneralPower(const Complex& base, const Complex& e, Complex* out) {
  if (acb_is_zero(base.get())) {
    if (e.IsReal() && arb_is_positive(e.re())) {
      acb_zero(out->get());
      return Value::kOk;
    }
    return Value::kUndefined;
  }
  Complex l;
  const Value v = Log(base, &l);
  if (v != Value::kOk) return v;
  acb_mul(l.get(), l.get(), e.get(), prec_);
  return Exp(l, out);
}

Value BallEval::Exp(const Complex& x, Complex* out) {
  const double size = UpperLog2(x);
  if (size > 50) return Value::kLimit;
  if (!Spend(12)) return Value::kLimit;
  largest_log2 = std::max(largest_log2, std::exp2(std::min(size, 40.0)) * kLog2E);
  acb_exp(out->get(), x.get(), prec_);
  return Value::kOk;
}

Value BallEval::Log(const Complex& x, Complex* out) {
  if (acb_is_zero(x.get())) return Value::kUndefined;
  if (!Spend(12)) return Value::kLimit;
  if (x.IsReal() && !arb_is_positive(x.re())) left_reals = true;
  acb_log(out->get(), x.get(), prec_);
  return Note(*out, Value::kOk);
}

Value BallEval::Function(NodeId id, Complex* out) {
  Complex x;
  const Value v = Eval(tree_.Kid(id, 0), &x);
  if (v != Value::kOk) return v;
  if (!Spend(16)) return Value::kLimit;
  const auto f = static_cast<FuncId>(tree_[id].aux);
  switch (f) {
    case FuncId::kExp:
      return Exp(x, out);
    case FuncId::kLn:
      return Log(x, out);
    case FuncId::kSin:
    case FuncId::kCos:
    case FuncId::kTan:
    case FuncId::kCot:
    case FuncId::kSec:
    case FuncId::kCsc:
      return Trigonometric(f, x, out);
    case FuncId::kSinh:
    case FuncId::kCosh:
    case FuncId::kTanh:
    case FuncId::kCoth:
    case FuncId::kSech:
    case FuncId::kCsch:
      return Hyperbolic(f, x, out);
    case FuncId::kRe:
      acb_set_arb(out->get(), x.re());
      return Value::kOk;
    case FuncId::kIm:
      acb_set_arb(out->get(), x.im());
      return Value::kOk;
    case FuncId::kConj:
      acb_conj(out->get(), x.get());
      return Value::kOk;
    case FuncId::kArg: {
      Real r;
      acb_arg(r.get(), x.get(), prec_);
      acb_set_arb(out->get(), r.get());
      return Value::kOk;
    }
    case FuncId::kSign: {
      if (!x.IsReal()) return Value::kNo;
      Real r;
      arb_sgn(r.get(), x.re());
      acb_set_arb(out->get(), r.get());
      return Value::kOk;
    }
    case FuncId::kErf:
      if (UpperLog2(x) > 12) return Value::kLimit;
      largest_log2 = std::max(largest_log2, std::exp2(2 * std::max(0.0, UpperLog2(x))) * kLog2E);
      acb_hypgeom_erf(out->get(), x.get(), prec_);
      return Value::kOk;
    case FuncId::kGamma: {
      acb_sub_si(x.get(), x.get(), 1, prec_);
      return Factorial(x, out);
    }
    case FuncId::kZeta:
      return Value::kNo;
    default:
      return Inverse(f, &x, out);
  }
}

Value BallEval::Trigonometric(FuncId f, const Complex& x, Complex* out) {
  const double size = UpperLog2(x);
  if (size > 4096) return Value::kLimit;  // the argument alone would need more bits than allowed
  if (!x.IsReal()) {
    if (size > 20) return Value::kLimit;
    largest_log2 = std::max(largest_log2, std::exp2(std::max(size, 0.0)) * kLog2E);
  }
  switch (f) {
    case FuncId::kSin:
      acb_sin(out->get(), x.get(), prec_);
      break;
    case FuncId::kCos:
      acb_cos(out->get(), x.get(), prec_);
      break;
    case FuncId::kTan:
      acb_tan(out->get(), x.get(), prec_);
      break;
    case FuncId::kCot:
      acb_cot(out->get(), x.get(), prec_);
      break;
    case FuncId::kSec:
      acb_sec(out->get(), x.get(), prec_);
      break;
    default:
      acb_csc(out->get(), x.get(), prec_);
      break;
  }
  return Value::kOk;
}

// tanh(1000) differs from 1 by 2^-2885: the hidden exponential counts as a subterm.
Value BallEval::Hyperbolic(FuncId f, const Complex& x, Complex* out) {
  const double size = UpperLog2(x);
  if (size > 40) return Value::kLimit;
  largest_log2 = std::max(largest_log2, 2 * std::exp2(std::max(size, 0.0)) * kLog2E);
  switch (f) {
    case FuncId::kSinh:
      acb_sinh(out->get(), x.get(), prec_);
      break;
    case FuncId::kCosh:
      acb_cosh(out->get(), x.get(), prec_);
      break;
    case FuncId::kTanh:
      acb_tanh(out->get(), x.get(), prec_);
      break;
    case FuncId::kCoth:
      acb_coth(out->get(), x.get(), prec_);
      break;
    case FuncId::kSech:
      acb_sech(out->get(), x.get(), prec_);
      break;
    default:
      acb_csch(out->get(), x.get(), prec_);
      break;
  }
  return Value::kOk;
}

Value BallEval::Inverse(FuncId f, Complex* x, Complex* out) {
  switch (f) {
    case FuncId::kAcot:
    case FuncId::kAsec:
    case FuncId::kAcsc:
    case FuncId::kAcoth:
      if (acb_is_zero(x->get())) {
        if (f != FuncId::kAcot) return Value::kUndefined;
        arb_const_pi(out->re(), prec_);
        arb_mul_2exp_si(out->re(), out->re(), -1);
        arb_zero(out->im());
        return Value::kOk;
      }
      acb_inv(x->get(), x->get(), prec_);
      f = f == FuncId::kAcot   ? FuncId::kAtan
          : f == FuncId::kAsec ? FuncId::kAcos
          : f == FuncId::kAcsc ? FuncId::kAsin
                               : FuncId::kAtanh;
      break;
    default:
      break;
  }
  const bool real = x->IsReal();
  switch (f) {
    case FuncId::kAsin:
      acb_asin(out->get(), x->get(), prec_);
      break;
    case FuncId::kAcos:
      acb_acos(out->get(), x->get(), prec_);
      break;
    case FuncId::kAtan:
      acb_atan(out->get(), x->get(), prec_);
      break;
    case FuncId::kAsinh:
      acb_asinh(out->get(), x->get(), prec_);
      break;
    case FuncId::kAcosh:
      acb_acosh(out->get(), x->get(), prec_);
      break;
    case FuncId::kAtanh:
      acb_atanh(out->get(), x->get(), prec_);
      break;
    default:
      return Value::kNo;
  }
  if (real && !out->IsReal()) left_reals = true;
  return Value::kOk;
}

Value BallEval::Factorial(const Complex& x, Complex* out) {
  const double size = UpperLog2(x);
  if (size > 60) return Value::kLimit;
  if (!Spend(60)) return Value::kLimit;
  Complex y;
  acb_add_si(y.get(), x.get(), 1, prec_);
  if (y.IsReal() && arb_is_int(y.re()) && !arb_is_positive(y.re())) return Value::kUndefined;
  largest_log2 = std::max(largest_log2, std::exp2(std::max(size, 0.0)) * std::max(size, 1.0));
  acb_gamma(out->get(), y.get(), prec_);
  return Value::kOk;
}

Value BallEval::Binomial(NodeId id, Complex* out) {
  Complex n;
  Complex k;
  Value v = Eval(tree_.Kid(id, 0), &n);
  if (v == Value::kOk) v = Eval(tree_.Kid(id, 1), &k);
  if (v != Value::kOk) return v;
  ExactEval exact(tree_, &budget_);
  Rational q;
  if (exact.Eval(tree_.Kid(id, 1), &q) == Value::kOk && q.IsInteger() &&
      fmpz_cmp_si(q.num(), 1000) <= 0) {
    const slong m = fmpz_sgn(q.num()) < 0 ? -1 : fmpz_get_si(q.num());
    if (m > 0 && !Spend(m)) return Value::kLimit;
    acb_one(out->get());
    Complex t;
    for (slong j = 0; j < m; ++j) {
      acb_sub_si(t.get(), n.get(), j, prec_);
      acb_mul(out->get(), out->get(), t.get(), prec_);
      acb_div_si(out->get(), out->get(), j + 1, prec_);
    }
    if (m < 0) acb_zero(out->get());
    return Value::kOk;
  }
  Complex rest;
  acb_sub(rest.get(), n.get(), k.get(), prec_);
  Complex a;
  Complex b;
  Complex c;
  v = Factorial(n, &a);
  if (v == Value::kOk) v = Factorial(k, &b);
  if (v == Value::kOk) v = Factorial(rest, &c);
  if (v != Value::kOk) return v;
  acb_mul(b.get(), b.get(), c.get(), prec_);
  acb_div(out->get(), a.get(), b.get(), prec_);
  return Value::kOk;
}

// Floor, ceiling and remainder; a ball that holds an integer stays as wide as it has to be.
Value BallEval::Rounded(NodeId id, Complex* out) {
  ExactEval exact(tree_, &budget_);
  Rational q;
  if (samples.empty() && exact.Eval(id, &q) == Value::kOk) {
    acb_set_fmpq(out->get(), q.get(), prec_);
    return Value::kOk;
  }
  Complex a;
  Value v = Eval(tree_.Kid(id, 0), &a);
  if (v != Value::kOk) return v;
  if (!a.IsReal()) return Value::kNo;
  const Op op = tree_[id].op;
  acb_zero(out->get());
  if (op == Op::kFloor) {
    arb_floor(out->re(), a.re(), prec_);
    return Value::kOk;
  }
  if (op == Op::kCeil) {
    arb_ceil(out->re(), a.re(), prec_);
    return Value::kOk;
  }
  Complex b;
  v = Eval(tree_.Kid(id, 1), &b);
  if (v != Value::kOk) return v;
  if (!b.IsReal()) return Value::kNo;
  if (acb_is_zero(b.get())) return Value::kUndefined;
  Real quotient;
  arb_div(quotient.get(), a.re(), b.re(), prec_);
  arb_floor(quotient.get(), quotient.get(), prec_);
  arb_mul(quotient.get(), quotient.get(), b.re(), prec_);
  arb_sub(out->re(), a.re(), quotient.get(), prec_);
  return Value::kOk;
}

Value BallEval::Extreme(NodeId id, Complex* out) {
  Complex x;
  for (uint32_t k = 0; k < tree_[id].n; ++k) {
    const Value v = Eval(tree_.Kid(id, k), &x);
    if (v != Value::kOk) return v;
    if (!x.IsReal()) return Value::kNo;
    if (k == 0) {
      *out = x;
    } else if (tree_[id].op == Op::kMax) {
      arb_max(out->re(), out->re(), x.re(), prec_);
    } else {
      arb_min(out->re(), out->re(), x.re(), prec_);
    }
  }
  return Value::kOk;
}

Value BallEval::Series(NodeId id, Complex* out) {
  // Bounds that depend on sampled symbols are whole when the samples are.
  Complex low;
  Complex high;
  Value v = Eval(tree_.Kid(id, 1), &low);
  if (v == Value::kOk) v = Eval(tree_.Kid(id, 2), &high);
  if (v != Value::kOk) return v;
  Integer from;
  Integer to;
  if (!low.IsReal() || !high.IsReal() || arb_get_unique_fmpz(from.get(), low.re()) == 0 ||
      arb_get_unique_fmpz(to.get(), high.re()) == 0) {
    return Value::kNo;
  }
  Integer count;
  fmpz_sub(count.get(), to.get(), from.get());
  if (fmpz_cmp_si(count.get(), kMaxTerms) > 0) return Value::kLimit;
  if (fmpz_sgn(count.get()) < 0) fmpz_set_si(count.get(), -1);  // no terms
  const bool sum = tree_[id].op == Op::kSum;
  Complex total;
  if (!sum) acb_one(total.get());
  samples.push_back({tree_.Name(tree_.Kid(id, 0)), low});
  const size_t slot = samples.size() - 1;
  acb_set_fmpz(samples[slot].value.get(), from.get());
  Complex term;
  for (slong k = fmpz_get_si(count.get()); k >= 0 && v == Value::kOk; --k) {
    v = Eval(tree_.Kid(id, 3), &term);
    if (v != Value::kOk) break;
    if (sum) {
      acb_add(total.get(), total.get(), term.get(), prec_);
    } else {
      acb_mul(total.get(), total.get(), term.get(), prec_);
    }
    acb_add_si(samples[slot].value.get(), samples[slot].value.get(), 1, prec_ + 64);
  }
  samples.pop_back();
  *out = total;
  return v;
}

}  // namespace assay::math
