#include "verifiers/math/equal/series.h"

#include <string>

#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

constexpr int kMaxZeta = 12;

class Series {
 public:
  Series(Tree* tree, Scalars* scalars) : tree_(*tree), scalars_(*scalars) {}

  NodeId Closed(NodeId id) {
    const Op op = tree_[id].op;
    if (op == Op::kApply && tree_.Name(id) == "zeta" && tree_[id].n == 1)
      return Zeta(tree_.Kid(id, 0));
    if (op != Op::kSum || tree_[id].n != 4) return kNoNode;
    const NodeId variable = tree_.Kid(id, 0);
    const NodeId lower = tree_.Kid(id, 1);
    const NodeId body = tree_.Kid(id, 3);
    Rational first;
    if (tree_[variable].op != Op::kSym || scalars_.InfinitySign(tree_.Kid(id, 2)) != 1 ||
        scalars_.Exact(lower, &first) != Value::kOk || !first.IsInteger())
      return kNoNode;
    const std::string name = tree_.Name(variable);
    if (ContainsOp(tree_, body, Op::kSum)) return kNoNode;
    if (const NodeId sum = Geometric(name, lower, body); sum != kNoNode) return sum;
    return OfPowers(name, lower, body);
  }

 private:
  NodeId At(NodeId body, const std::string& name, NodeId value) {
    return SubstituteSymbol(&tree_, body, name, value);
  }

  // a + aq + aq^2 + .. = a / (1 - q) for |q| < 1.
  NodeId Geometric(const std::string& name, NodeId lower, NodeId body) {
    const NodeId next = At(body, name, tree_.Add(Op::kAdd, {tree_.Symbol(name), tree_.Number(1)}));
    const NodeId a = At(body, name, lower);
    const NodeId b = At(next, name, lower);
    Rational ratio;
    const NodeId q = tree_.Add(Op::kDiv, {b, a});
    if (scalars_.Exact(q, &ratio) != Value::kOk || ratio.IsZero()) return kNoNode;
    Rational size;
    fmpq_abs(size.get(), ratio.get());
    if (fmpq_cmp_si(size.get(), 1) >= 0) return kNoNode;
    // The terms in k, and at four whole numbers, where a power of a negative number is real.
    if (!scalars_.Equal(next, tree_.Add(Op::kMul, {body, q})).yes()) return kNoNode;
    for (int step = 1; step <= 4; ++step) {
      const NodeId place = tree_.Add(Op::kAdd, {lower, tree_.Number(step)});
      const NodeId quotient = tree_.Add(Op::kDiv, {At(next, name, place), At(body, name, place)});
      if (!scalars_.Equal(quotient, q).yes()) return kNoNode;
    }
    return tree_.Add(Op::kDiv, {a, tree_.Sub(tree_.Number(1), q)});
  }

  // c (1 + 1/2^s + 1/3^s + ..) = c zeta(s).
  NodeId OfPowers(const std::string& name, NodeId lower, NodeId body) {
    Rational first;
    if (scalars_.Exact(lower, &first) != Value::kOk || fmpq_cmp_si(first.get(), 1) != 0)
      return kNoNode;
    for (int s = 2; s <= kMaxZeta; ++s) {
      const NodeId power = tree_.Add(Op::kPow, {tree_.Symbol(name), tree_.Number(s)});
      const NodeId c = tree_.Add(Op::kMul, {body, power});
      const NodeId at_one = At(body, name, tree_.Number(1));
      if (!scalars_.Equal(c, at_one).yes()) continue;
      const NodeId order = tree_.Number(s);
      const NodeId zeta = Zeta(order);
      const NodeId value = zeta == kNoNode ? tree_.Named(Op::kApply, "zeta", {order}) : zeta;
      return tree_.Add(Op::kMul, {at_one, value});
    }
    return kNoNode;
  }

  // zeta(2n) as a multiple of pi^(2n): 1/6, 1/90, 1/945, 1/9450, 1/93555, 691/638512875.
  NodeId Zeta(NodeId order) {
    static constexpr int64_t kFactors[][2] = {{1, 6},    {1, 90},    {1, 945},
                                              {1, 9450}, {1, 93555}, {691, 638512875}};
    const Node n = tree_[order];
    if (n.op != Op::kNum || n.den != 1 || n.num < 2 || n.num > kMaxZeta || n.num % 2 != 0)
      return kNoNode;
    const auto& factor = kFactors[n.num / 2 - 1];
    const NodeId power = tree_.Add(Op::kPow, {tree_.Const(ConstId::kPi), tree_.Number(n.num)});
    return tree_.Add(Op::kMul, {tree_.Number(factor[0], factor[1]), power});
  }

  Tree& tree_;
  Scalars& scalars_;
};

}  // namespace

NodeId CloseSeries(Tree* tree, Scalars* scalars, NodeId id) {
  if (!ContainsOp(*tree, id, Op::kSum) && !ContainsOp(*tree, id, Op::kApply)) return id;
  Series series(tree, scalars);
  return CopyWith(tree, id, [&](NodeId at) { return series.Closed(at); });
}

}  // namespace assay::math
