// Constants of integration: C_1 e^x + C_2 e^-x whatever the constants are called, and primitives that differ by a constant where
// the gold adds one.
#include <algorithm>
#include <string>

#include "verifiers/math/equal/comparison.h"
#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

constexpr size_t kMostConstants = 3;

// C, c_1, K: what golds call a constant.
bool IsConstantName(std::string_view name) {
  const std::string_view stem = name.substr(0, name.find('_'));
  return stem == "C" || stem == "c" || stem == "K";
}

// What answers call it besides.
bool MayBeConstant(std::string_view name) {
  const std::string_view stem = name.substr(0, name.find('_'));
  return IsConstantName(name) || stem == "A" || stem == "B" || stem == "D" || stem == "k" ||
         stem == "M";
}

std::vector<std::string> SymbolsOf(Comparison* cmp, NodeId id) {
  std::vector<std::string> out;
  for (const std::string_view name : cmp->scalars.TraitsOf(id).symbols) out.emplace_back(name);
  return out;
}

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The expression without its term +C or -C; kNoNode if there is no such term, or C stands elsewhere too.
NodeId WithoutTerm(Comparison* cmp, NodeId id, const std::string& constant) {
  Tree& tree = cmp->tree;
  if (tree[id].op != Op::kAdd) return kNoNode;
  Ids rest;
  int found = 0;
  for (const NodeId term : Kids(tree, id)) {
    const NodeId bare = tree[term].op == Op::kNeg ? tree.Kid(term, 0) : term;
    if (tree[bare].op == Op::kSym && tree.Name(bare) == constant) {
      ++found;
    } else if (ContainsSymbol(tree, term, constant)) {
      return kNoNode;
    } else {
      rest.push_back(term);
    }
  }
  if (found != 1 || rest.empty()) return kNoNode;
  return rest.size() == 1 ? rest[0]
                          : tree.Add(Op::kAdd, rest.data(), static_cast<uint32_t>(rest.size()));
}

// f - f(at) and h - h(at) are one function.
bool DifferByConstant(Comparison* cmp, NodeId f, NodeId h) {
  Tree& tree = cmp->tree;
  const std::vector<std::string> symbols = SymbolsOf(cmp, f);
  std::string variable = symbols.size() == 1 ? symbols[0] : "";
  for (const char* usual : {"x", "t", "u", "y", "z", "theta", "s"}) {
    if (variable.empty() && Has(symbols, usual)) variable = usual;
  }
  if (variable.empty()) return false;
  for (const auto& [num, den] : {std::pair<int64_t, int64_t>(2, 1), {1, 3}}) {
    const NodeId at = tree.Number(num, den);
    const NodeId x = tree.Sub(f, SubstituteSymbol(&tree, f, variable, at));
    const NodeId y = tree.Sub(h, SubstituteSymbol(&tree, h, variable, at));
    if (cmp->scalars.Equal(x, y).yes()) return true;
    if (cmp->budget.Exhausted()) return false;
  }
  return false;
}

}  // namespace

std::optional<Decision> SameUpToConstants(Comparison* cmp, NodeId g, NodeId a) {
  Tree& tree = cmp->tree;
  const NodeId gold = cmp->answer_first ? a : g;
  const NodeId answer = cmp->answer_first ? g : a;
  std::vector<std::string> of_gold;
  std::vector<std::string> fixed;
  for (const std::string& name : SymbolsOf(cmp, gold))
    (IsConstantName(name) ? of_gold : fixed).push_back(name);
  // C alone is a letter, perhaps a choice.
  if (of_gold.empty() || fixed.empty() || of_gold.size() > kMostConstants) return std::nullopt;
  std::vector<std::string> of_answer;
  for (const std::string& name : SymbolsOf(cmp, answer)) {
    if (Has(fixed, name)) continue;
    if (!MayBeConstant(name)) return std::nullopt;
    of_answer.push_back(name);
  }
  if (of_answer.size() != of_gold.size()) return std::nullopt;
  std::sort(of_answer.begin(), of_answer.end());
  do {
    NodeId renamed = answer;
    for (size_t k = 0; k < of_answer.size(); ++k)
      renamed =
          SubstituteSymbol(&tree, renamed, of_answer[k], tree.Symbol("?c" + std::to_string(k)));
    for (size_t k = 0; k < of_answer.size(); ++k)
      renamed = SubstituteSymbol(&tree, renamed, "?c" + std::to_string(k), tree.Symbol(of_gold[k]));
    if (const Decision d = cmp->scalars.Equal(gold, renamed); d.yes()) return d;
  } while (std::next_permutation(of_answer.begin(), of_answer.end()) && !cmp->budget.Exhausted());
  if (of_gold.size() != 1) return std::nullopt;
  const NodeId f = WithoutTerm(cmp, gold, of_gold[0]);
  const NodeId h = WithoutTerm(cmp, answer, of_answer[0]);
  if (f == kNoNode || h == kNoNode || !DifferByConstant(cmp, f, h)) return std::nullopt;
  cmp->detail = nullptr;
  return Yes(Method::kField);
}

}  // namespace assay::math
