#include "verifiers/math/syntax/tree.h"

#include <algorithm>

namespace assay::math {

NodeId Tree::Add(Op op, const NodeId* children, uint32_t n, uint8_t aux, int64_t num) {
  Node node;
  node.op = op;
  node.aux = aux;
  node.first = static_cast<uint32_t>(kids.size());
  node.n = n;
  node.num = num;
  kids.insert(kids.end(), children, children + n);
  nodes.push_back(node);
  return static_cast<NodeId>(nodes.size() - 1);
}

NodeId Tree::Number(int64_t num, int64_t den) {
  int64_t a = num < 0 ? -num : num;
  int64_t b = den;
  while (b != 0) {
    const int64_t r = a % b;
    a = b;
    b = r;
  }
  Node node;
  node.op = Op::kNum;
  node.num = a > 1 ? num / a : num;
  node.den = a > 1 ? den / a : den;
  nodes.push_back(node);
  return static_cast<NodeId>(nodes.size() - 1);
}

int64_t Tree::Intern(std::string_view name) {
  // Answers have few names; beyond the first ones a repeated name may be stored again, which does no harm.
  constexpr size_t kScan = 64;
  for (size_t i = 0; i < std::min(names.size(), kScan); ++i) {
    if (names[i] == name) return static_cast<int64_t>(i);
  }
  names.emplace_back(name);
  return static_cast<int64_t>(names.size() - 1);
}

NodeId Tree::Symbol(std::string_view name) {
  Node node;
  node.op = Op::kSym;
  node.num = Intern(name);
  nodes.push_back(node);
  return static_cast<NodeId>(nodes.size() - 1);
}

NodeId Tree::Named(Op op, std::string_view name, std::initializer_list<NodeId> children,
                   uint8_t aux) {
  const int64_t index = Intern(name);
  return Add(op, children.begin(), static_cast<uint32_t>(children.size()), aux, index);
}

NodeId Tree::Import(const Tree& other, NodeId root) {
  Node node = other.nodes[root];
  std::vector<NodeId> copies;
  copies.reserve(node.n);
  for (uint32_t k = 0; k < node.n; ++k) copies.push_back(Import(other, other.Kid(root, k)));
  switch (node.op) {
    case Op::kSym:
    case Op::kApply:
    case Op::kText:
    case Op::kRel:
    case Op::kQuantity:
    case Op::kBased:
    case Op::kDeriv:
      node.num = Intern(other.names[static_cast<size_t>(node.num)]);
      break;
    case Op::kBig:
      bigs.push_back(other.bigs[static_cast<size_t>(node.num)]);
      node.num = static_cast<int64_t>(bigs.size() - 1);
      break;
    default:
      break;
  }
  node.first = static_cast<uint32_t>(kids.size());
  kids.insert(kids.end(), copies.begin(), copies.end());
  nodes.push_back(node);
  return static_cast<NodeId>(nodes.size() - 1);
}

}  // namespace assay::math
