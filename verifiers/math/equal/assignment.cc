// Names and what is assigned to them: x = 4, f(x) = 2x, AB = 5, and chains of equations that come down to one.
#include <string>

#include "verifiers/math/equal/comparison.h"
#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

bool IsCapital(const Tree& tree, NodeId id) {
  return tree[id].op == Op::kSym && !tree.Name(id).empty() && tree.Name(id)[0] >= 'A' &&
         tree.Name(id)[0] <= 'Z';
}

bool IsSegment(const Tree& tree, NodeId id) {
  const Node& n = tree[id];
  if (n.op != Op::kMul) return false;
  for (uint32_t k = 0; k < n.n; ++k) {
    if (!IsCapital(tree, tree.Kid(id, k))) return false;
  }
  return true;
}

// The gradient's sign, and that of a difference.
bool IsOperator(const Tree& tree, NodeId id) {
  return tree[id].op == Op::kSym && (tree.Name(id) == "nabla" || tree.Name(id) == "Delta");
}

// What a value may be assigned to: x, f(x), \nabla f, \Delta x, I(0), (x, y), AB, |AB|, NO/BO, S_1 : S_2, words.
bool IsName(const Tree& tree, NodeId id) {
  const Node& n = tree[id];
  switch (n.op) {
    case Op::kSym:
      return true;
    case Op::kApply:
      return tree.Name(id)[0] != '\\';
    case Op::kTuple:
    case Op::kRatio:
      for (uint32_t k = 0; k < n.n; ++k) {
        if (!IsName(tree, tree.Kid(id, k))) return false;
      }
      return true;
    case Op::kMul:
      if (n.n == 2 && IsOperator(tree, tree.Kid(id, 0))) return IsName(tree, tree.Kid(id, 1));
      for (uint32_t k = 0; k < n.n; ++k) {
        if (!IsCapital(tree, tree.Kid(id, k))) return false;
      }
      return true;
    case Op::kDet:
      return IsName(tree, tree.Kid(id, 0));
    case Op::kAbs:
    case Op::kNorm:
      return IsSegment(tree, tree.Kid(id, 0));
    case Op::kDiv:
      if (tree[tree.Kid(id, 0)].op == Op::kApply && tree[tree.Kid(id, 1)].op == Op::kApply)
        return IsName(tree, tree.Kid(id, 0)) && IsName(tree, tree.Kid(id, 1));
      return IsSegment(tree, tree.Kid(id, 0)) && IsSegment(tree, tree.Kid(id, 1));
    default:
      return false;
  }
}

// f(1) + f(2): unknown functions at constants, and no other unknown.
bool IsFunctionValues(Comparison* cmp, NodeId id) {
  const Op op = cmp->tree[id].op;
  if (op != Op::kAdd && op != Op::kMul && op != Op::kDiv && op != Op::kNeg) return false;
  const Traits t = cmp->scalars.TraitsOf(id);
  return t.symbols.empty() && t.opaque && !t.not_scalar && ContainsOp(cmp->tree, id, Op::kApply);
}

NodeId MakeRelation(Comparison* cmp, NodeId left, NodeId right, char op) {
  return cmp->tree.Named(Op::kRel, std::string(1, op), {left, right});
}

NodeId ReduceEqualities(Comparison* cmp, const Ids& parts) {
  Tree& tree = cmp->tree;
  const NodeId last = parts.back();
  const auto value = [&tree](NodeId id) {  // 1010_2 = 10
    return tree[id].op == Op::kBased ? tree.Kid(id, 0) : id;
  };
  bool constants = true;
  for (const NodeId p : parts) constants = constants && cmp->scalars.TraitsOf(p).constant();
  if (constants) {
    for (size_t k = 0; k + 1 < parts.size(); ++k) {
      // 4 = 5 is false; 1 ft = 12 in, and other sides of which one has a unit that the other lacks, convert.
      const bool units = Peel(cmp, parts[k]).unit.Empty() == Peel(cmp, last).unit.Empty();
      if (units && !SameQuantity(cmp, value(parts[k]), value(last)).yes())
        return MakeRelation(cmp, parts[k], last, kEq);
    }
    cmp->detail = nullptr;
    return last;
  }
  if (parts.size() == 2 && IsName(tree, last) && !IsName(tree, parts[0]))
    return MakeRelation(cmp, last, parts[0], kEq);
  for (const NodeId p : parts) {
    if (p != last && IsName(tree, p)) return MakeRelation(cmp, p, last, kEq);
  }
  // m + n = 2 + 4 = 5 is no chain to cut short.
  if (parts.size() > 2 && cmp->scalars.TraitsOf(last).constant()) {
    for (size_t k = 1; k + 1 < parts.size(); ++k) {
      if (!cmp->scalars.TraitsOf(parts[k]).constant() || SameQuantity(cmp, parts[k], last).yes())
        continue;
      const NodeId chain = tree.Add(Op::kRel, parts.data(), static_cast<uint32_t>(parts.size()));
      tree.nodes[chain].num = tree.Intern(std::string(parts.size() - 1, kEq));
      return chain;
    }
  }
  return MakeRelation(cmp, parts[0], last, kEq);
}

}  // namespace

Assignment AsAssignment(Comparison* cmp, NodeId id) {
  Tree& tree = cmp->tree;
  const Node& n = tree[id];
  if (n.op != Op::kRel || n.n != 2) return {};
  const char op = tree.Name(id)[0];
  if (op != kEq && op != kIn) return {};
  const NodeId name = tree.Kid(id, 0);
  const NodeId value = tree.Kid(id, 1);
  if ((!IsName(tree, name) && !IsFunctionValues(cmp, name)) ||
      (tree[name].op == Op::kSym && ContainsSymbol(tree, value, tree.Name(name))))
    return {};
  return {name, value};
}

NodeId ReduceChain(Comparison* cmp, NodeId id) {
  Tree& tree = cmp->tree;
  std::string ops = tree.Name(id);
  Ids parts;
  for (uint32_t k = 0; k < tree[id].n; ++k) parts.push_back(tree.Kid(id, k));
  const size_t implied = ops.rfind(static_cast<char>(kImplies));
  if (implied != std::string::npos && implied + 1 < ops.size()) {
    parts.erase(parts.begin(), parts.begin() + static_cast<int64_t>(implied) + 1);
    ops.erase(0, implied + 1);
  }
  const bool cut = implied != std::string::npos;
  const size_t about = ops.find(static_cast<char>(kApprox));
  if (about != std::string::npos) {
    if (about == 0 && IsName(tree, parts[0])) {
      ops[0] = kEq;
    } else {
      parts.resize(about + 1);
      ops.resize(about);
    }
    const size_t next = ops.find(static_cast<char>(kApprox));
    if (next != std::string::npos) parts.resize(next + 1), ops.resize(next);
  }
  if (ops.empty()) return Shell(cmp, parts[0]);
  if (ops.find_first_not_of(static_cast<char>(kEq)) != std::string::npos) {
    if (!cut && about == std::string::npos) return id;
    const NodeId shorter = tree.Add(Op::kRel, parts.data(), static_cast<uint32_t>(parts.size()));
    tree.nodes[shorter].num = tree.Intern(ops);
    return shorter;
  }
  return ReduceEqualities(cmp, parts);
}

}  // namespace assay::math
