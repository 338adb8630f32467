#include "verifiers/math/equal/root_factors.h"

#include <vector>

#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

// 1/2 as a literal or as a quotient of literals.
bool IsProperFraction(const Tree& tree, NodeId id, int64_t* num, int64_t* den) {
  const Node& n = tree[id];
  if (n.op == Op::kNum) {
    *num = n.num;
    *den = n.den;
  } else if (n.op == Op::kDiv && tree[tree.Kid(id, 0)].op == Op::kNum &&
             tree[tree.Kid(id, 1)].op == Op::kNum && tree[tree.Kid(id, 0)].den == 1 &&
             tree[tree.Kid(id, 1)].den == 1) {
    *num = tree[tree.Kid(id, 0)].num;
    *den = tree[tree.Kid(id, 1)].num;
  } else {
    return false;
  }
  return *den > 1;
}

// The factors of a product, flat.
void Factors(const Tree& tree, NodeId id, std::vector<NodeId>* out) {
  if (tree[id].op != Op::kMul) {
    out->push_back(id);
    return;
  }
  for (uint32_t k = 0; k < tree[id].n; ++k) Factors(tree, tree.Kid(id, k), out);
}

// c^{num/den} for a whole c > 0, with what is a power of den taken out: 8^{1/2} as 2 * 2^{1/2}.
NodeId RootOfNumber(Tree* tree, int64_t c, int64_t num, int64_t den) {
  constexpr int64_t kMostFactor = 1000;
  int64_t outside = 1;
  for (int64_t s = 2; s <= kMostFactor && s <= c; ++s) {
    int64_t power = 1;
    int64_t k = 0;
    for (; k < den && power <= c / s; ++k) power *= s;
    if (k < den) break;  // greater ones are too great as well
    for (; c % power == 0; c /= power) outside *= s;
  }
  const NodeId inside = tree->Add(Op::kPow, {tree->Number(c), tree->Number(num, den)});
  const NodeId factor = tree->Add(Op::kPow, {tree->Number(outside), tree->Number(num)});
  return c == 1 ? factor : tree->Add(Op::kMul, {factor, inside});
}

NodeId Product(Tree* tree, const std::vector<NodeId>& factors) {
  if (factors.empty()) return tree->Number(1);
  if (factors.size() == 1) return factors[0];
  return tree->Add(Op::kMul, factors.data(), static_cast<uint32_t>(factors.size()));
}

}  // namespace

NodeId NumbersOutOfRoots(Tree* tree, NodeId id) {
  return CopyWith(tree, id, [tree](NodeId at) -> NodeId {
    const Node n = (*tree)[at];
    if (n.op != Op::kRoot && n.op != Op::kPow) return kNoNode;
    int64_t num = 1;
    int64_t den = 1;
    const NodeId index = tree->Kid(at, 1);
    if (n.op == Op::kRoot) {
      den = (*tree)[index].op == Op::kNum && (*tree)[index].den == 1 ? (*tree)[index].num : 1;
      if (den < 2) return kNoNode;
    } else if (!IsProperFraction(*tree, index, &num, &den)) {
      return kNoNode;
    }
    NodeId radicand = tree->Kid(at, 0);
    NodeId divisor = kNoNode;
    if ((*tree)[radicand].op == Op::kDiv && (*tree)[tree->Kid(radicand, 1)].op == Op::kNum &&
        (*tree)[tree->Kid(radicand, 1)].num > 0) {
      divisor = tree->Kid(radicand, 1);
      radicand = tree->Kid(radicand, 0);
    }
    std::vector<NodeId> factors;
    Factors(*tree, radicand, &factors);
    int64_t number = 1;
    std::vector<NodeId> rest;
    for (const NodeId f : factors) {
      const Node& x = (*tree)[f];
      int64_t product = 0;
      const bool whole = x.op == Op::kNum && x.num > 0 && x.den == 1 &&
                         !__builtin_mul_overflow(number, x.num, &product);
      if (whole)
        number = product;
      else
        rest.push_back(f);
    }
    if (rest.empty() && divisor == kNoNode && number > 1)
      return RootOfNumber(tree, number, num, den);
    if (rest.empty()) return kNoNode;
    const NodeId exponent = tree->Number(num, den);
    const auto power = [&](NodeId base) { return tree->Add(Op::kPow, {base, exponent}); };
    NodeId out = power(Product(tree, rest));
    if (number > 1) out = tree->Add(Op::kMul, {RootOfNumber(tree, number, num, den), out});
    return divisor == kNoNode ? out : tree->Add(Op::kDiv, {out, power(divisor)});
  });
}

}  // namespace assay::math
