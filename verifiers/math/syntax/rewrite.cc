#include "verifiers/math/syntax/rewrite.h"

#include <algorithm>
#include <string>

namespace assay::math {
namespace {

constexpr size_t kMaxSigns = 4;

void CollectSigns(const Tree& tree, NodeId id, std::vector<NodeId>* out) {
  if (out->size() > kMaxSigns) return;
  if (tree[id].op == Op::kPm) out->push_back(id);
  for (uint32_t k = 0; k < tree[id].n; ++k) CollectSigns(tree, tree.Kid(id, k), out);
}

// A copy with the signs that `mask` says; signs may stand within signs.
NodeId ChooseSigns(Tree* tree, NodeId id, const std::vector<NodeId>& signs,
                   const std::vector<int>& bit, int mask) {
  return CopyWith(tree, id, [&](NodeId at) -> NodeId {
    const auto it = std::find(signs.begin(), signs.end(), at);
    if (it == signs.end()) return kNoNode;
    const size_t k = static_cast<size_t>(it - signs.begin());
    const bool mirrored = (*tree)[at].aux != 0;
    const bool minus = ((mask >> (mirrored ? 0 : bit[k])) & 1) != (mirrored ? 1 : 0);
    const NodeId value = ChooseSigns(tree, tree->Kid(at, 0), signs, bit, mask);
    return minus ? tree->Neg(value) : value;
  });
}

// Every choice of signs of one item. Minus-plus is tied to the first plus-minus, which it mirrors.
bool Variants(Tree* tree, NodeId id, std::vector<NodeId>* out) {
  std::vector<NodeId> signs;
  CollectSigns(*tree, id, &signs);
  if (signs.size() > kMaxSigns) return false;
  if (signs.empty()) {
    out->push_back(id);
    return true;
  }
  std::vector<int> bit(signs.size(), 0);
  int bits = 0;
  for (size_t k = 0; k < signs.size(); ++k) {
    if ((*tree)[signs[k]].aux == 0) bit[k] = bits++;
  }
  bits = std::max(bits, 1);
  for (int mask = 0; mask < (1 << bits); ++mask) {
    out->push_back(ChooseSigns(tree, id, signs, bit, mask));
  }
  return true;
}

void CollectSymbols(const Tree& tree, NodeId id, std::vector<std::string>* out) {
  const Op op = tree[id].op;
  if (op == Op::kSym && out->size() < 64 &&
      std::find(out->begin(), out->end(), tree.Name(id)) == out->end()) {
    out->push_back(tree.Name(id));
  }
  for (uint32_t k = 0; k < tree[id].n; ++k) CollectSymbols(tree, tree.Kid(id, k), out);
}

NodeId RenameAll(Tree* tree, NodeId id, const std::vector<std::string>& from,
                 const std::vector<std::string>& to) {
  return CopyWith(tree, id, [&](NodeId at) -> NodeId {
    if ((*tree)[at].op != Op::kSym) return kNoNode;
    const auto it = std::find(from.begin(), from.end(), tree->Name(at));
    if (it == from.end()) return kNoNode;
    return tree->Symbol(std::string(to[static_cast<size_t>(it - from.begin())]));
  });
}

}  // namespace

bool ContainsOp(const Tree& tree, NodeId id, Op op) {
  if (tree[id].op == op) return true;
  for (uint32_t k = 0; k < tree[id].n; ++k) {
    if (ContainsOp(tree, tree.Kid(id, k), op)) return true;
  }
  return false;
}

bool ContainsSymbol(const Tree& tree, NodeId id, std::string_view name) {
  if (tree[id].op == Op::kSym && tree.Name(id) == name) return true;
  for (uint32_t k = 0; k < tree[id].n; ++k) {
    if (ContainsSymbol(tree, tree.Kid(id, k), name)) return true;
  }
  return false;
}

NodeId ExpandSigns(Tree* tree, NodeId id) {
  const Op op = (*tree)[id].op;
  std::vector<NodeId> items;
  if (op == Op::kList || op == Op::kSet || op == Op::kSeq) {
    const uint32_t count = (*tree)[id].n;
    for (uint32_t k = 0; k < count; ++k) {
      if (!Variants(tree, tree->Kid(id, k), &items) || items.size() > 256) return kNoNode;
    }
    const uint16_t flags = (*tree)[id].flags;
    const NodeId list = tree->Add(op, items.data(), static_cast<uint32_t>(items.size()));
    tree->nodes[list].flags = flags;
    return list;
  }
  // q \in \{0, \pm 2\}: the signs are the set's.
  if (op == Op::kRel && (*tree)[id].n == 2) {
    const NodeId right = tree->Kid(id, 1);
    const Op of_right = (*tree)[right].op;
    if ((of_right == Op::kList || of_right == Op::kSet) &&
        !ContainsOp(*tree, tree->Kid(id, 0), Op::kPm)) {
      const NodeId written_out = ExpandSigns(tree, right);
      if (written_out == kNoNode) return kNoNode;
      const NodeId pair[] = {tree->Kid(id, 0), written_out};
      return tree->Add(op, pair, 2, (*tree)[id].aux, (*tree)[id].num);
    }
  }
  if (!Variants(tree, id, &items)) return kNoNode;
  return tree->Add(Op::kList, items.data(), static_cast<uint32_t>(items.size()));
}

NodeId RenameLike(Tree* tree, NodeId id, NodeId model) {
  std::vector<std::string> from;
  std::vector<std::string> to;
  CollectSymbols(*tree, id, &from);
  CollectSymbols(*tree, model, &to);
  if (from.size() != to.size() || from == to) return kNoNode;
  return RenameAll(tree, id, from, to);
}

NodeId RenameArguments(Tree* tree, NodeId name, NodeId value, NodeId model) {
  const Node x = (*tree)[name];
  const Node y = (*tree)[model];
  if (x.op != Op::kApply || y.op != Op::kApply || x.n != y.n ||
      tree->Name(name) != tree->Name(model))
    return kNoNode;
  std::vector<std::string> from;
  std::vector<std::string> to;
  for (uint32_t k = 0; k < x.n; ++k) {
    const NodeId a = tree->Kid(name, k);
    const NodeId b = tree->Kid(model, k);
    if ((*tree)[a].op != Op::kSym || (*tree)[b].op != Op::kSym) return kNoNode;
    from.push_back(tree->Name(a));
    to.push_back(tree->Name(b));
  }
  return RenameAll(tree, value, from, to);
}

NodeId SubstituteSymbol(Tree* tree, NodeId id, std::string_view name, NodeId value) {
  return CopyWith(tree, id, [&](NodeId at) -> NodeId {
    return (*tree)[at].op == Op::kSym && tree->Name(at) == name ? value : kNoNode;
  });
}

}  // namespace assay::math
