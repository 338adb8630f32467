// Tuples, lists, sets and vectors: in order where one side has an order, else in any.
#include <algorithm>
#include <string>
#include <utility>

#include "verifiers/math/equal/comparison.h"
#include "verifiers/math/equal/tolerance.h"
#include "verifiers/math/equal/unit_vector.h"
#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

constexpr size_t kMaxItems = 256;

// Items of a set or list with plus-minus written out.
Ids Items(Comparison* cmp, NodeId id) {
  Tree& tree = cmp->tree;
  Ids out;
  for (const NodeId kid : Kids(tree, id)) {
    const NodeId item = Shell(cmp, kid);
    if (item != kid && item != kNoNode && tree[item].op == Op::kList &&
        ContainsOp(tree, kid, Op::kPm)) {
      const Ids variants = Kids(tree, item);
      out.insert(out.end(), variants.begin(), variants.end());
    } else {
      out.push_back(item == kNoNode ? kid : item);
    }
  }
  return out;
}

// Names dropped where the other side has none; in the order of the names if `sorted`.
void DropNames(Comparison* cmp, Ids* items, bool sorted) {
  std::vector<std::pair<std::string, NodeId>> named;
  for (const NodeId id : *items) {
    const Assignment x = AsAssignment(cmp, id);
    if (!x) return;
    std::string name;
    if (cmp->tree[x.name].op == Op::kSym) PrintNode(cmp->tree, x.name, &name);
    named.emplace_back(name, x.value);
  }
  const bool all_symbols =
      std::none_of(named.begin(), named.end(), [](const auto& p) { return p.first.empty(); });
  if (sorted && all_symbols) {
    std::stable_sort(named.begin(), named.end(),
                     [](const auto& p, const auto& q) { return p.first < q.first; });
  }
  for (size_t k = 0; k < items->size(); ++k) (*items)[k] = named[k].second;
}

bool AllAssignments(Comparison* cmp, const Ids& items) {
  return std::all_of(items.begin(), items.end(),
                     [cmp](NodeId id) { return static_cast<bool>(AsAssignment(cmp, id)); });
}

// p = 5, q = 2, p = 7, q = 2: a name that comes again begins a new tuple.
void Regroup(Comparison* cmp, Ids* items) {
  Tree& tree = cmp->tree;
  std::vector<std::string> seen;
  Ids group;
  Ids groups;
  const auto close = [&] {
    groups.push_back(tree.Add(Op::kTuple, group.data(), static_cast<uint32_t>(group.size())));
    group.clear();
    seen.clear();
  };
  for (const NodeId id : *items) {
    std::string name;
    PrintNode(tree, AsAssignment(cmp, id).name, &name);
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) close();
    seen.push_back(name);
    group.push_back(id);
  }
  close();
  const uint32_t width = tree[groups[0]].n;
  const bool even = std::all_of(groups.begin(), groups.end(),
                                [&tree, width](NodeId id) { return tree[id].n == width; });
  if (groups.size() > 1 && width > 1 && even) *items = groups;
}

bool AllTuples(const Tree& tree, const Ids& items) {
  return std::all_of(items.begin(), items.end(),
                     [&tree](NodeId id) { return tree[id].op == Op::kTuple; });
}

bool NoRelations(const Tree& tree, const Ids& items) {
  return std::none_of(items.begin(), items.end(),
                      [&tree](NodeId id) { return IsRelation(tree[id].op); });
}

// x: 3, y: 4 is x = 3, y = 4.
void NameRatios(Comparison* cmp, Ids* items) {
  Tree& tree = cmp->tree;
  const auto named = [&](NodeId id) {
    return tree[id].op == Op::kRatio && tree[id].n == 2 && tree[tree.Kid(id, 0)].op == Op::kSym &&
           cmp->scalars.TraitsOf(tree.Kid(id, 1)).constant();
  };
  if (!std::all_of(items->begin(), items->end(), named)) return;
  for (NodeId& id : *items)
    id = tree.Named(Op::kRel, std::string(1, kEq), {tree.Kid(id, 0), tree.Kid(id, 1)});
}

// How a node behaves as a collection.
struct Shape {
  Ids items;
  bool ordered = false;  // a tuple or vector
  bool loose = false;    // no brackets: a list that may stand for a tuple
  bool set = false;
  bool collection = false;
};

Shape ShapeOf(Comparison* cmp, NodeId id) {
  Shape s;
  const Node& n = cmp->tree[id];
  s.collection = true;
  switch (n.op) {
    case Op::kTuple:
      s.ordered = true;
      break;
    case Op::kSeq:
      s.loose = true;
      break;
    case Op::kList:
      s.loose = true;
      break;
    case Op::kSet:
      s.set = true;
      s.loose = (n.flags & kLoose) != 0;
      break;
    case Op::kMatrix:
      s.ordered = true;
      break;
    default:
      s.collection = false;
      break;
  }
  s.items = s.collection ? Items(cmp, id) : Ids{id};
  if (s.loose) NameRatios(cmp, &s.items);
  return s;
}

// (3, 4) and 3i + 4j: a vector against what is no collection.
Decision VectorAndSum(Comparison* cmp, const Shape& x, const Shape& y, int depth) {
  const Shape& vector = x.collection ? x : y;
  if (!vector.ordered) return No(Method::kNone);
  const NodeId sum = AsUnitVectorSum(&cmp->tree, &cmp->scalars, (x.collection ? y : x).items[0],
                                     static_cast<uint32_t>(vector.items.size()));
  return sum == kNoNode ? No(Method::kNone)
                        : Ordered(cmp, vector.items, Kids(cmp->tree, sum), depth);
}

// "3/4 or 0.75": an answer that says one value in two ways.
bool SaidTwice(const Comparison& cmp, NodeId list, bool is_first) {
  const Node& n = cmp.tree[list];
  return n.op == Op::kList && static_cast<Joint>(n.aux) == Joint::kOr && n.n <= 4 &&
         is_first == cmp.answer_first;
}

// Plain fractions are told apart without spending anything: lists of hundreds of numbers come in any order.
std::optional<bool> SameLiterals(const Comparison& cmp, NodeId x, NodeId y) {
  const Node& a = cmp.tree[x];
  const Node& b = cmp.tree[y];
  if (a.op != Op::kNum || b.op != Op::kNum || ((a.flags | b.flags) & kDecimal) != 0 ||
      Tolerates(cmp.options))
    return std::nullopt;
  return a.num == b.num && a.den == b.den;
}

void Distinct(Comparison* cmp, Ids* items, int depth) {
  Ids kept;
  for (const NodeId id : *items) {
    const auto same = [cmp, id, depth](NodeId other) {
      if (const auto known = SameLiterals(*cmp, id, other)) return *known;
      return Same(cmp, id, other, depth + 1).yes();
    };
    if (std::none_of(kept.begin(), kept.end(), same)) kept.push_back(id);
  }
  *items = kept;
}

}  // namespace

Decision SameCollection(Comparison* cmp, NodeId g, NodeId a, int depth) {
  Tree& tree = cmp->tree;
  for (NodeId* side : {&g, &a}) {
    // A set or list of one thing is that thing.
    while ((tree[*side].op == Op::kSet || tree[*side].op == Op::kList ||
            tree[*side].op == Op::kMatrix) &&
           tree[*side].n == 1) {
      *side = Shell(cmp, tree.Kid(*side, 0));
      if (*side == kNoNode) return Undecided();
    }
  }
  const bool mg = tree[g].op == Op::kMatrix;
  const bool ma = tree[a].op == Op::kMatrix;
  if (mg && ma) return SameMatrix(cmp, g, a, depth);
  if (mg || ma) {
    // A vector may be written as a tuple.
    const NodeId m = mg ? g : a;
    if (tree[m].aux != tree[m].n && tree[m].aux != 1) return No(Method::kNone);
    if (tree[mg ? a : g].op == Op::kSet) return No(Method::kNone);
  }
  Shape x = ShapeOf(cmp, g);
  Shape y = ShapeOf(cmp, a);
  // {1} or {2} is not {1, 2}.
  const auto sets_in_list = [&tree](NodeId list, const Shape& s) {
    return tree[list].op == Op::kList &&
           std::any_of(s.items.begin(), s.items.end(),
                       [&tree](NodeId id) { return tree[id].op == Op::kSet; });
  };
  if (x.collection && y.collection && sets_in_list(g, x) != sets_in_list(a, y))
    return No(Method::kNone);
  if (x.items.size() > kMaxItems || y.items.size() > kMaxItems) return Undecided();
  if (!x.collection && !y.collection) return Same(cmp, g, a, depth + 1);
  if (!x.collection || !y.collection) {
    if (SaidTwice(*cmp, x.collection ? g : a, x.collection)) {
      const Decision d = Ordered(cmp, x.collection ? x.items : Ids(y.items.size(), g),
                                 y.collection ? y.items : Ids(x.items.size(), a), depth);
      return d.yes() ? d : No(Method::kNone);
    }
    return VectorAndSum(cmp, x, y, depth);
  }
  const bool in_order =
      x.ordered || y.ordered || (cmp->options.ordered_lists && x.loose && y.loose);
  if (AllAssignments(cmp, x.items) != AllAssignments(cmp, y.items)) {
    if (AllAssignments(cmp, x.items) && NoRelations(tree, y.items))
      DropNames(cmp, &x.items, y.ordered);
    if (AllAssignments(cmp, y.items) && NoRelations(tree, x.items))
      DropNames(cmp, &y.items, x.ordered);
  }
  if (AllTuples(tree, x.items) != AllTuples(tree, y.items)) {
    if (AllAssignments(cmp, x.items)) Regroup(cmp, &x.items);
    if (AllAssignments(cmp, y.items)) Regroup(cmp, &y.items);
  }
  if (in_order) {
    if ((x.set && !x.loose) || (y.set && !y.loose)) return No(Method::kNone);
    return Ordered(cmp, x.items, y.items, depth);
  }
  // Sets hold an element once; so do lists of tuples, which are lists of solutions. Lists of numbers keep repetitions.
  if ((x.set && !x.loose) || AllTuples(tree, x.items)) Distinct(cmp, &x.items, depth);
  if ((y.set && !y.loose) || AllTuples(tree, y.items)) Distinct(cmp, &y.items, depth);
  return Unordered(cmp, x.items, y.items, depth);
}

Decision Ordered(Comparison* cmp, const Ids& x, const Ids& y, int depth) {
  if (x.size() != y.size()) return No();
  Decision all = Yes();
  for (size_t k = 0; k < x.size() && all.yes(); ++k)
    all = Both(all, Same(cmp, x[k], y[k], depth + 1));
  return all;
}

// Equality is transitive, so that the first partner is as good as any.
Decision Unordered(Comparison* cmp, const Ids& x, const Ids& y, int depth) {
  if (x.size() != y.size()) return No();
  std::vector<bool> used(y.size(), false);
  Decision all = Yes();
  for (size_t k = 0; k < x.size(); ++k) {
    bool found = false;
    bool limit = false;
    // Most lists come in the same order: look at the own place first.
    for (size_t step = 0; step < y.size() && !found; ++step) {
      const size_t j = (k + step) % y.size();
      if (used[j]) continue;
      const std::optional<bool> known = SameLiterals(*cmp, x[k], y[j]);
      if (known && !*known) continue;
      const Decision d = known ? Yes() : Same(cmp, x[k], y[j], depth + 1);
      limit = limit || d.outcome == Outcome::kUndecided;
      if (!d.yes()) continue;
      used[j] = true;
      found = true;
      all = Both(all, d);
    }
    if (!found) return limit ? Undecided() : No();
  }
  return all;
}

}  // namespace assay::math
