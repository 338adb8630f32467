// Functions in pieces: on every stretch between the places that the conditions name, and at these places, the rows that hold
// there must agree; absolute values are what they are on the stretch.
#include <algorithm>
#include <string>

#include "verifiers/math/equal/comparison.h"
#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

constexpr size_t kMostPlaces = 24;

bool IsPieces(const Tree& tree, NodeId id) {
  return tree[id].op == Op::kApply && tree.Name(id) == "cases" && tree[id].n >= 2 &&
         tree[id].n % 2 == 0;
}

class Pieces {
 public:
  explicit Pieces(Comparison* cmp) : cmp_(cmp), tree_(cmp->tree) {}

  // Empty: these conditions are not of the kind that is worked out here.
  std::optional<Decision> Equal(NodeId g, NodeId a, int depth) {
    for (const NodeId side : {g, a}) {
      if (!Collect(side)) return std::nullopt;
    }
    for (const NodeId side : {g, a}) Corners(side);
    if (variable_.empty() || !Sort()) return std::nullopt;
    Decision all = Yes();
    for (size_t k = 0; k <= places_.size() && all.yes(); ++k) {
      if (!OnStretch(g, a, k, depth, &all)) return std::nullopt;
      if (all.yes() && k < places_.size() && !AtPlace(g, a, places_[k], depth, &all))
        return std::nullopt;
    }
    return all;
  }

 private:
  // ---- the places where rows change

  bool Collect(NodeId side) {
    if (!IsPieces(tree_, side)) return true;
    for (uint32_t k = 1; k < tree_[side].n; k += 2) {
      if (!Condition(tree_.Kid(side, k))) return false;
    }
    return true;
  }

  bool Condition(NodeId id) {
    const Node n = tree_[id];
    if (n.op == Op::kText) return IsOtherwise(id);
    if (n.op == Op::kList) {
      const Ids kids = Kids(tree_, id);
      return std::all_of(kids.begin(), kids.end(), [this](NodeId k) { return Condition(k); });
    }
    if (n.op != Op::kRel) return false;
    const std::string ops = tree_.Name(id);
    if (ops.find_first_not_of("=#<>lgi") != std::string::npos) return false;
    for (const NodeId side : Kids(tree_, id)) {
      const bool interval =
          tree_[side].op == Op::kInterval || (tree_[side].op == Op::kTuple && tree_[side].n == 2);
      if (tree_[side].op == Op::kSym) {
        if (!variable_.empty() && variable_ != tree_.Name(side)) return false;
        variable_ = tree_.Name(side);
      } else if (interval && ops == std::string(1, kIn)) {
        for (const NodeId end : Kids(tree_, side)) Place(end);
      } else if (!Place(side)) {
        return false;
      }
    }
    return places_.size() <= kMostPlaces;
  }

  bool Place(NodeId id) {
    if (cmp_->scalars.InfinitySign(id) != 0) return true;
    if (!cmp_->scalars.TraitsOf(id).constant()) return false;
    places_.push_back(id);
    return true;
  }

  bool IsOtherwise(NodeId id) const {
    const std::string& words = tree_.Name(id);
    return words == "otherwise" || words == "else" || words == "elsewhere" || words == "other" ||
           words == "in all other cases";
  }

  // Zeros of what stands in absolute values.
  void Corners(NodeId id) {
    if (places_.size() > kMostPlaces || !cmp_->budget.Spend(1)) return;
    if (tree_[id].op == Op::kAbs) {
      Rational c[3];
      if (cmp_->scalars.Quadratic(tree_.Kid(id, 0), variable_, c) && c[2].IsZero() &&
          !c[1].IsZero()) {
        Rational zero;
        fmpq_div(zero.get(), c[0].get(), c[1].get());
        fmpq_neg(zero.get(), zero.get());
        if (zero.Bits() < 60)
          places_.push_back(tree_.Number(fmpz_get_si(zero.num()), fmpz_get_si(zero.den())));
      }
    }
    for (const NodeId kid : Kids(tree_, id)) Corners(kid);
  }

  bool Sort() {
    Ids sorted;
    for (const NodeId place : places_) {
      size_t at = 0;
      bool known = false;
      for (; at < sorted.size(); ++at) {
        const std::optional<int> order = cmp_->scalars.Order(place, sorted[at]);
        if (!order) return false;
        known = *order == 0;
        if (*order <= 0) break;
      }
      if (!known) sorted.insert(sorted.begin() + static_cast<int64_t>(at), place);
    }
    places_ = sorted;
    return true;
  }

  // ---- rows

  // Whether `id` holds at a number; empty: cannot be told.
  std::optional<bool> Holds(NodeId id, NodeId at) {
    if (tree_[id].op == Op::kText) return true;
    if (tree_[id].op == Op::kList) {
      const bool any = static_cast<Joint>(tree_[id].aux) == Joint::kOr;
      for (const NodeId kid : Kids(tree_, id)) {
        const std::optional<bool> one = Holds(kid, at);
        if (!one || *one == any) return one;
      }
      return !any;
    }
    const std::string ops = tree_.Name(id);
    for (uint32_t k = 0; k + 1 < tree_[id].n; ++k) {
      const NodeId left = SubstituteSymbol(&tree_, tree_.Kid(id, k), variable_, at);
      const NodeId right = SubstituteSymbol(&tree_, tree_.Kid(id, k + 1), variable_, at);
      const std::optional<bool> link =
          ops[k] == kIn ? Within(left, right) : Link(left, ops[k], right);
      if (!link || !*link) return link;
    }
    return true;
  }

  std::optional<bool> Link(NodeId left, char op, NodeId right) {
    const std::optional<int> order = cmp_->scalars.Order(left, right);
    if (!order) return std::nullopt;
    switch (op) {
      case kEq:
        return *order == 0;
      case kNe:
        return *order != 0;
      case kLt:
        return *order < 0;
      case kLe:
        return *order <= 0;
      case kGt:
        return *order > 0;
      default:
        return *order >= 0;
    }
  }

  std::optional<bool> Within(NodeId x, NodeId interval) {
    const int closed = tree_[interval].op == Op::kInterval ? tree_[interval].aux : 0;
    const auto low = Link(tree_.Kid(interval, 0), (closed & 1) != 0 ? kLe : kLt, x);
    const auto high = Link(x, (closed & 2) != 0 ? kLe : kLt, tree_.Kid(interval, 1));
    if (!low || !high) return std::nullopt;
    return *low && *high;
  }

  // The row that holds at a number, kNoNode for none. False: cannot be told.
  bool RowAt(NodeId side, NodeId at, NodeId* out) {
    *out = side;
    if (!IsPieces(tree_, side)) return true;
    for (uint32_t k = 0; k < tree_[side].n; k += 2) {
      const std::optional<bool> holds = Holds(tree_.Kid(side, k + 1), at);
      if (!holds) return false;
      if (!*holds) continue;
      *out = tree_.Kid(side, k);
      return true;
    }
    *out = kNoNode;
    return true;
  }

  // The k-th stretch ends at the k-th place.
  bool OnStretch(NodeId g, NodeId a, size_t k, int depth, Decision* all) {
    NodeId at = kNoNode;
    if (places_.empty()) {
      at = tree_.Number(1, 3);
    } else if (k == 0) {
      at = tree_.Sub(places_[0], tree_.Number(1));
    } else if (k == places_.size()) {
      at = tree_.Add(Op::kAdd, {places_.back(), tree_.Number(1)});
    } else {
      at =
          tree_.Add(Op::kDiv, {tree_.Add(Op::kAdd, {places_[k - 1], places_[k]}), tree_.Number(2)});
    }
    NodeId x = kNoNode;
    NodeId y = kNoNode;
    if (!RowAt(g, at, &x) || !RowAt(a, at, &y)) return false;
    if ((x == kNoNode) != (y == kNoNode)) *all = No(Method::kNone);
    if (x == kNoNode || y == kNoNode) return true;
    *all = Both(*all, Same(cmp_, WithoutBars(x, at), WithoutBars(y, at), depth + 1));
    return true;
  }

  bool AtPlace(NodeId g, NodeId a, NodeId place, int depth, Decision* all) {
    NodeId x = kNoNode;
    NodeId y = kNoNode;
    if (!RowAt(g, place, &x) || !RowAt(a, place, &y)) return false;
    if ((x == kNoNode) != (y == kNoNode)) *all = No(Method::kNone);
    if (x == kNoNode || y == kNoNode) return true;
    *all = Both(*all, Same(cmp_, SubstituteSymbol(&tree_, x, variable_, place),
                           SubstituteSymbol(&tree_, y, variable_, place), depth + 1));
    return true;
  }

  // |x - 2| as it is around a number: its corners are places.
  NodeId WithoutBars(NodeId id, NodeId at) {
    return CopyWith(&tree_, id, [&](NodeId node) -> NodeId {
      Rational c[3];
      if (tree_[node].op != Op::kAbs) return kNoNode;
      const NodeId inner = tree_.Kid(node, 0);
      if (!cmp_->scalars.Quadratic(inner, variable_, c) || !c[2].IsZero()) return kNoNode;
      const auto order =
          cmp_->scalars.Order(SubstituteSymbol(&tree_, inner, variable_, at), tree_.Number(0));
      if (!order) return kNoNode;
      return *order < 0 ? tree_.Neg(inner) : inner;
    });
  }

  Comparison* cmp_;
  Tree& tree_;
  std::string variable_;
  Ids places_;
};

}  // namespace

std::optional<Decision> SamePieces(Comparison* cmp, NodeId g, NodeId a, int depth) {
  const bool pieces_g = IsPieces(cmp->tree, g);
  const bool pieces_a = IsPieces(cmp->tree, a);
  if (!pieces_g && !pieces_a) return std::nullopt;
  const NodeId other = pieces_g ? a : g;
  const bool scalar = pieces_g && pieces_a ? true : !cmp->scalars.TraitsOf(other).not_scalar;
  return scalar ? Pieces(cmp).Equal(g, a, depth) : std::nullopt;
}

}  // namespace assay::math
