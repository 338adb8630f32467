// Matrices, as such or as rows of rows: cell by cell.
#include "verifiers/math/equal/comparison.h"

namespace assay::math {

NodeId AsMatrix(Comparison* cmp, NodeId id) {
  Tree& tree = cmp->tree;
  const auto row = [&tree](NodeId at) {
    const Node& n = tree[at];
    return n.op == Op::kSeq || n.op == Op::kTuple || (n.op == Op::kInterval && n.aux == 3);
  };
  const uint32_t rows = tree[id].n;
  if (!row(id) || rows > 255) return kNoNode;
  Ids cells;
  for (const NodeId kid : Kids(tree, id)) {
    if (!row(kid) || tree[kid].n != tree[tree.Kid(id, 0)].n) return kNoNode;
    const Ids in_row = Kids(tree, kid);
    cells.insert(cells.end(), in_row.begin(), in_row.end());
  }
  return tree.Add(Op::kMatrix, cells.data(), static_cast<uint32_t>(cells.size()),
                  static_cast<uint8_t>(rows));
}

Decision SameMatrix(Comparison* cmp, NodeId g, NodeId a, int depth) {
  Tree& tree = cmp->tree;
  if (tree[g].aux != tree[a].aux || tree[g].n != tree[a].n) return No();
  return Ordered(cmp, Kids(tree, g), Kids(tree, a), depth);
}

}  // namespace assay::math
