// Relations: assignments by their values, equations and inequalities by their solutions or as multiples of each other, chains
// link by link, congruences by their residues.
#include <algorithm>
#include <string>

#include "verifiers/math/equal/comparison.h"
#include "verifiers/math/equal/region.h"
#include "verifiers/math/syntax/rewrite.h"
#include "verifiers/math/value/polynomial.h"

namespace assay::math {
namespace {

// The real or complex solutions of a linear or quadratic equation in one symbol with rational coefficients, as a list.
NodeId SolutionList(Comparison* cmp, NodeId relation) {
  Tree& tree = cmp->tree;
  if (tree[relation].op != Op::kRel || tree.Name(relation) != std::string(1, kEq)) return kNoNode;
  const NodeId difference = tree.Sub(tree.Kid(relation, 0), tree.Kid(relation, 1));
  const Traits traits = cmp->scalars.TraitsOf(difference);
  if (traits.symbols.size() != 1 || traits.opaque || traits.not_scalar || traits.steps ||
      traits.pieces)
    return kNoNode;
  const std::string symbol(traits.symbols[0]);
  const Ids roots = QuadraticRoots(&tree, &cmp->scalars, difference, symbol);
  if (roots.empty()) return kNoNode;
  return roots.size() == 1 ? roots[0]
                           : tree.Add(Op::kList, roots.data(), static_cast<uint32_t>(roots.size()));
}

// m + n = 256 + 37 = 293: what a chain of the answer comes to at its end, if that is a constant and all constants before it are
// the same.
NodeId LastConstant(Comparison* cmp, NodeId relation) {
  const Tree& tree = cmp->tree;
  if (tree[relation].op != Op::kRel) return kNoNode;
  if (tree.Name(relation).find_first_not_of(static_cast<char>(kEq)) != std::string::npos)
    return kNoNode;
  const Ids links = Kids(tree, relation);
  const NodeId last = links.back();
  for (const NodeId link : links) {
    const bool constant = cmp->scalars.TraitsOf(link).constant();
    if (link == last ? !constant : constant && !cmp->scalars.Equal(link, last).yes())
      return kNoNode;
  }
  return last;
}

bool SameNames(const Tree& tree, NodeId a, NodeId b) {
  std::string x;
  std::string y;
  PrintNode(tree, a, &x);
  PrintNode(tree, b, &y);
  return x == y;
}

// x = 5 mod 12, p mod 4 = 1 and 3 | n, where the other side is a congruence.
NodeId AsCongruence(Comparison* cmp, NodeId id) {
  Tree& tree = cmp->tree;
  if (tree[id].op != Op::kRel || tree[id].n != 2) return id;
  const NodeId left = tree.Kid(id, 0);
  const NodeId right = tree.Kid(id, 1);
  if (tree.Name(id)[0] == kDivides) return tree.Add(Op::kCongruent, {right, tree.Number(0), left});
  if (tree.Name(id)[0] != kEq) return id;
  if (tree[left].op == Op::kMod && cmp->scalars.TraitsOf(right).constant())
    return tree.Add(Op::kCongruent, {tree.Kid(left, 0), right, tree.Kid(left, 1)});
  if (tree[left].op != Op::kSym || tree[right].op != Op::kMod) return id;
  return tree.Add(Op::kCongruent, {left, tree.Kid(right, 0), tree.Kid(right, 1)});
}

// f = 0 and c f = 0; and, for rational functions, equal numerators up to a factor.
Decision SameEquation(Comparison* cmp, NodeId g, NodeId a) {
  Tree& tree = cmp->tree;
  Scalars& scalars = cmp->scalars;
  const std::string eq(1, kEq);
  const std::string ne(1, kNe);
  const std::string& ops = tree.Name(g);
  if (tree[g].n != 2 || tree[a].n != 2 || ops != tree.Name(a) || (ops != eq && ops != ne))
    return No(Method::kNone);
  for (const NodeId id : {g, a}) {
    for (uint32_t k = 0; k < 2; ++k) {
      if (scalars.TraitsOf(tree.Kid(id, k)).not_scalar) return No(Method::kNone);
    }
  }
  const NodeId h = tree.Sub(tree.Kid(g, 0), tree.Kid(g, 1));
  const NodeId k = tree.Sub(tree.Kid(a, 0), tree.Kid(a, 1));
  if (scalars.TraitsOf(h).constant() || scalars.TraitsOf(k).constant()) return No(Method::kNone);
  const auto ratio = scalars.ConstantRatio(h, k);
  if (ratio && !ratio->IsZero()) return Yes(Method::kField);
  return SameZeros(&tree, &cmp->budget, h, k) ? Yes() : No(Method::kField);
}

char Flip(char op) {
  switch (op) {
    case kLt:
      return kGt;
    case kGt:
      return kLt;
    case kLe:
      return kGe;
    case kGe:
      return kLe;
    default:
      return op;
  }
}

Decision SameLink(Comparison* cmp, NodeId g0, NodeId g1, char og, NodeId a0, NodeId a1, char oa,
                  int depth) {
  Scalars& scalars = cmp->scalars;
  const bool order = og == kLt || og == kLe || og == kGt || og == kGe;
  if (order && !scalars.TraitsOf(g0).not_scalar && !scalars.TraitsOf(g1).not_scalar &&
      !scalars.TraitsOf(a0).not_scalar && !scalars.TraitsOf(a1).not_scalar) {
    const NodeId h = cmp->tree.Sub(g0, g1);
    const NodeId k = cmp->tree.Sub(a0, a1);
    const auto ratio = scalars.ConstantRatio(h, k);
    if (ratio && !ratio->IsZero() && og == (ratio->Sign() > 0 ? oa : Flip(oa)))
      return Yes(Method::kField);
  }
  if (og != oa) return No(Method::kNone);
  return Both(Same(cmp, g0, a0, depth + 1), Same(cmp, g1, a1, depth + 1));
}

// Link by link, in this order or reversed.
Decision SameChain(Comparison* cmp, NodeId g, NodeId a, int depth) {
  Tree& tree = cmp->tree;
  const uint32_t n = tree[g].n;
  if (tree[a].n != n) return No(Method::kNone);
  const std::string ops_g = tree.Name(g);
  std::string ops_a = tree.Name(a);
  for (int reversed = 0; reversed < 2; ++reversed) {
    Ids parts;
    for (uint32_t k = 0; k < n; ++k) parts.push_back(tree.Kid(a, k));
    if (reversed != 0) {
      std::reverse(parts.begin(), parts.end());
      std::reverse(ops_a.begin(), ops_a.end());
      for (char& op : ops_a) {
        if (op == kIn || op == kNotIn || op == kTo || op == kSubset || op == kSubsetEq ||
            op == kDivides)
          return No(Method::kNone);
        op = Flip(op);
      }
    }
    Decision all = Yes();
    for (uint32_t k = 0; k + 1 < n && all.yes(); ++k) {
      all = Both(all, SameLink(cmp, tree.Kid(g, k), tree.Kid(g, k + 1), ops_g[k], parts[k],
                               parts[k + 1], ops_a[k], depth));
    }
    if (all.yes() || cmp->budget.Exhausted()) return all;
  }
  return No(Method::kField);
}

Decision SameCongruence(Comparison* cmp, NodeId g, NodeId a, int depth) {
  Tree& tree = cmp->tree;
  if (tree[g].op != Op::kCongruent || tree[a].op != Op::kCongruent) return No(Method::kNone);
  const Decision modulus = Same(cmp, tree.Kid(g, 2), tree.Kid(a, 2), depth + 1);
  // 3 (mod 7) leaves the unknown unnamed.
  const auto unnamed = [&tree](NodeId x, NodeId y) {
    return tree[x].op == Op::kSym && tree.Name(x) == "_" && tree[y].op == Op::kSym;
  };
  const NodeId x = tree.Kid(g, 0);
  const NodeId y = tree.Kid(a, 0);
  const Decision left = unnamed(x, y) || unnamed(y, x) ? Yes() : Same(cmp, x, y, depth + 1);
  if (!modulus.yes() || !left.yes()) return Both(modulus, left);
  Rational r;
  const NodeId rest =
      tree.Add(Op::kMod, {tree.Sub(tree.Kid(g, 1), tree.Kid(a, 1)), tree.Kid(g, 2)});
  if (cmp->scalars.Exact(rest, &r) == Value::kOk) return r.IsZero() ? Yes() : No();
  return Same(cmp, tree.Kid(g, 1), tree.Kid(a, 1), depth + 1);
}

}  // namespace

bool IsInequality(const Tree& tree, NodeId id) {
  if (tree[id].op != Op::kRel) return false;
  return tree.Name(id).find_first_of("<>lg") != std::string::npos;
}

bool AllInequalities(const Tree& tree, NodeId id) {
  if (tree[id].op != Op::kList) return false;
  const Ids items = Kids(tree, id);
  const auto inequality = [&tree](NodeId k) { return IsInequality(tree, k); };
  // "x = 0 or x > 1"
  const auto point = [&tree](NodeId k) {
    return tree[k].op == Op::kRel && tree[k].n == 2 && tree.Name(k)[0] == kEq &&
           tree[tree.Kid(k, 0)].op == Op::kSym;
  };
  return std::any_of(items.begin(), items.end(), inequality) &&
         std::all_of(items.begin(), items.end(),
                     [&](NodeId k) { return inequality(k) || point(k); });
}

Decision RelationAndValue(Comparison* cmp, NodeId g, NodeId a, int depth) {
  Tree& tree = cmp->tree;
  const bool gold_is_relation = IsRelation(tree[g].op);
  const NodeId relation = gold_is_relation ? g : a;
  const NodeId value = gold_is_relation ? a : g;
  const Assignment assigned = AsAssignment(cmp, relation);
  // x: 3 beside x = 3
  if (tree[value].op == Op::kRatio && tree[value].n == 2 && assigned &&
      tree[assigned.name].op == Op::kSym && tree[tree.Kid(value, 0)].op == Op::kSym) {
    const NodeId named =
        tree.Named(Op::kRel, std::string(1, kEq), {tree.Kid(value, 0), tree.Kid(value, 1)});
    return gold_is_relation ? SameRelation(cmp, relation, named, depth)
                            : SameRelation(cmp, named, relation, depth);
  }
  if (assigned) {
    return gold_is_relation ? Same(cmp, assigned.value, value, depth + 1)
                            : Same(cmp, value, assigned.value, depth + 1);
  }
  if (const NodeId last = LastConstant(cmp, relation);
      last != kNoNode && gold_is_relation == cmp->answer_first) {
    const Decision d =
        gold_is_relation ? Same(cmp, last, value, depth + 1) : Same(cmp, value, last, depth + 1);
    if (d.yes()) return d;
  }
  if (tree[relation].op == Op::kCongruent) {
    // The residue as it is written; 10 is not meant where 3 (mod 7) is asked for.
    const bool name = tree[tree.Kid(relation, 0)].op == Op::kSym;
    return name ? Same(cmp, tree.Kid(relation, 1), value, depth + 1) : No(Method::kNone);
  }
  if (!gold_is_relation && !cmp->options.inequality_for_set && IsInequality(tree, relation))
    return No(Method::kNone);
  if (IsRegion(tree[value].op) || tree[value].op == Op::kTuple || tree[value].op == Op::kSet ||
      tree[value].op == Op::kList) {
    if (const auto d = RegionsEqual(&tree, &cmp->scalars, &cmp->budget, g, a)) return *d;
  }
  // The gold's equation in one unknown against its solutions; an answer's that is still to be solved is none.
  if (gold_is_relation == cmp->answer_first) return No(Method::kNone);
  const NodeId roots = SolutionList(cmp, relation);
  if (roots != kNoNode && !IsRegion(tree[value].op)) return Same(cmp, roots, value, depth + 1);
  return No(Method::kNone);
}

Decision SameRelation(Comparison* cmp, NodeId g, NodeId a, int depth) {
  Tree& tree = cmp->tree;
  if (tree[g].op == Op::kCongruent || tree[a].op == Op::kCongruent)
    return SameCongruence(cmp, AsCongruence(cmp, g), AsCongruence(cmp, a), depth);
  const Assignment x = AsAssignment(cmp, g);
  const Assignment y = AsAssignment(cmp, a);
  bool undecided = false;
  if (x && y) {
    if (SameNames(tree, x.name, y.name)) {
      const Decision d = Same(cmp, x.value, y.value, depth + 1);
      if (d.yes() || cmp->budget.Exhausted()) return d;
      undecided = d.outcome == Outcome::kUndecided;
    } else if (const NodeId renamed = RenameArguments(&tree, y.name, y.value, x.name);
               renamed != kNoNode) {
      return Same(cmp, x.value, renamed, depth + 1);
    }
  }
  if (!cmp->options.inequality_for_set && tree.Name(g) == std::string(1, kIn) &&
      IsInequality(tree, a))
    return No(Method::kNone);
  // x = 2 is not met by 2x = 4, which leaves it to be solved.
  const Assignment& solved = cmp->answer_first ? y : x;
  const Assignment& shown = cmp->answer_first ? x : y;
  if (solved && !shown && cmp->scalars.TraitsOf(solved.value).constant() &&
      tree[solved.name].op == Op::kSym)
    return No(Method::kField);
  if (const Decision d = SameEquation(cmp, g, a); d.yes() || cmp->budget.Exhausted()) return d;
  if (const auto d = RegionsEqual(&tree, &cmp->scalars, &cmp->budget, g, a)) return *d;
  const Decision chain = SameChain(cmp, g, a, depth);
  return undecided && !chain.yes() ? Undecided() : chain;
}

}  // namespace assay::math
