#include "verifiers/math/equal/tolerance.h"

#include <algorithm>
#include <optional>

#include "verifiers/math/value/ball_size.h"

namespace assay::math {
namespace {

constexpr slong kFirstBits = 192;
constexpr slong kMostBits = 4096;
constexpr slong kBitsOfTolerance = 256;

class Closeness {
 public:
  Closeness(const Tree& tree, Budget* budget, const CompareOptions& options)
      : tree_(tree), budget_(*budget), options_(options) {}

  Decision Decide(NodeId a, NodeId b) {
    if (const NodeId shown = ShownBy(a, b);
        shown != kNoNode && IsRounded(shown, shown == a ? b : a))
      return As(Leniency::kShownDigits);
    if (options_.float_digits && SamePlaces(a, b)) return As(Leniency::kFloatDigits);
    if (options_.round_to_gold) {
      const NodeId gold = Decimal(a, false) ? a : Decimal(b, false) ? b : kNoNode;
      if (gold != kNoNode && WithinHalfUnit(gold, gold == a ? b : a))
        return As(Leniency::kGoldDigits);
    }
    if ((options_.rel_tol > 0 || options_.abs_tol > 0) && WithinTolerance(a, b))
      return As(Leniency::kTolerance);
    if (options_.percent_by_100 && HundredTimes(a, b)) return As(Leniency::kHundred);
    return Decision::Unequal();
  }

 private:
  static Decision As(Leniency leniency) {
    Decision d = Decision::Of(Outcome::kEqual, Method::kExact);
    d.leniency = leniency;
    return d;
  }

  // ---- decimals as they are shown

  NodeId Literal(NodeId id) const { return tree_[id].op == Op::kNeg ? tree_.Kid(id, 0) : id; }

  bool Decimal(NodeId id, bool of_answer) const {
    const Node& n = tree_[Literal(id)];
    return (n.op == Op::kNum || n.op == Op::kBig) && (n.flags & kDecimal) != 0 && n.aux > 0 &&
           ((n.flags & kOfAnswer) != 0) == of_answer;
  }

  // The side that is a decimal of the answer; a gold that is a decimal is exact.
  NodeId ShownBy(NodeId a, NodeId b) const {
    if (options_.rounded_digits <= 0 || Decimal(a, false) || Decimal(b, false)) return kNoNode;
    return Decimal(a, true) ? a : Decimal(b, true) ? b : kNoNode;
  }

  // Enough significant digits, and the other side rounds to them.
  bool IsRounded(NodeId shown, NodeId exact) {
    Rational least;
    fmpz_ui_pow_ui(least.num(), 10, static_cast<ulong>(options_.rounded_digits - 1));
    fmpz_ui_pow_ui(least.den(), 10, tree_[Literal(shown)].aux);
    fmpq_canonicalise(least.get());
    Rational value;
    if (ExactEval(tree_, &budget_).Eval(Literal(shown), &value) != Value::kOk) return false;
    return fmpq_cmp(value.get(), least.get()) >= 0 && WithinHalfUnit(shown, exact);
  }

  // |decimal - exact| is at most half a unit of the decimal's last place.
  bool WithinHalfUnit(NodeId decimal, NodeId exact) {
    Rational half;
    fmpz_one(half.num());
    fmpz_ui_pow_ui(half.den(), 10, tree_[Literal(decimal)].aux);
    fmpz_mul_ui(half.den(), half.den(), 2);
    Rational x;
    Rational y;
    if (ExactEval(tree_, &budget_).Eval(decimal, &x) != Value::kOk) return false;
    if (ExactEval(tree_, &budget_).Eval(exact, &y) == Value::kOk) {
      fmpq_sub(x.get(), x.get(), y.get());
      fmpq_abs(x.get(), x.get());
      return fmpq_cmp(x.get(), half.get()) <= 0;
    }
    for (slong prec = kFirstBits; prec <= kMostBits; prec *= 4) {
      Complex z;
      if (BallEval(tree_, &budget_, prec).Eval(exact, &z) != Value::kOk || !z.IsReal())
        return false;
      Real off;
      Real bound;
      arb_set_fmpq(off.get(), x.get(), prec);
      arb_sub(off.get(), off.get(), z.re(), prec);
      arb_abs(off.get(), off.get());
      arb_set_fmpq(bound.get(), half.get(), prec);
      if (arb_lt(off.get(), bound.get())) return true;
      if (arb_gt(off.get(), bound.get())) return false;
    }
    return false;
  }

  // ---- options

  bool SamePlaces(NodeId a, NodeId b) {
    Integer ra;
    Integer ia;
    Integer rb;
    Integer ib;
    return RoundTo(a, &ra, &ia) && RoundTo(b, &rb, &ib) && fmpz_equal(ra.get(), rb.get()) != 0 &&
           fmpz_equal(ia.get(), ib.get()) != 0;
  }

  // Times 10^float_digits, to the next whole number, half away from zero.
  bool RoundTo(NodeId a, Integer* re, Integer* im) {
    Integer scale;
    fmpz_ui_pow_ui(scale.get(), 10, static_cast<ulong>(std::clamp(*options_.float_digits, 0, 100)));
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
      Complex z;
      if (BallEval(tree_, &budget_, prec).Eval(a, &z) != Value::kOk) return false;
      if (RoundPart(z.re(), scale, prec, re) && RoundPart(z.im(), scale, prec, im)) return true;
    }
    return false;
  }

  static bool RoundPart(arb_srcptr x, const Integer& scale, slong prec, Integer* out) {
    Real s;
    arb_abs(s.get(), x);
    arb_mul_fmpz(s.get(), s.get(), scale.get(), prec);
    Real half;
    arb_set_d(half.get(), 0.5);
    arb_add(s.get(), s.get(), half.get(), prec);
    arb_floor(s.get(), s.get(), prec);
    const bool ok = WholeNumberIn(s.get(), out);
    if (arb_is_negative(x) != 0) fmpz_neg(out->get(), out->get());
    return ok;
  }

  bool Values(NodeId a, NodeId b, Complex* x, Complex* y) {
    return BallEval(tree_, &budget_, kBitsOfTolerance).Eval(a, x) == Value::kOk &&
           BallEval(tree_, &budget_, kBitsOfTolerance).Eval(b, y) == Value::kOk;
  }

  // |a - b| <= max(rel_tol max(|a|, |b|), abs_tol), as Python's math.isclose.
  bool WithinTolerance(NodeId a, NodeId b) {
    Complex x;
    Complex y;
    if (!Values(a, b, &x, &y)) return false;
    Complex z;
    acb_sub(z.get(), x.get(), y.get(), kBitsOfTolerance);
    Real off;
    Real larger;
    Real other;
    Real bound;
    acb_abs(off.get(), z.get(), kBitsOfTolerance);
    acb_abs(larger.get(), x.get(), kBitsOfTolerance);
    acb_abs(other.get(), y.get(), kBitsOfTolerance);
    arb_max(larger.get(), larger.get(), other.get(), kBitsOfTolerance);
    arb_set_d(bound.get(), options_.rel_tol);
    arb_mul(bound.get(), bound.get(), larger.get(), kBitsOfTolerance);
    arb_set_d(other.get(), options_.abs_tol);
    arb_max(bound.get(), bound.get(), other.get(), kBitsOfTolerance);
    return arb_le(off.get(), bound.get()) != 0;
  }

  bool HundredTimes(NodeId a, NodeId b) {
    Rational x;
    Rational y;
    if (ExactEval(tree_, &budget_).Eval(a, &x) != Value::kOk ||
        ExactEval(tree_, &budget_).Eval(b, &y) != Value::kOk)
      return false;
    const Integer hundred(100);
    Rational more;
    fmpq_mul_fmpz(more.get(), x.get(), hundred.get());
    if (fmpq_equal(more.get(), y.get()) != 0) return true;
    fmpq_mul_fmpz(more.get(), y.get(), hundred.get());
    return fmpq_equal(more.get(), x.get()) != 0;
  }

  const Tree& tree_;
  Budget& budget_;
  const CompareOptions& options_;
};

}  // namespace

Decision CloseEnough(const Tree& tree, Budget* budget, const CompareOptions& options, NodeId a,
                     NodeId b) {
  return Closeness(tree, budget, options).Decide(a, b);
}

bool Tolerates(const CompareOptions& options) {
  return options.float_digits || options.rel_tol > 0 || options.abs_tol > 0 ||
         options.round_to_gold || options.percent_by_100;
}

}  // namespace assay::math
