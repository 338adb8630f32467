#include "verifiers/math/equal/unit_vector.h"

#include <string>
#include <vector>

#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

constexpr int kNone = -1;

// 0, 1, 2 for i, j, k. A plain i is read as the imaginary unit.
int BasisIndex(const Tree& tree, NodeId id) {
  const Node& n = tree[id];
  if (n.op == Op::kConst) return n.aux == static_cast<uint8_t>(ConstId::kI) ? 0 : kNone;
  if (n.op != Op::kSym) return kNone;
  const std::string& name = tree.Name(id);
  // \hat{\mathbf{i}} is read as a hat twice.
  const auto hat = [&name](const char* one, const char* twice) {
    return name == one || name == twice;
  };
  if (hat("hat(i)", "hat(hat(i))")) return 0;
  if (name == "j" || hat("hat(j)", "hat(hat(j))")) return 1;
  if (name == "k" || hat("hat(k)", "hat(hat(k))")) return 2;
  return kNone;
}

struct Found {
  bool hat = false;     // \hat{i}: letters alone may be variables or the imaginary unit
  bool beyond = false;  // a direction that the tuple has not
};

void Look(const Tree& tree, NodeId id, uint32_t size, Found* out) {
  const int index = BasisIndex(tree, id);
  if (index >= static_cast<int>(size)) out->beyond = true;
  if (index != kNone && tree[id].op == Op::kSym && tree.Name(id).size() > 1) out->hat = true;
  for (uint32_t k = 0; k < tree[id].n; ++k) Look(tree, tree.Kid(id, k), size, out);
}

// The expression with one direction as 1 and the others as 0; all 0 for kNone.
NodeId Coordinate(Tree* tree, NodeId id, int direction) {
  return CopyWith(tree, id, [&](NodeId at) -> NodeId {
    const int index = BasisIndex(*tree, at);
    return index == kNone ? kNoNode : tree->Number(index == direction ? 1 : 0);
  });
}

}  // namespace

NodeId WithoutHats(Tree* tree, NodeId id) {
  return CopyWith(tree, id, [tree](NodeId at) -> NodeId {
    const int index = BasisIndex(*tree, at);
    if (index == kNone || (*tree)[at].op != Op::kSym || tree->Name(at).size() == 1) return kNoNode;
    return index == 0 ? tree->Const(ConstId::kI) : tree->Symbol(index == 1 ? "j" : "k");
  });
}

NodeId AsUnitVectorSum(Tree* tree, Scalars* scalars, NodeId id, uint32_t size) {
  const Op op = (*tree)[id].op;
  if (size < 2 || size > 3 ||
      (op != Op::kAdd && op != Op::kMul && op != Op::kNeg && op != Op::kDiv && op != Op::kSym))
    return kNoNode;
  Found found;
  Look(*tree, id, size, &found);
  if (!found.hat || found.beyond || !scalars->IsZero(Coordinate(tree, id, kNone))) return kNoNode;
  std::vector<NodeId> coordinates;
  std::vector<NodeId> terms;
  for (uint32_t k = 0; k < size; ++k) {
    coordinates.push_back(Coordinate(tree, id, static_cast<int>(k)));
    const NodeId direction = tree->Symbol("?e" + std::to_string(k));
    terms.push_back(tree->Add(Op::kMul, {coordinates.back(), direction}));
  }
  // Linear: the sum of its coordinates times their directions.
  const NodeId opened = CopyWith(tree, id, [&](NodeId at) -> NodeId {
    const int index = BasisIndex(*tree, at);
    return index == kNone ? kNoNode : tree->Symbol("?e" + std::to_string(index));
  });
  const NodeId sum = tree->Add(Op::kAdd, terms.data(), size);
  if (!scalars->IsZero(tree->Sub(opened, sum))) return kNoNode;
  return tree->Add(Op::kTuple, coordinates.data(), size);
}

}  // namespace assay::math
