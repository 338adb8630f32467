// The algebra of balls. What is rational anyway is worked out exactly first where a ball would only lose by it.
#include <algorithm>
#include <cmath>
#include <string>

#include "verifiers/math/value/ball_size.h"
#include "verifiers/math/value/operators.h"

namespace assay::math {
namespace {

constexpr double kLog2E = 1.4426950408889634;
constexpr double kHuge =
    1e15;  // no exponential of more than this: its exponent alone would be hard work

}  // namespace

template Value Walk<BallEval, Complex>::Eval(NodeId, Complex*);

bool BallEval::Spend(int64_t weight) {
  return budget_.Spend(weight * (1 + prec_ / 128 + prec_ * prec_ / 4000000));
}

Value BallEval::Note(const Complex& z) {
  if (acb_is_finite(z.get()) == 0) return Value::kUndefined;
  if (acb_is_zero(z.get()) != 0) return Value::kOk;
  const double up = UpperLog2(z);
  if (acb_contains_zero(z.get()) != 0) {
    // Perhaps zero, so small only as far as this precision sees: no size of its own.
    if (std::isfinite(up)) largest_log2 = std::max(largest_log2, up);
    return Value::kOk;
  }
  const double low = LowerLog2(z);
  if (std::isfinite(up)) largest_log2 = std::max(largest_log2, std::abs(up));
  if (std::isfinite(low)) largest_log2 = std::max(largest_log2, std::abs(low));
  return Value::kOk;
}

Value BallEval::Exactly(NodeId id, Complex* out) {
  ExactEval exact(tree_, &budget_);
  Rational q;
  const Value v = exact.Eval(id, &q);
  if (v == Value::kOk) acb_set_fmpq(out->get(), q.get(), prec_);
  return v;
}

Value BallEval::Literal(NodeId id, Complex* out) {
  const Node& n = tree_[id];
  arb_set_si(out->re(), n.num);
  if (n.den != 1) arb_div_si(out->re(), out->re(), n.den, prec_);
  arb_zero(out->im());
  return Value::kOk;
}

Value BallEval::Constant(ConstId id, Complex* out) {
  acb_zero(out->get());
  switch (id) {
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
}

Value BallEval::Add(const Complex& x, Complex* total) {
  acb_add(total->get(), total->get(), x.get(), prec_);
  return Value::kOk;
}

Value BallEval::Multiply(const Complex& x, Complex* total) {
  acb_mul(total->get(), total->get(), x.get(), prec_);
  return Value::kOk;
}

void BallEval::TimesPi(Complex* x) {
  Real pi;
  arb_const_pi(pi.get(), prec_);
  acb_mul_arb(x->get(), x->get(), pi.get(), prec_);
}

void BallEval::Magnitude(Complex* x) {
  Real r;
  acb_abs(r.get(), x->get(), prec_);
  acb_set_arb(x->get(), r.get());
}

Value BallEval::Reciprocal(Complex* x) {
  if (acb_is_zero(x->get())) return Value::kUndefined;
  acb_inv(x->get(), x->get(), prec_);
  return Value::kOk;
}

Value BallEval::DivideBy(slong divisor, Complex* x) {
  acb_div_si(x->get(), x->get(), divisor, prec_);
  return Value::kOk;
}

Value BallEval::Divide(const Complex& a, const Complex& b, Complex* out) {
  if (acb_is_zero(b.get())) return Value::kUndefined;
  acb_div(out->get(), a.get(), b.get(), prec_);
  return Value::kOk;
}

// A rational exponent is taken as such: it says which root is meant.
Value BallEval::PowerOf(const Complex& base, NodeId id, Complex* out) {
  ExactEval exact(tree_, &budget_);
  Rational q;
  Value v = exact.Exponent(id, &q);
  if (v == Value::kUndefined) return v;
  if (v == Value::kOk) return RationalPower(base, q, out);
  Complex x;
  v = Exponent(id, &x);
  return v == Value::kOk ? GeneralPower(base, x, out) : v;
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
  return Note(*out);
}

Value BallEval::LogarithmOf(const Complex& a, const Complex& base, Complex* out) {
  Complex above;
  Complex below;
  Value v = Log(a, &above);
  if (v == Value::kOk) v = Log(base, &below);
  return v == Value::kOk ? Divide(above, below, out) : v;
}

Value BallEval::Apply(FuncId f, const Complex& x, Complex* out) {
  if (!Spend(16)) return Value::kLimit;
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
    case FuncId::kIm:
    case FuncId::kConj:
    case FuncId::kArg:
    case FuncId::kSign:
      return Parts(f, x, out);
    case FuncId::kErf:
      if (UpperLog2(x) > 12) return Value::kLimit;
      largest_log2 = std::max(largest_log2, std::exp2(2 * std::max(0.0, UpperLog2(x))) * kLog2E);
      acb_hypgeom_erf(out->get(), x.get(), prec_);
      return Value::kOk;
    case FuncId::kGamma: {
      Complex before;
      acb_sub_si(before.get(), x.get(), 1, prec_);
      return FactorialOf(before, 1, out);
    }
    case FuncId::kZeta:
      return Value::kNo;
    default:
      return Inverse(f, x, out);
  }
}

Value BallEval::Parts(FuncId f, const Complex& x, Complex* out) {
  switch (f) {
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
    default: {  // the sign
      if (!x.IsReal()) return Value::kNo;
      Real r;
      arb_sgn(r.get(), x.re());
      acb_set_arb(out->get(), r.get());
      return Value::kOk;
    }
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

// acot x is atan(1 / x), and so on; acot 0 is pi/2.
Value BallEval::InverseOfReciprocal(FuncId f, const Complex& x, Complex* out) {
  if (acb_is_zero(x.get())) {
    if (f != FuncId::kAcot) return Value::kUndefined;
    arb_const_pi(out->re(), prec_);
    arb_mul_2exp_si(out->re(), out->re(), -1);
    arb_zero(out->im());
    return Value::kOk;
  }
  Complex y;
  acb_inv(y.get(), x.get(), prec_);
  return Inverse(f == FuncId::kAcot   ? FuncId::kAtan
                 : f == FuncId::kAsec ? FuncId::kAcos
                 : f == FuncId::kAcsc ? FuncId::kAsin
                                      : FuncId::kAtanh,
                 y, out);
}

Value BallEval::Inverse(FuncId f, const Complex& x, Complex* out) {
  const bool real = x.IsReal();
  switch (f) {
    case FuncId::kAsin:
      acb_asin(out->get(), x.get(), prec_);
      break;
    case FuncId::kAcos:
      acb_acos(out->get(), x.get(), prec_);
      break;
    case FuncId::kAtan:
      acb_atan(out->get(), x.get(), prec_);
      break;
    case FuncId::kAsinh:
      acb_asinh(out->get(), x.get(), prec_);
      break;
    case FuncId::kAcosh:
      acb_acosh(out->get(), x.get(), prec_);
      break;
    case FuncId::kAtanh:
      acb_atanh(out->get(), x.get(), prec_);
      break;
    case FuncId::kAcot:
    case FuncId::kAsec:
    case FuncId::kAcsc:
    case FuncId::kAcoth:
      return InverseOfReciprocal(f, x, out);
    default:
      return Value::kNo;
  }
  if (real && !out->IsReal()) left_reals = true;
  return Value::kOk;
}

Value BallEval::Factorial(NodeId id, Complex* out) {
  return tree_[id].aux == 1 ? Walk::Factorial(id, out) : Exactly(id, out);
}

Value BallEval::FactorialOf(const Complex& x, int /*marks*/, Complex* out) {
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

Value BallEval::Choose(const Complex& n, const Complex& k, NodeId lower, Complex* out) {
  ExactEval exact(tree_, &budget_);
  Rational q;
  if (exact.Eval(lower, &q) == Value::kOk && q.IsInteger() && fmpz_cmp_si(q.num(), 1000) <= 0) {
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
  Value v = FactorialOf(n, 1, &a);
  if (v == Value::kOk) v = FactorialOf(k, 1, &b);
  if (v == Value::kOk) v = FactorialOf(rest, 1, &c);
  if (v != Value::kOk) return v;
  acb_mul(b.get(), b.get(), c.get(), prec_);
  acb_div(out->get(), a.get(), b.get(), prec_);
  return Value::kOk;
}

// A ball that holds an integer stays as wide as it has to be.
Value BallEval::Rounded(NodeId id, Complex* out) {
  if (bound_.empty() && Exactly(id, out) == Value::kOk) return Value::kOk;
  return Walk::Rounded(id, out);
}

Value BallEval::Modulo(NodeId id, Complex* out) {
  if (bound_.empty() && Exactly(id, out) == Value::kOk) return Value::kOk;
  return Walk::Modulo(id, out);
}

Value BallEval::Round(const Complex& x, bool up, Complex* out) {
  acb_zero(out->get());
  if (up) {
    arb_ceil(out->re(), x.re(), prec_);
  } else {
    arb_floor(out->re(), x.re(), prec_);
  }
  return Value::kOk;
}

Value BallEval::Remainder(const Complex& a, const Complex& b, Complex* out) {
  if (acb_is_zero(b.get())) return Value::kUndefined;
  Real quotient;
  arb_div(quotient.get(), a.re(), b.re(), prec_);
  arb_floor(quotient.get(), quotient.get(), prec_);
  arb_mul(quotient.get(), quotient.get(), b.re(), prec_);
  acb_zero(out->get());
  arb_sub(out->re(), a.re(), quotient.get(), prec_);
  return Value::kOk;
}

// Divisors only of what is rational.
Value BallEval::Several(NodeId id, Complex* out) {
  const Op op = tree_[id].op;
  return op == Op::kMax || op == Op::kMin ? Walk::Several(id, out) : Exactly(id, out);
}

Value BallEval::Fold(Op op, const std::vector<Complex>& xs, Complex* out) {
  for (size_t k = 0; k < xs.size(); ++k) {
    if (k == 0) {
      *out = xs[0];
    } else if (op == Op::kMax) {
      arb_max(out->re(), out->re(), xs[k].re(), prec_);
    } else {
      arb_min(out->re(), out->re(), xs[k].re(), prec_);
    }
  }
  return Value::kOk;
}

bool BallEval::Whole(const Complex& x, Integer* out) {
  return x.IsReal() && WholeNumberIn(x.re(), out);
}

}  // namespace assay::math
