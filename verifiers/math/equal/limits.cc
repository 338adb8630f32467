#include "verifiers/math/equal/limits.h"

#include <algorithm>
#include <string>

#include "verifiers/math/equal/traits.h"
#include "verifiers/math/value/ball_size.h"

namespace assay::math {
namespace {

class Limits {
 public:
  Limits(const Tree& tree, Budget* budget) : tree_(tree), budget_(*budget) {}

  Decision Equal(NodeId limit, NodeId value) {
    const NodeId variable = tree_.Kid(limit, 0);
    const NodeId target = tree_.Kid(limit, 1);
    const NodeId body = tree_.Kid(limit, 2);
    const int direction = tree_[limit].aux;
    if (tree_[variable].op != Op::kSym) return Decision::Unequal(Method::kNone);
    const std::string name = tree_.Name(variable);
    const Traits t = TraitsOf(tree_, &budget_, body);
    if (t.opaque || t.not_scalar || !TraitsOf(tree_, &budget_, value).constant() ||
        !TraitsOf(tree_, &budget_, target).symbols.empty())
      return Decision::Unequal(Method::kNone);
    if (t.symbols.size() > 1 || (t.symbols.size() == 1 && t.symbols[0] != name))
      return Decision::Unequal(Method::kNone);
    BallEval first(tree_, &budget_, 256);
    Complex v;
    if (first.Eval(value, &v) != Value::kOk) return Decision::Unequal(Method::kNone);
    const double largest = std::max(first.largest_log2, LimitSize(limit));
    const slong bits = static_cast<slong>(std::min(2 * largest + 256, 1e6));
    if (bits > 4096) return Decision::Undecided();
    const int infinity = InfinitySign(tree_, target);
    for (int side = 0; side < 2; ++side) {
      if ((direction == 1 && side == 1) || (direction == 2 && side == 0) ||
          (infinity != 0 && side == 1))
        continue;
      const Decision d = AtSide(limit, value, side == 1, bits);
      if (!d.yes()) return d;
    }
    return Decision::Of(Outcome::kEqual, Method::kBall, static_cast<int>(bits));
  }

 private:
  // At two distances from the target, on one side of it.
  Decision AtSide(NodeId limit, NodeId value, bool below, slong bits) {
    Complex v;
    for (int step = 1; step <= 2; ++step) {
      const slong prec = 8 * bits;
      Complex at;
      if (!NearTarget(tree_.Kid(limit, 1), below, bits * step, prec, &at))
        return Decision::Unequal(Method::kNone);
      BallEval ef(tree_, &budget_, prec);
      ef.Bind(tree_.Name(tree_.Kid(limit, 0)), at);
      BallEval ev(tree_, &budget_, prec);
      Complex f;
      if (ef.Eval(tree_.Kid(limit, 2), &f) != Value::kOk || ev.Eval(value, &v) != Value::kOk)
        return Decision::Unequal(Method::kNone);
      acb_sub(f.get(), f.get(), v.get(), prec);
      if (!(SizeLog2(f) < -static_cast<double>(bits * step) / 2))
        return Decision::Unequal(Method::kBall);
    }
    return Decision::Of(Outcome::kEqual, Method::kBall, static_cast<int>(bits));
  }

  // A point at distance 2^-bits from the target (2^bits from zero for infinity), below it if `below`.
  bool NearTarget(NodeId target, bool below, slong bits, slong prec, Complex* out) {
    const int infinity = InfinitySign(tree_, target);
    if (infinity == 0) {
      BallEval e(tree_, &budget_, prec);
      if (e.Eval(target, out) != Value::kOk) return false;
    }
    Real distance;
    arb_one(distance.get());
    arb_mul_2exp_si(distance.get(), distance.get(), infinity == 0 ? -bits : bits);
    if (below || infinity < 0) arb_neg(distance.get(), distance.get());
    acb_add_arb(out->get(), out->get(), distance.get(), prec);
    return true;
  }

  // The largest |log2| of a subterm of the body some way from the target: what is small there already is small by itself.
  double LimitSize(NodeId limit) {
    constexpr slong kBits = 24;
    constexpr slong kPrec = 256;
    double largest = 0;
    for (const bool below : {false, true}) {
      Complex at;
      if (!NearTarget(tree_.Kid(limit, 1), below, kBits, kPrec, &at)) continue;
      BallEval e(tree_, &budget_, kPrec);
      e.Bind(tree_.Name(tree_.Kid(limit, 0)), at);
      Complex f;
      e.Eval(tree_.Kid(limit, 2), &f);
      largest = std::max(largest, e.largest_log2);
    }
    return largest;
  }

  const Tree& tree_;
  Budget& budget_;
};

}  // namespace

Decision LimitEqual(const Tree& tree, Budget* budget, NodeId limit, NodeId value) {
  return Limits(tree, budget).Equal(limit, value);
}

}  // namespace assay::math
