// ParseTokens(): the whole text as one list, with what the grammar needs to know beforehand about bars.
#include "verifiers/math/syntax/parser.h"

#include "verifiers/math/syntax/parser/grammar.h"

namespace assay::math {
namespace {

std::vector<int> CountBars(const std::vector<Token>& tokens) {
  std::vector<int> bars_after(tokens.size(), 0);
  std::vector<int> counts(1, 0);  // one for each bracket that is open
  for (size_t i = tokens.size(); i-- > 0;) {
    const Tok k = tokens[i].kind;
    if (k == Tok::kClose || k == Tok::kGroupClose || k == Tok::kEndEnv) {
      counts.push_back(0);
    } else if (k == Tok::kOpen || k == Tok::kGroupOpen || k == Tok::kBegin) {
      if (counts.size() > 1) counts.pop_back();
    } else if (k == Tok::kBar) {
      bars_after[i] = counts.back()++;
    }
  }
  return bars_after;
}

}  // namespace

ParserResult ParseTokens(const Lexed& lexed, Grammar grammar, Ambiguous choice, Tree* tree) {
  ParserResult result;
  if (lexed.error != ParseError::kNone) {
    result.error = lexed.error;
    return result;
  }
  Parser p(lexed, grammar, choice, tree);
  p.bars_after = CountBars(p.tokens);
  SkipPunctuation(p);
  const NodeId root = p.AtEnd() ? kNoNode : ParseTop(p);
  SkipPunctuation(p);
  result.slash_ambiguous = p.slash_ambiguous;
  result.unit_ambiguous = p.unit_ambiguous;
  result.mixed_ambiguous = p.mixed_ambiguous;
  result.choice_ambiguous = p.choice_ambiguous;
  result.index_ambiguous = p.index_ambiguous;
  if (p.over_limit) {
    result.error = ParseError::kLimit;
  } else if (p.failed || root == kNoNode || !p.AtEnd()) {
    result.error = ParseError::kSyntax;
  } else {
    result.root = root;
  }
  return result;
}

}  // namespace assay::math
