// Choices, words and text: decided before anything, or by what is no mathematics.
#include <string>

#include "verifiers/math/equal/comparison.h"

namespace assay::math {
namespace {

Op GoldOp(const Comparison& cmp) { return cmp.gold.tree[cmp.gold.readings[0].root].op; }

Op AnswerOp(const Comparison& cmp) { return cmp.answer.tree[cmp.answer.readings[0].root].op; }

}  // namespace

std::optional<Decision> SameChoice(Comparison* cmp) {
  if (cmp->gold.choice == 0 || cmp->answer.choice == 0) return std::nullopt;
  const bool framed = cmp->gold.choice_framed || cmp->answer.choice_framed ||
                      cmp->gold.choice_listed || cmp->answer.choice_listed;
  if (!framed) return std::nullopt;
  if (cmp->gold.choice == cmp->answer.choice) return Yes(Method::kText);
  return No(Method::kText);
}

std::optional<Decision> SameWords(Comparison* cmp) {
  if (GoldOp(*cmp) != Op::kText && AnswerOp(*cmp) != Op::kText) return std::nullopt;
  if (IsPlainWords(cmp->gold.source) && IsPlainWords(cmp->answer.source) &&
      NormalizeWords(cmp->gold.source) == NormalizeWords(cmp->answer.source)) {
    return Yes(Method::kText);
  }
  if (GoldOp(*cmp) == Op::kText && AnswerOp(*cmp) == Op::kText) {
    const std::string& g = cmp->gold.tree.Name(cmp->gold.readings[0].root);
    const std::string& a = cmp->answer.tree.Name(cmp->answer.readings[0].root);
    return g == a ? Yes(Method::kText) : No(Method::kText);
  }
  return std::nullopt;
}

Decision SameText(Comparison* cmp, NodeId g, NodeId a) {
  const auto name = [cmp](NodeId id) -> std::string {
    const Op op = cmp->tree[id].op;
    if (op == Op::kText || op == Op::kSym) return NormalizeWords(cmp->tree.Name(id));
    return "";
  };
  const std::string x = name(g);
  return !x.empty() && x == name(a) ? Yes(Method::kText) : No(Method::kText);
}

}  // namespace assay::math
