#include "verifiers/math/equal/scalar.h"

#include <algorithm>
#include <string>
#include <vector>

#include "verifiers/math/equal/constants.h"
#include "verifiers/math/equal/induction.h"
#include "verifiers/math/equal/limits.h"
#include "verifiers/math/equal/samples.h"
#include "verifiers/math/equal/tolerance.h"
#include "verifiers/math/syntax/rewrite.h"

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
  if (ta.opaque || tb.opaque) {
    if (ta.unevaluated || tb.unevaluated) return Decision::Undecided();
    const auto [x, y] = NameApplications(a, b);
    return x == kNoNode ? Decision::Unequal(Method::kNone) : Equal(x, y);
  }
  if (!ta.open_sum && !tb.open_sum)
    return SamplesEqual(&tree_, &budget_, &residues_, seed_, a, b, ta, tb);
  const int depth = inductions_++;
  const auto equal = [this](NodeId x, NodeId y) { return Equal(x, y); };
  const Decision induced = EqualByInduction(&tree_, &budget_, &residues_, depth, equal, a, b);
  --inductions_;
  return induced;
}

std::pair<NodeId, NodeId> Scalars::NameApplications(NodeId a, NodeId b) {
  constexpr size_t kMaxApplications = 8;
  const std::pair<NodeId, NodeId> none(kNoNode, kNoNode);
  // Callers hold views of names: these must stay where they are.
  if (tree_.names.capacity() - tree_.names.size() <= kMaxApplications) return none;
  for (const Op binder : {Op::kSum, Op::kProd, Op::kDiff}) {
    if (ContainsOp(tree_, a, binder) || ContainsOp(tree_, b, binder)) return none;
  }
  if (!ContainsOp(tree_, a, Op::kApply) && !ContainsOp(tree_, b, Op::kApply)) return none;
  std::vector<NodeId> known;
  const auto same = [&](NodeId x, NodeId y) {
    if (tree_[x].n != tree_[y].n || tree_.Name(x) != tree_.Name(y)) return false;
    const uint32_t count = tree_[x].n;
    for (uint32_t k = 0; k < count; ++k) {
      if (!Equal(tree_.Kid(x, k), tree_.Kid(y, k)).yes()) return false;
    }
    return true;
  };
  const auto name = [&](NodeId at) -> NodeId {
    if (tree_[at].op != Op::kApply || known.size() > kMaxApplications) return kNoNode;
    auto it = std::find_if(known.begin(), known.end(), [&](NodeId x) { return same(x, at); });
    if (it == known.end()) it = known.insert(known.end(), at);
    return tree_.Symbol("@" + std::to_string(it - known.begin()));
  };
  const NodeId x = CopyWith(&tree_, a, name);
  const NodeId y = CopyWith(&tree_, b, name);
  const bool opaque = TraitsOf(x).opaque || TraitsOf(y).opaque;
  return opaque || known.size() > kMaxApplications ? none : std::pair(x, y);
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
