#include "verifiers/math/value/tuples.h"

#include <vector>

#include "verifiers/math/syntax/chars.h"
#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

using Items = std::vector<NodeId>;

bool NamesPoint(const Tree& tree, NodeId id) {
  return tree[id].op == Op::kSym && IsUpper(tree.Name(id)[0]);
}

// The coordinates; empty: no tuple.
Items Coordinates(Tree* tree, Budget* budget, NodeId id) {
  const Node n = (*tree)[id];
  if (!budget->Spend(2)) return {};
  Items out;
  switch (n.op) {
    case Op::kTuple:
      for (uint32_t k = 0; k < n.n; ++k) out.push_back(tree->Kid(id, k));
      return out;
    case Op::kNeg:
      out = Coordinates(tree, budget, tree->Kid(id, 0));
      for (NodeId& x : out) x = tree->Neg(x);
      return out;
    case Op::kDiv:
      if (ContainsOp(*tree, tree->Kid(id, 1), Op::kTuple)) return {};
      out = Coordinates(tree, budget, tree->Kid(id, 0));
      for (NodeId& x : out) x = tree->Add(Op::kDiv, {x, tree->Kid(id, 1)});
      return out;
    case Op::kAdd:
      for (uint32_t k = 0; k < n.n; ++k) {
        const Items term = Coordinates(tree, budget, tree->Kid(id, k));
        if (term.empty() || (k > 0 && term.size() != out.size())) return {};
        for (size_t j = 0; j < term.size(); ++j) {
          if (k == 0)
            out.push_back(term[j]);
          else
            out[j] = tree->Add(Op::kAdd, {out[j], term[j]});
        }
      }
      return out;
    case Op::kMul: {
      const uint32_t last = n.n - 1;
      out = Coordinates(tree, budget, tree->Kid(id, last));
      for (uint32_t k = 0; k < last && !out.empty(); ++k) {
        const NodeId factor = tree->Kid(id, k);
        if (ContainsOp(*tree, factor, Op::kTuple) || NamesPoint(*tree, factor)) return {};
        for (NodeId& x : out) x = tree->Add(Op::kMul, {factor, x});
      }
      return out;
    }
    default:
      return {};
  }
}

}  // namespace

NodeId EvaluateTuples(Tree* tree, Budget* budget, NodeId id) {
  const Op op = (*tree)[id].op;
  if ((op != Op::kAdd && op != Op::kMul && op != Op::kNeg && op != Op::kDiv) ||
      !ContainsOp(*tree, id, Op::kTuple))
    return id;
  const Items items = Coordinates(tree, budget, id);
  return items.empty() ? id
                       : tree->Add(Op::kTuple, items.data(), static_cast<uint32_t>(items.size()));
}

}  // namespace assay::math
