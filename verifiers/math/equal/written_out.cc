#include "verifiers/math/equal/written_out.h"

#include <string>
#include <vector>

#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

constexpr int64_t kMostTerms = 12;

// x_(3) as the symbol x_3.
NodeId WithPlainIndices(Tree* tree, NodeId id) {
  return CopyWith(tree, id, [tree](NodeId at) -> NodeId {
    const Node& n = (*tree)[at];
    if (n.op != Op::kApply || n.n != 1 || !tree->Name(at).ends_with('_')) return kNoNode;
    const Node& index = (*tree)[tree->Kid(at, 0)];
    if (index.op != Op::kNum || index.den != 1 || index.num < 0) return kNoNode;
    const std::string name = tree->Name(at) + std::to_string(index.num);
    return tree->Symbol(name);
  });
}

// The sine of k times 15 degrees, kNoNode where k is out of 0 to 6.
NodeId SineOf(Tree* tree, int k) {
  const auto root = [tree](int64_t n) {
    return tree->Add(Op::kRoot, {tree->Number(n), tree->Number(2)});
  };
  switch (k) {
    case 0:
      return tree->Number(0);
    case 1:
      return tree->Add(Op::kDiv, {tree->Sub(root(6), root(2)), tree->Number(4)});
    case 2:
      return tree->Number(1, 2);
    case 3:
      return tree->Add(Op::kDiv, {root(2), tree->Number(2)});
    case 4:
      return tree->Add(Op::kDiv, {root(3), tree->Number(2)});
    case 5:
      return tree->Add(Op::kDiv, {tree->Add(Op::kAdd, {root(6), root(2)}), tree->Number(4)});
    default:
      return k == 6 ? tree->Number(1) : kNoNode;
  }
}

// The same for any k.
NodeId SineOfAny(Tree* tree, int k) {
  k = (k % 24 + 24) % 24;
  if (k > 12) return tree->Neg(SineOf(tree, k <= 18 ? k - 12 : 24 - k));
  return SineOf(tree, k <= 6 ? k : 12 - k);
}

}  // namespace

NodeId SumsWrittenOut(Tree* tree, NodeId id) {
  return CopyWith(tree, id, [tree](NodeId at) -> NodeId {
    const Node n = (*tree)[at];
    if ((n.op != Op::kSum && n.op != Op::kProd) || n.n != 4) return kNoNode;
    const NodeId variable = tree->Kid(at, 0);
    const Node low = (*tree)[tree->Kid(at, 1)];
    const Node high = (*tree)[tree->Kid(at, 2)];
    const bool whole = low.op == Op::kNum && high.op == Op::kNum && low.den == 1 && high.den == 1;
    if ((*tree)[variable].op != Op::kSym || !whole || high.num <= low.num ||
        high.num - low.num >= kMostTerms)
      return kNoNode;
    const std::string name = tree->Name(variable);
    const NodeId body = tree->Kid(at, 3);
    std::vector<NodeId> terms;
    for (int64_t k = low.num; k <= high.num; ++k) {
      const NodeId term = SubstituteSymbol(tree, body, name, tree->Number(k));
      terms.push_back(WithPlainIndices(tree, term));
    }
    return tree->Add(n.op == Op::kSum ? Op::kAdd : Op::kMul, terms.data(),
                     static_cast<uint32_t>(terms.size()));
  });
}

NodeId ExactTrigonometry(Tree* tree, Scalars* scalars, NodeId id) {
  return CopyWith(tree, id, [tree, scalars](NodeId at) -> NodeId {
    const Node n = (*tree)[at];
    if (n.op != Op::kFunc) return kNoNode;
    const auto function = static_cast<FuncId>(n.aux);
    if (function != FuncId::kSin && function != FuncId::kCos && function != FuncId::kTan)
      return kNoNode;
    const NodeId angle = tree->Kid(at, 0);
    if (!scalars->TraitsOf(angle).constant()) return kNoNode;
    const NodeId unit = tree->Add(Op::kDiv, {tree->Const(ConstId::kPi), tree->Number(12)});
    const auto steps = scalars->ConstantRatio(angle, unit);
    if (!steps || !steps->IsInteger() || fmpz_cmp_si(steps->num(), 1000) > 0 ||
        fmpz_cmp_si(steps->num(), -1000) < 0)
      return kNoNode;
    const int k = static_cast<int>(fmpz_get_si(steps->num()));
    if (function == FuncId::kSin) return SineOfAny(tree, k);
    const NodeId cosine = SineOfAny(tree, k + 6);
    if (function == FuncId::kCos) return cosine;
    if ((k % 12 + 12) % 12 == 6) return kNoNode;
    return tree->Add(Op::kDiv, {SineOfAny(tree, k), cosine});
  });
}

}  // namespace assay::math
