#include "verifiers/math/equal/scalar.h"

#include "verifiers/math/equal/constants.h"
#include "verifiers/math/equal/induction.h"
#include "verifiers/math/equal/limits.h"
#include "verifiers/math/equal/samples.h"
#include "verifiers/math/equal/tolerance.h"

namespace assay::math {

Decision Scalars::Equal(NodeId a, NodeId b) {
  const Node& x = tree_[a];
  const Node& y = tree_[b];
  if (x.op == Op::kNum && y.op == Op::kNum) {
    if (x.num == y.num && x.den == y.den) return Decision::Of(Outcome::kEqual, Method::kExact);
    return CloseEnough(tree_, &budget_, options_, a, b);
  }
  const int ia = InfinitySign(a);
  const int ib = InfinitySign(b);
  if (ia != 0 || ib != 0)
    return ia == ib ? Decision::Of(Outcome::kEqual, Method::kExact) : Decision::Unequal();
  const Traits ta = TraitsOf(a);
  const Traits tb = TraitsOf(b);
  if (budget_.Exhausted()) return Decision::Undecided();
  if (ta.not_scalar || tb.not_scalar) return Decision::Unequal(Method::kNone);
  if ((x.op == Op::kLim) != (y.op == Op::kLim))
    return x.op == Op::kLim ? LimitEqual(tree_, &budget_, a, b) : LimitEqual(tree_, &budget_, b, a);
  Decision d = ta.constant() && tb.constant()
                   ? ConstantsEqual(tree_, &budget_, &residues_, options_, a, b)
                   : SymbolicEqual(a, b);
  if (!d.yes() && budget_.Exhausted()) d = Decision::Undecided();
  return d;
}

Decision Scalars::SymbolicEqual(NodeId a, NodeId b) {
  bool decided = false;
  const Decision d = residues_.Equal(a, b, &decided);
  if (decided || d.outcome == Outcome::kUndecided) return d;
  const Traits ta = TraitsOf(a);
  const Traits tb = TraitsOf(b);
  if (ta.opaque || tb.opaque)
    return ta.unevaluated || tb.unevaluated ? Decision::Undecided()
                                            : Decision::Unequal(Method::kNone);
  if (!ta.open_sum && !tb.open_sum)
    return SamplesEqual(&tree_, &budget_, &residues_, seed_, a, b, ta, tb);
  const int depth = inductions_++;
  const auto equal = [this](NodeId x, NodeId y) { return Equal(x, y); };
  const Decision induced = EqualByInduction(&tree_, &budget_, &residues_, depth, equal, a, b);
  --inductions_;
  return induced;
}

std::optional<int> Scalars::Order(NodeId a, NodeId b) {
  const int ia = InfinitySign(a);
  const int ib = InfinitySign(b);
  if (ia != 0 || ib != 0) return ia == ib ? 0 : ia != 0 ? ia : -ib;
  Rational qa;
  Rational qb;
  const Value va = Exact(a, &qa);
  const Value vb = Exact(b, &qb);
  if (va == Value::kOk && vb == Value::kOk) {
    const int c = fmpq_cmp(qa.get(), qb.get());
    return c < 0 ? -1 : c > 0 ? 1 : 0;
  }
  if (va == Value::kUndefined || vb == Value::kUndefined) return std::nullopt;
  for (const slong prec : {64, 512, 4096}) {
    BallEval ea(tree_, &budget_, prec);
    BallEval eb(tree_, &budget_, prec);
    Complex x;
    Complex y;
    if (ea.Eval(a, &x) != Value::kOk || eb.Eval(b, &y) != Value::kOk || !x.IsReal() || !y.IsReal())
      return std::nullopt;
    if (arb_lt(x.re(), y.re())) return -1;
    if (arb_gt(x.re(), y.re())) return 1;
    if (prec == 64 && Equal(a, b).yes()) return 0;
  }
  return std::nullopt;
}

}  // namespace assay::math
