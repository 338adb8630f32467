// Numerals with a base: 2516_8 is its digits, which 2516 shows too; its decimal value is another form of the same number.
#include <algorithm>
#include <string>

#include "verifiers/math/equal/comparison.h"

namespace assay::math {
namespace {

NodeId Unsigned(const Tree& tree, NodeId id) {
  return tree[id].op == Op::kNeg ? tree.Kid(id, 0) : id;
}

}  // namespace

bool IsNumeral(const Tree& tree, NodeId id) { return tree[Unsigned(tree, id)].op == Op::kBased; }

Decision SameNumeral(Comparison* cmp, NodeId g, NodeId a) {
  const Tree& tree = cmp->tree;
  const bool both = IsNumeral(tree, g) && IsNumeral(tree, a);
  const NodeId numeral = IsNumeral(tree, g) ? g : a;
  const NodeId other = numeral == g ? a : g;
  const std::string& name = tree.Name(Unsigned(tree, numeral));
  const bool same_sign = (Unsigned(tree, g) == g) == (Unsigned(tree, a) == a);
  std::string shown;
  PrintNode(tree, Unsigned(tree, other), &shown);
  if (!both) shown.erase(std::remove(shown.begin(), shown.end(), '*'), shown.end());  // FF
  if (same_sign && shown == (both ? name : name.substr(0, name.find('_'))))
    return Yes(Method::kText);
  cmp->detail = "a numeral with a base is met by its digits";
  return No(Method::kText);
}

}  // namespace assay::math
