// Small rewritings of trees: copies with parts replaced, plus-minus written out, variables renamed. Private to verifiers/math.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "verifiers/math/syntax/tree.h"

namespace assay::math {

bool ContainsOp(const Tree& tree, NodeId id, Op op);
bool ContainsSymbol(const Tree& tree, NodeId id, std::string_view name);

// A copy with every node that `replace` maps replaced. `replace(NodeId)` gives kNoNode for what is to be copied. Shared where
// nothing changes.
template <typename Replace>
NodeId CopyWith(Tree* tree, NodeId id, const Replace& replace) {
  const NodeId instead = replace(id);
  if (instead != kNoNode) return instead;
  const Node n = (*tree)[id];
  if (n.n == 0) return id;
  std::vector<NodeId> kids;
  bool changed = false;
  for (uint32_t k = 0; k < n.n; ++k) {
    const NodeId kid = tree->Kid(id, k);
    kids.push_back(CopyWith(tree, kid, replace));
    changed = changed || kids.back() != kid;
  }
  if (!changed) return id;
  const NodeId copy = tree->Add(n.op, kids.data(), n.n, n.aux, n.num);
  tree->nodes[copy].flags = n.flags;
  return copy;
}

// All choices of signs of up to four plus-minus signs, as a list (of relations, if it is one); items of lists and sets are
// written out in their place. kNoNode if there are too many.
NodeId ExpandSigns(Tree* tree, NodeId id);

// `id` with its symbols renamed, in order of appearance, to those of `model`. kNoNode if their numbers differ.
NodeId RenameLike(Tree* tree, NodeId id, NodeId model);

// f(n) = value and f(x) = ..: the value with n renamed to x; kNoNode if the names are not of one function.
NodeId RenameArguments(Tree* tree, NodeId name, NodeId value, NodeId model);

// Symbols to nodes.
NodeId SubstituteSymbol(Tree* tree, NodeId id, std::string_view name, NodeId value);

}  // namespace assay::math
