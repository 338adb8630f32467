#include "verifiers/math/equal/constants.h"

#include <algorithm>

#include "verifiers/math/equal/separation.h"
#include "verifiers/math/value/ball_size.h"

namespace assay::math {
namespace {

constexpr slong kFirstBits = 128;
constexpr slong kMostBits = slong{1} << 16;
constexpr double kMostAlgebraicBits = 60000;

class Constants {
 public:
  Constants(const Tree& tree, Budget* budget, Residues* residues, std::optional<int> float_digits)
      : tree_(tree), budget_(*budget), residues_(*residues), float_digits_(float_digits) {}

  Decision Equal(NodeId a, NodeId b) {
    Rational qa;
    Rational qb;
    const Value va = ExactEval(tree_, &budget_).Eval(a, &qa);
    const Value vb = ExactEval(tree_, &budget_).Eval(b, &qb);
    if (va == Value::kUndefined || vb == Value::kUndefined) return Decision::Unequal();
    if (va == Value::kOk && vb == Value::kOk) {
      if (fmpq_equal(qa.get(), qb.get())) return Decision::Of(Outcome::kEqual, Method::kExact);
      return float_digits_ ? Rounded(a, b) : Decision::Unequal();
    }
    if (budget_.Exhausted()) return Decision::Of(Outcome::kLimit, Method::kNone);
    const Decision d = BallEqual(a, b);
    if (d.outcome == Outcome::kUnequal && float_digits_) return Rounded(a, b);
    return d;
  }

 private:
  // a - b to z_, and how large and how deep both are.
  Value Difference(NodeId a, NodeId b, slong prec) {
    BallEval ea(tree_, &budget_, prec);
    BallEval eb(tree_, &budget_, prec);
    Complex x;
    Complex y;
    Value v = ea.Eval(a, &x);
    if (v == Value::kOk) v = eb.Eval(b, &y);
    if (v != Value::kOk) return v;
    acb_sub(z_.get(), x.get(), y.get(), prec);
    largest_ = std::max(ea.largest_log2, eb.largest_log2);
    size_ = std::max({SizeLog2(x), SizeLog2(y), 0.0});
    return v;
  }

  Decision BallEqual(NodeId a, NodeId b) {
    const Value v = Difference(a, b, kFirstBits);
    if (v == Value::kUndefined) return Decision::Unequal();
    if (v == Value::kOk && acb_contains_zero(z_.get()) == 0) return Decision::Unequal();
    if (v == Value::kOk) {
      if (const std::optional<double> need = SeparationBits(tree_, &budget_, a, b)) {
        const double prec = *need + 2 * largest_ + size_ + 64;
        if (prec < kMostAlgebraicBits && Difference(a, b, static_cast<slong>(prec)) == Value::kOk) {
          if (acb_contains_zero(z_.get()) == 0) return Decision::Unequal();
          if (SizeLog2(z_) < -*need) return Decision::Of(Outcome::kEqual, Method::kExact);
        }
      }
    }
    bool decided = false;
    const Decision field = residues_.Equal(a, b, &decided);
    if (decided) return field;
    if (v != Value::kOk) return Decision::Of(Outcome::kLimit, Method::kNone);
    for (slong prec = static_cast<slong>(std::min(2 * largest_ + 320, 1e9)); prec <= 2 * kMostBits;
         prec *= 2) {
      if (2 * largest_ + 256 > static_cast<double>(kMostBits) ||
          Difference(a, b, prec) != Value::kOk)
        break;
      if (acb_contains_zero(z_.get()) == 0) return Decision::Unequal();
      const double wanted = 2 * largest_ + 256;
      if (static_cast<double>(prec) < wanted) continue;  // this look saw more than the last one
      if (RadiusLog2(z_) - size_ < -wanted * 0.75)
        return Decision::Of(Outcome::kEqual, Method::kBall, static_cast<int>(prec));
    }
    return Decision::Of(Outcome::kLimit, Method::kNone);
  }

  // ---- rounding, where it was asked for

  bool RoundTo(NodeId a, Integer* re, Integer* im) {
    Integer scale;
    fmpz_ui_pow_ui(scale.get(), 10, static_cast<ulong>(std::clamp(*float_digits_, 0, 100)));
    Rational q;
    if (ExactEval(tree_, &budget_).Eval(a, &q) == Value::kOk) {
      // floor(|q| * scale + 1/2) with q's sign.
      Rational s;
      fmpq_abs(s.get(), q.get());
      fmpq_mul_fmpz(s.get(), s.get(), scale.get());
      Rational half;
      half.Set(1, 2);
      fmpq_add(s.get(), s.get(), half.get());
      fmpz_fdiv_q(re->get(), s.num(), s.den());
      if (q.Sign() < 0) fmpz_neg(re->get(), re->get());
      fmpz_zero(im->get());
      return true;
    }
    for (const slong prec : {192, 1024, 4096}) {
      BallEval balls(tree_, &budget_, prec);
      Complex z;
      if (balls.Eval(a, &z) != Value::kOk) return false;
      bool ok = true;
      for (int part = 0; part < 2 && ok; ++part) {
        arb_ptr x = part == 0 ? z.re() : z.im();
        const bool negative = arb_is_negative(x) != 0;
        Real s;
        arb_abs(s.get(), x);
        arb_mul_fmpz(s.get(), s.get(), scale.get(), prec);
        Real half;
        arb_set_d(half.get(), 0.5);
        arb_add(s.get(), s.get(), half.get(), prec);
        arb_floor(s.get(), s.get(), prec);
        Integer* out = part == 0 ? re : im;
        ok = WholeNumberIn(s.get(), out);
        if (negative) fmpz_neg(out->get(), out->get());
      }
      if (ok) return true;
    }
    return false;
  }

  Decision Rounded(NodeId a, NodeId b) {
    Integer ra;
    Integer ia;
    Integer rb;
    Integer ib;
    if (!RoundTo(a, &ra, &ia) || !RoundTo(b, &rb, &ib)) return Decision::Unequal();
    if (fmpz_equal(ra.get(), rb.get()) == 0 || fmpz_equal(ia.get(), ib.get()) == 0)
      return Decision::Unequal();
    Decision d = Decision::Of(Outcome::kEqual, Method::kExact);
    d.rounded = true;
    return d;
  }

  const Tree& tree_;
  Budget& budget_;
  Residues& residues_;
  const std::optional<int> float_digits_;
  Complex z_;
  double largest_ = 0;
  double size_ = 0;
};

}  // namespace

Decision ConstantsEqual(const Tree& tree, Budget* budget, Residues* residues,
                        std::optional<int> float_digits, NodeId a, NodeId b) {
  return Constants(tree, budget, residues, float_digits).Equal(a, b);
}

}  // namespace assay::math
