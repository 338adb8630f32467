#include "verifiers/math/equal/traits.h"

#include <algorithm>

namespace assay::math {
namespace {

enum class Change { kNone, kSteps, kPieces };

// Whether an operator is one formula throughout, goes in steps, or is made of pieces.
Change ChangeOf(const Node& n) {
  switch (n.op) {
    case Op::kFloor:
    case Op::kCeil:
    case Op::kMod:
    case Op::kGcd:
    case Op::kLcm:
      return Change::kSteps;
    case Op::kAbs:
    case Op::kMax:
    case Op::kMin:
    case Op::kNorm:
      return Change::kPieces;
    case Op::kFunc: {
      const auto f = static_cast<FuncId>(n.aux);
      return f == FuncId::kSign || f == FuncId::kArg ? Change::kPieces : Change::kNone;
    }
    default:
      return Change::kNone;
  }
}

class Collector {
 public:
  Collector(const Tree& tree, Budget* budget) : tree_(tree), budget_(*budget) {}

  void Collect(NodeId id, Traits* out) {
    if (!budget_.Spend(1)) return;
    const Node& n = tree_[id];
    switch (n.op) {
      case Op::kSym:
        return Symbol(tree_.Name(id), out);
      case Op::kConst:
        if (n.aux == static_cast<uint8_t>(ConstId::kI)) out->imaginary = true;
        if (n.aux == static_cast<uint8_t>(ConstId::kInf)) out->opaque = true;
        return;
      case Op::kSum:
      case Op::kProd:
        return Series(id, out);
      case Op::kLim:
      case Op::kInt:
      case Op::kDeriv:
        out->unevaluated = true;
        out->opaque = true;
        break;
      case Op::kApply:
      case Op::kDiff:
        out->opaque = true;
        break;
      case Op::kList:
      case Op::kSet:
      case Op::kSeq:
        if (n.n != 1) out->not_scalar = true;
        break;
      case Op::kPow: {
        Traits exponent;
        Collect(tree_.Kid(id, 1), &exponent);
        if (!exponent.symbols.empty()) out->symbolic_power = true;
        break;
      }
      default:
        if (IsNoScalar(n.op)) out->not_scalar = true;
        Changes(id, out);
        break;
    }
    for (uint32_t k = 0; k < n.n; ++k) Collect(tree_.Kid(id, k), out);
  }

 private:
  static bool IsNoScalar(Op op) {
    switch (op) {
      case Op::kText:
      case Op::kRel:
      case Op::kCongruent:
      case Op::kTuple:
      case Op::kInterval:
      case Op::kUnion:
      case Op::kIntersect:
      case Op::kMinus:
      case Op::kNamedSet:
      case Op::kBuilder:
      case Op::kMatrix:
      case Op::kTime:
      case Op::kDet:
      case Op::kPm:
        return true;
      default:
        return false;
    }
  }

  void Symbol(std::string_view name, Traits* out) const {
    const auto has = [name](const std::vector<std::string_view>& names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    if (!has(bound_) && out->symbols.size() < 64 && !has(out->symbols))
      out->symbols.push_back(name);
  }

  void Series(NodeId id, Traits* out) {
    Traits bounds;
    for (const uint32_t k : {1u, 2u}) Collect(tree_.Kid(id, k), &bounds);
    if (!bounds.symbols.empty()) out->open_sum = true;
    bound_.push_back(tree_.Name(tree_.Kid(id, 0)));
    for (const uint32_t k : {1u, 2u, 3u}) Collect(tree_.Kid(id, k), out);
    bound_.pop_back();
  }

  void Changes(NodeId id, Traits* out) {
    const Node& n = tree_[id];
    const Change change = ChangeOf(n);
    if (change == Change::kNone) return;
    if (n.op != Op::kFunc) {
      Traits inner;
      for (uint32_t k = 0; k < n.n; ++k) Collect(tree_.Kid(id, k), &inner);
      if (inner.symbols.empty() && !inner.opaque) return;
    }
    (change == Change::kSteps ? out->steps : out->pieces) = true;
  }

  const Tree& tree_;
  Budget& budget_;
  std::vector<std::string_view> bound_;
};

}  // namespace

Traits TraitsOf(const Tree& tree, Budget* budget, NodeId id) {
  Traits t;
  Collector(tree, budget).Collect(id, &t);
  return t;
}

int InfinitySign(const Tree& tree, NodeId id) {
  const Node& n = tree[id];
  switch (n.op) {
    case Op::kConst:
      return n.aux == static_cast<uint8_t>(ConstId::kInf) ? 1 : 0;
    case Op::kNeg:
      return -InfinitySign(tree, tree.Kid(id, 0));
    case Op::kPercent:
    case Op::kQuantity:
    case Op::kDegree:
      return InfinitySign(tree, tree.Kid(id, 0));
    default:
      return 0;
  }
}

}  // namespace assay::math
