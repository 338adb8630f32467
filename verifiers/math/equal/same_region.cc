// Intervals, unions, named sets: by membership where the ends are numbers (region.cc), else part by part.
#include "verifiers/math/equal/comparison.h"
#include "verifiers/math/equal/region.h"

namespace assay::math {
namespace {

// Without numbers at the ends: part by part.
Decision SameForm(Comparison* cmp, NodeId g, NodeId a, int depth) {
  Tree& tree = cmp->tree;
  const Node x = tree[g];
  const Node y = tree[a];
  const auto pair = [](const Node& n) {
    return n.op == Op::kInterval || (n.op == Op::kTuple && n.n == 2);
  };
  if (pair(x) && pair(y)) {
    const int closed_x = x.op == Op::kInterval ? x.aux : 0;
    const int closed_y = y.op == Op::kInterval ? y.aux : 0;
    if (closed_x != closed_y) return No(Method::kNone);
    return Both(Same(cmp, tree.Kid(g, 0), tree.Kid(a, 0), depth + 1),
                Same(cmp, tree.Kid(g, 1), tree.Kid(a, 1), depth + 1));
  }
  if (x.op != y.op || x.n != y.n) return No(Method::kNone);
  if (x.op == Op::kNamedSet) return x.aux == y.aux ? Yes() : No();
  if (x.op == Op::kUnion || x.op == Op::kIntersect)
    return Unordered(cmp, Kids(tree, g), Kids(tree, a), depth);
  Decision all = Yes();
  for (uint32_t k = 0; k < x.n && all.yes(); ++k)
    all = Both(all, Same(cmp, tree.Kid(g, k), tree.Kid(a, k), depth + 1));
  return all;
}

}  // namespace

Decision SameRegion(Comparison* cmp, NodeId g, NodeId a, int depth) {
  const auto d = RegionsEqual(&cmp->tree, &cmp->scalars, &cmp->budget, g, a);
  if (d && (d->yes() || cmp->budget.Exhausted())) return *d;
  const Decision form = SameForm(cmp, g, a, depth);  // ends may be rounded
  return d && !form.yes() ? *d : form;
}

}  // namespace assay::math
