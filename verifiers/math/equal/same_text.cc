// Choices, words and text: decided before anything, or by what is no mathematics.
#include <algorithm>
#include <string>
#include <vector>

#include "core/text.h"
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

namespace {

// "all even integers" are the even integers.
std::string WithoutAll(const std::string& words) {
  return StartsWith(words, "all ") ? words.substr(4) : words;
}

// "Alice, Bob and Carol": the items of a list of words in normal form; empty if it is none.
std::vector<std::string> WordItems(const std::string& source) {
  if (!IsPlainWords(source)) return {};
  std::vector<std::string> items;
  std::string item;
  const auto close = [&] {
    const std::string words = NormalizeWords(item);
    if (!words.empty()) items.push_back(words);
    item.clear();
  };
  for (size_t i = 0; i < source.size(); ++i) {
    const bool joint = source.compare(i, 5, " and ") == 0;
    if (source[i] == ',' || source[i] == ';' || joint) {
      close();
      i += joint ? 4 : 0;
    } else {
      item += source[i];
    }
  }
  close();
  return items.size() < 2 ? std::vector<std::string>() : items;
}

// Lists of words, in any order unless lists are ordered.
bool SameWordLists(const Comparison& cmp) {
  std::vector<std::string> x = WordItems(cmp.gold.source);
  std::vector<std::string> y = WordItems(cmp.answer.source);
  if (x.empty() || x.size() != y.size()) return false;
  if (!cmp.options.ordered_lists) {
    std::sort(x.begin(), x.end());
    std::sort(y.begin(), y.end());
  }
  return x == y;
}

// "No, it is not." answers a question as "no" does.
bool SameYesOrNo(const std::string& gold, const std::string& answer) {
  const std::string word = NormalizeWords(gold);
  if ((word != "yes" && word != "no") || !IsPlainWords(answer)) return false;
  const size_t comma = answer.find_first_of(",.;");
  if (comma == std::string::npos || NormalizeWords(answer.substr(0, comma)) != word) return false;
  const std::string rest = " " + NormalizeWords(answer.substr(comma)) + " ";
  return rest.find(word == "yes" ? " no " : " yes ") == std::string::npos &&
         (word == "no" || !HasNegation(rest));
}

}  // namespace

std::optional<Decision> SameWords(Comparison* cmp) {
  if (GoldOp(*cmp) != Op::kText && AnswerOp(*cmp) != Op::kText) return std::nullopt;
  if (IsPlainWords(cmp->gold.source) && IsPlainWords(cmp->answer.source) &&
      NormalizeWords(cmp->gold.source) == NormalizeWords(cmp->answer.source)) {
    return Yes(Method::kText);
  }
  const std::string& gold = cmp->answer_first ? cmp->answer.source : cmp->gold.source;
  const std::string& answer = cmp->answer_first ? cmp->gold.source : cmp->answer.source;
  if (SameWordLists(*cmp) || SameYesOrNo(gold, answer)) return Yes(Method::kText);
  if (GoldOp(*cmp) == Op::kText && AnswerOp(*cmp) == Op::kText) {
    const std::string& g = cmp->gold.tree.Name(cmp->gold.readings[0].root);
    const std::string& a = cmp->answer.tree.Name(cmp->answer.readings[0].root);
    return WithoutAll(g) == WithoutAll(a) ? Yes(Method::kText) : No(Method::kText);
  }
  return std::nullopt;
}

Decision SameText(Comparison* cmp, NodeId g, NodeId a) {
  const auto name = [cmp](NodeId id) -> std::string {
    const Op op = cmp->tree[id].op;
    if (op != Op::kText && op != Op::kSym) return "";
    return WithoutAll(NormalizeWords(cmp->tree.Name(id)));
  };
  const std::string x = name(g);
  return !x.empty() && x == name(a) ? Yes(Method::kText) : No(Method::kText);
}

}  // namespace assay::math
