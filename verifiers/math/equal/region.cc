#include "verifiers/math/equal/region.h"

#include <algorithm>
#include <string>

#include "verifiers/math/syntax/rewrite.h"
#include "verifiers/math/value/real_breaks.h"

namespace assay::math {
namespace {

constexpr size_t kMaxPoints = 40;
constexpr size_t kMaxAbsolutes = 3;

NodeId RationalNode(Tree* tree, const Rational& q) {
  const NodeId num = WholeNode(tree, q.num());
  return q.IsInteger() ? num : tree->Add(Op::kDiv, {num, WholeNode(tree, q.den())});
}

class Regions {
 public:
  Regions(Tree* tree, Scalars* scalars, Budget* budget)
      : tree_(*tree), scalars_(*scalars), budget_(*budget) {}

  // Checks the form and collects points where membership may change.
  bool Prepare(NodeId id, std::string* unknown) {
    if (!budget_.Spend(4) || points_.size() > kMaxPoints) return false;
    const Node n = tree_[id];
    switch (n.op) {
      case Op::kInterval:
        return Point(tree_.Kid(id, 0)) && Point(tree_.Kid(id, 1)) && Ascending(id);
      case Op::kTuple:
        return n.n == 2 && Point(tree_.Kid(id, 0)) && Point(tree_.Kid(id, 1)) && Ascending(id);
      case Op::kSet:
      case Op::kList:
        return Several(id, unknown);
      case Op::kNamedSet:
        return n.aux == 'R' || n.aux == 0;
      case Op::kUnion:
      case Op::kIntersect:
      case Op::kMinus:
        for (uint32_t k = 0; k < n.n; ++k) {
          if (!Prepare(tree_.Kid(id, k), unknown)) return false;
        }
        return true;
      case Op::kBuilder:
        return Builder(id, unknown);
      case Op::kRel:  // an equation only beside inequalities
        return tree_.Name(id)[0] != kEq && Relation(id, unknown);
      default:
        return Point(id);
    }
  }

  bool SortPoints() {
    std::vector<NodeId> sorted;
    for (const NodeId p : points_) {
      size_t at = 0;
      bool duplicate = false;
      for (; at < sorted.size(); ++at) {
        const auto order = scalars_.Order(p, sorted[at]);
        if (!order) return false;
        if (*order > 0) continue;
        duplicate = *order == 0;
        break;
      }
      if (!duplicate) sorted.insert(sorted.begin() + static_cast<int64_t>(at), p);
    }
    points_ = sorted;
    return true;
  }

  // One sample for every point and every gap between points.
  std::vector<NodeId> Cells() {
    std::vector<NodeId> cells;
    if (points_.empty()) return {tree_.Number(0)};
    cells.push_back(tree_.Add(Op::kAdd, {points_.front(), tree_.Number(-1)}));
    for (size_t k = 0; k < points_.size(); ++k) {
      cells.push_back(points_[k]);
      if (k + 1 < points_.size()) {
        const NodeId sum = tree_.Add(Op::kAdd, {points_[k], points_[k + 1]});
        cells.push_back(tree_.Add(Op::kMul, {tree_.Number(1, 2), sum}));
      }
    }
    cells.push_back(tree_.Add(Op::kAdd, {points_.back(), tree_.Number(1)}));
    return cells;
  }

  std::optional<bool> Contains(NodeId id, NodeId x, const std::string& unknown) {
    if (!budget_.Spend(4)) return std::nullopt;
    const Node n = tree_[id];
    switch (n.op) {
      case Op::kInterval:
      case Op::kTuple: {
        const auto low = scalars_.Order(x, tree_.Kid(id, 0));
        const auto high = scalars_.Order(x, tree_.Kid(id, 1));
        if (!low || !high) return std::nullopt;
        const int closed = n.op == Op::kInterval ? n.aux : 0;
        return (*low > 0 || (*low == 0 && (closed & 1) != 0)) &&
               (*high < 0 || (*high == 0 && (closed & 2) != 0));
      }
      case Op::kNamedSet:
        return n.aux == 'R';
      case Op::kUnion:
      case Op::kIntersect:
      case Op::kMinus:
      case Op::kSet:
        return Combined(id, x, unknown);
      case Op::kList:
        return ListContains(id, x, unknown);
      case Op::kBuilder:
        return Contains(tree_.Kid(id, 1), x, unknown);
      case Op::kRel:
        return Holds(id, x);
      default: {
        const auto order = scalars_.Order(x, id);
        if (!order) return std::nullopt;
        return *order == 0;
      }
    }
  }

 private:
  bool Point(NodeId id) {
    if (scalars_.InfinitySign(id) != 0) return true;
    if (!scalars_.TraitsOf(id).constant()) return false;
    points_.push_back(id);
    return true;
  }

  bool Ascending(NodeId id) {
    const auto order = scalars_.Order(tree_.Kid(id, 0), tree_.Kid(id, 1));
    return order && *order <= 0;
  }

  bool Several(NodeId id, std::string* unknown) {
    const uint32_t count = tree_[id].n;
    if (count > kMaxPoints) return false;
    for (uint32_t k = 0; k < count; ++k) {
      const NodeId kid = tree_.Kid(id, k);
      const Op op = tree_[kid].op;
      // A list of inequalities, or a list or set of numbers.
      if (op == Op::kRel ? tree_[id].op != Op::kList || !Relation(kid, unknown)
                         : op == Op::kTuple || !Point(kid))
        return false;
    }
    return true;
  }

  bool Builder(NodeId id, std::string* unknown) {
    NodeId element = tree_.Kid(id, 0);
    if (tree_[element].op == Op::kRel && tree_.Name(element) == std::string(1, kIn)) {
      const Node& domain = tree_[tree_.Kid(element, 1)];
      if (domain.op != Op::kNamedSet || domain.aux != 'R') return false;
      element = tree_.Kid(element, 0);
    }
    if (tree_[element].op != Op::kSym) return false;
    if (!unknown->empty() && *unknown != tree_.Name(element)) return false;
    *unknown = tree_.Name(element);
    const NodeId condition = tree_.Kid(id, 1);
    return (tree_[condition].op == Op::kRel || tree_[condition].op == Op::kList) &&
           Prepare(condition, unknown);
  }

  // The one unknown of a relation: a symbol, or an application such as f(x) that is never taken apart.
  std::string UnknownOf(NodeId id) {
    std::string found;
    if (!FindUnknown(id, &found)) return "";
    return found;
  }

  bool FindUnknown(NodeId id, std::string* found) {
    const Op op = tree_[id].op;
    if (op == Op::kSym || op == Op::kApply) {
      std::string name;
      PrintNode(tree_, id, &name);
      if (!found->empty() && *found != name) return false;
      *found = name;
      return true;
    }
    for (uint32_t k = 0; k < tree_[id].n; ++k) {
      if (!FindUnknown(tree_.Kid(id, k), found)) return false;
    }
    return true;
  }

  NodeId Substitute(NodeId id, const std::string& unknown, NodeId value) {
    return CopyWith(&tree_, id, [&](NodeId at) -> NodeId {
      const Op op = tree_[at].op;
      if (op != Op::kSym && op != Op::kApply) return kNoNode;
      std::string name;
      PrintNode(tree_, at, &name);
      return name == unknown ? value : kNoNode;
    });
  }

  bool Relation(NodeId id, std::string* unknown) {
    const std::string ops = tree_.Name(id);
    const bool point = ops == std::string(1, kEq) && tree_[tree_.Kid(id, 0)].op == Op::kSym &&
                       scalars_.TraitsOf(tree_.Kid(id, 1)).constant();
    if (!point && ops.find_first_not_of("<>lg#in") != std::string::npos) return false;
    const std::string name = UnknownOf(id);
    if (name.empty()) return false;
    if (unknown->empty() || *unknown == "_") *unknown = name;
    if (*unknown != name && name != "_") return false;
    std::vector<NodeId> parts;
    for (uint32_t k = 0; k < tree_[id].n; ++k) parts.push_back(tree_.Kid(id, k));
    for (size_t k = 0; k < ops.size(); ++k) {
      if (ops[k] == kIn || ops[k] == kNotIn) {
        std::string inner;
        if (ops.size() != 1 ||
            (tree_[parts[0]].op != Op::kSym && tree_[parts[0]].op != Op::kApply) ||
            !Prepare(parts[1], &inner))
          return false;
      } else if (!LinkZeros(parts[k], parts[k + 1], name)) {
        return false;
      }
    }
    return true;
  }

  // Zeros of left - right, for every choice of signs of the absolute values in it.
  bool LinkZeros(NodeId left, NodeId right, const std::string& unknown) {
    if (scalars_.InfinitySign(left) != 0 || scalars_.InfinitySign(right) != 0) return true;
    const NodeId probe = tree_.Symbol("?");
    const NodeId f = Substitute(tree_.Sub(left, right), unknown, probe);
    std::vector<NodeId> absolutes;
    FindAbsolutes(f, &absolutes);
    if (absolutes.size() > kMaxAbsolutes) return false;
    const std::string symbol = "?";
    for (size_t mask = 0; mask < (size_t{1} << absolutes.size()); ++mask) {
      const NodeId piece = CopyWith(&tree_, f, [&](NodeId at) -> NodeId {
        const auto it = std::find(absolutes.begin(), absolutes.end(), at);
        if (it == absolutes.end()) return kNoNode;
        const bool minus = ((mask >> (it - absolutes.begin())) & 1) != 0;
        return minus ? tree_.Neg(tree_.Kid(at, 0)) : tree_.Kid(at, 0);
      });
      if (!ZerosOf(piece, symbol)) return false;
    }
    return true;
  }

  void FindAbsolutes(NodeId id, std::vector<NodeId>* out) {
    if (tree_[id].op == Op::kAbs && ContainsSymbol(tree_, id, "?")) {
      out->push_back(id);
      return;  // nested ones make the piece no polynomial, and the link unreadable
    }
    for (uint32_t k = 0; k < tree_[id].n; ++k) FindAbsolutes(tree_.Kid(id, k), out);
  }

  // x - c with a constant c of any kind, or a rational function with rational coefficients whose zeros and poles can be written.
  bool ZerosOf(NodeId f, const std::string& symbol) {
    RealBreaks breaks;
    if (breaks.Add(&tree_, &budget_, f, symbol)) return breaks.Exactly(&tree_, &budget_, &points_);
    return IrrationalZero(f, symbol);
  }

  // a x + b with irrational constants: f must be the line through f(0) and f(1).
  bool IrrationalZero(NodeId f, const std::string& symbol) {
    const NodeId f0 = SubstituteSymbol(&tree_, f, symbol, tree_.Number(0));
    const NodeId f1 = SubstituteSymbol(&tree_, f, symbol, tree_.Number(1));
    const NodeId slope = tree_.Sub(f1, f0);
    const NodeId line =
        tree_.Add(Op::kAdd, {f0, tree_.Add(Op::kMul, {tree_.Symbol(symbol), slope})});
    if (scalars_.IsZero(slope) || !scalars_.Equal(f, line).yes()) return false;
    points_.push_back(tree_.Neg(tree_.Add(Op::kDiv, {f0, slope})));
    return true;
  }

  std::optional<bool> Combined(NodeId id, NodeId x, const std::string& unknown) {
    const Op op = tree_[id].op;
    bool any = false;
    bool all = true;
    bool first = false;
    bool rest = false;
    for (uint32_t k = 0; k < tree_[id].n; ++k) {
      const auto in = Contains(tree_.Kid(id, k), x, unknown);
      if (!in) return std::nullopt;
      any = any || *in;
      all = all && *in;
      if (k == 0) {
        first = *in;
      } else {
        rest = rest || *in;
      }
    }
    return op == Op::kIntersect ? all : op == Op::kMinus ? first && !rest : any;
  }

  // Inequalities side by side, as "and" and "or" say; with commas together if that leaves anything, else one or the other.
  std::optional<bool> ListContains(NodeId id, NodeId x, const std::string& unknown) {
    const uint32_t count = tree_[id].n;
    if (count == 0 || tree_[tree_.Kid(id, 0)].op != Op::kRel) return Combined(id, x, unknown);
    const auto joint = static_cast<Joint>(tree_[id].aux);
    if (joint == Joint::kComma && together_.first != id) {
      together_ = {id, false};
      for (const NodeId cell : Cells()) {
        bool all = true;
        for (uint32_t k = 0; k < count && all; ++k) {
          const auto in = Contains(tree_.Kid(id, k), cell, unknown);
          if (!in) return std::nullopt;
          all = *in;
        }
        together_.second = together_.second || all;
      }
    }
    bool any = false;
    bool all = true;
    for (uint32_t k = 0; k < count; ++k) {
      const auto in = Contains(tree_.Kid(id, k), x, unknown);
      if (!in) return std::nullopt;
      any = any || *in;
      all = all && *in;
    }
    return joint == Joint::kAnd || (joint == Joint::kComma && together_.second) ? all : any;
  }

  std::optional<bool> Holds(NodeId id, NodeId x) {
    const std::string ops = tree_.Name(id);
    if (ops[0] == kIn || ops[0] == kNotIn) {
      const auto in = Contains(tree_.Kid(id, 1), x, "");
      if (!in) return std::nullopt;
      return *in == (ops[0] == kIn);
    }
    const std::string name = UnknownOf(id);
    for (size_t k = 0; k < ops.size(); ++k) {
      const NodeId left = Substitute(tree_.Kid(id, static_cast<uint32_t>(k)), name, x);
      const NodeId right = Substitute(tree_.Kid(id, static_cast<uint32_t>(k) + 1), name, x);
      // At a pole nothing holds.
      Rational q;
      if (scalars_.Exact(left, &q) == Value::kUndefined ||
          scalars_.Exact(right, &q) == Value::kUndefined)
        return false;
      const auto order = scalars_.Order(left, right);
      if (!order) return std::nullopt;
      const bool holds = ops[k] == kLt   ? *order < 0
                         : ops[k] == kLe ? *order <= 0
                         : ops[k] == kGt ? *order > 0
                         : ops[k] == kGe ? *order >= 0
                         : ops[k] == kEq ? *order == 0
                                         : *order != 0;
      if (!holds) return false;
    }
    return true;
  }

  Tree& tree_;
  Scalars& scalars_;
  Budget& budget_;
  std::vector<NodeId> points_;
  std::pair<NodeId, bool> together_{kNoNode, false};
};

}  // namespace

std::vector<NodeId> QuadraticRoots(Tree* tree, Scalars* scalars, NodeId id,
                                   std::string_view symbol) {
  Rational c[3];
  if (!scalars->Quadratic(id, symbol, c)) return {};
  const NodeId a = RationalNode(tree, c[2]);
  const NodeId b = RationalNode(tree, c[1]);
  const NodeId d = RationalNode(tree, c[0]);
  if (c[2].IsZero()) {
    if (c[1].IsZero()) return {};
    return {tree->Neg(tree->Add(Op::kDiv, {d, b}))};
  }
  // -b/2a plus and minus the root of the discriminant; an imaginary root as i times a real one.
  Rational discriminant;
  Rational four_ac;
  fmpq_mul(discriminant.get(), c[1].get(), c[1].get());
  fmpq_mul(four_ac.get(), c[2].get(), c[0].get());
  fmpq_mul_si(four_ac.get(), four_ac.get(), 4);
  fmpq_sub(discriminant.get(), discriminant.get(), four_ac.get());
  const NodeId below = tree->Add(Op::kMul, {tree->Number(2), a});
  const NodeId middle = tree->Add(Op::kDiv, {tree->Neg(b), below});
  if (discriminant.IsZero()) return {middle};
  const bool imaginary = discriminant.Sign() < 0;
  fmpq_abs(discriminant.get(), discriminant.get());
  const NodeId radicand = RationalNode(tree, discriminant);
  NodeId root = tree->Add(Op::kRoot, {radicand, tree->Number(2)});
  if (imaginary) root = tree->Add(Op::kMul, {tree->Const(ConstId::kI), root});
  const NodeId offset = tree->Add(Op::kDiv, {root, below});
  return {tree->Add(Op::kAdd, {middle, offset}), tree->Sub(middle, offset)};
}

std::optional<Decision> RegionsEqual(Tree* tree, Scalars* scalars, Budget* budget, NodeId a,
                                     NodeId b) {
  Regions regions(tree, scalars, budget);
  std::string unknown_a;
  std::string unknown_b;
  if (!regions.Prepare(a, &unknown_a) || !regions.Prepare(b, &unknown_b)) return std::nullopt;
  // The name in {x : ..} is bound.
  const bool named = (*tree)[a].op != Op::kBuilder && (*tree)[b].op != Op::kBuilder &&
                     !unknown_a.empty() && !unknown_b.empty() && unknown_a != "_" &&
                     unknown_b != "_";
  if (named && unknown_a != unknown_b) return Decision::Unequal();
  if (!regions.SortPoints()) return std::nullopt;
  for (const NodeId cell : regions.Cells()) {
    const auto in_a = regions.Contains(a, cell, unknown_a);
    const auto in_b = regions.Contains(b, cell, unknown_b);
    if (!in_a || !in_b) return std::nullopt;
    if (*in_a != *in_b) return Decision::Unequal();
  }
  return Decision::Of(Outcome::kEqual, Method::kExact);
}

}  // namespace assay::math
