#include "verifiers/math/equal/log_absolute.h"

#include <vector>

#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

// A power of more parts than this is left alone.
constexpr int kMaxSplitDepth = 12;

NodeId Times(Tree* tree, NodeId factor, NodeId x) { return tree->Add(Op::kMul, {factor, x}); }

NodeId SplitLogOf(Tree* tree, NodeId u, int depth);

// ln|sin u| and ln|cos u|, by which the other four are written; kNoNode for anything else.
NodeId OfTrigonometric(Tree* tree, FuncId f, NodeId argument) {
  const auto log = [&](FuncId of) {
    return tree->Func(FuncId::kLn, tree->Add(Op::kAbs, {tree->Func(of, argument)}));
  };
  switch (f) {
    case FuncId::kTan:
      return tree->Sub(log(FuncId::kSin), log(FuncId::kCos));
    case FuncId::kCot:
      return tree->Sub(log(FuncId::kCos), log(FuncId::kSin));
    case FuncId::kSec:
      return tree->Neg(log(FuncId::kCos));
    case FuncId::kCsc:
      return tree->Neg(log(FuncId::kSin));
    default:
      return kNoNode;
  }
}

// ln|u|
NodeId SplitLogOf(Tree* tree, NodeId u, int depth) {
  const Node n = (*tree)[u];
  const auto kid = [&](uint32_t k) { return tree->Kid(u, k); };
  if (depth < kMaxSplitDepth) {
    switch (n.op) {
      case Op::kAbs:
      case Op::kNeg:
        return SplitLogOf(tree, kid(0), depth + 1);
      case Op::kMul: {
        std::vector<NodeId> terms;
        for (uint32_t k = 0; k < n.n; ++k) terms.push_back(SplitLogOf(tree, kid(k), depth + 1));
        return tree->Add(Op::kAdd, terms.data(), n.n);
      }
      case Op::kDiv: {
        const NodeId above = SplitLogOf(tree, kid(0), depth + 1);
        return tree->Sub(above, SplitLogOf(tree, kid(1), depth + 1));
      }
      case Op::kPow:
        if ((*tree)[kid(1)].op == Op::kNum)
          return Times(tree, kid(1), SplitLogOf(tree, kid(0), depth + 1));
        break;
      case Op::kRoot:
        return tree->Add(Op::kDiv, {SplitLogOf(tree, kid(0), depth + 1), kid(1)});
      case Op::kFunc:
        if (const NodeId split = OfTrigonometric(tree, static_cast<FuncId>(n.aux), kid(0));
            split != kNoNode)
          return split;
        break;
      default:
        break;
    }
  }
  return tree->Func(FuncId::kLn, n.op == Op::kNum ? u : tree->Add(Op::kAbs, {u}));
}

// u^2, u^4: what has one logarithm for u and -u.
bool IsEvenPower(const Tree& tree, NodeId id) {
  if (tree[id].op != Op::kPow) return false;
  const Node& exponent = tree[tree.Kid(id, 1)];
  return exponent.op == Op::kNum && exponent.den == 1 && exponent.num % 2 == 0;
}

}  // namespace

NodeId SplitAbsoluteLogs(Tree* tree, NodeId id) {
  return CopyWith(tree, id, [tree](NodeId at) -> NodeId {
    const Node& n = (*tree)[at];
    if (n.op != Op::kFunc || static_cast<FuncId>(n.aux) != FuncId::kLn) return kNoNode;
    const NodeId u = tree->Kid(at, 0);
    const bool absolute = (*tree)[u].op == Op::kAbs || IsEvenPower(*tree, u);
    return absolute ? SplitLogOf(tree, u, 0) : kNoNode;
  });
}

}  // namespace assay::math
