// Words where mathematics could stand: what leads in an answer, numbers spelled out, names, answers that are text.
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "verifiers/math/syntax/parser/grammar.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

std::string Phrase(const Parser& p, size_t* end);
NodeId WordsNode(Parser& p, const std::string& phrase);
bool NumberedWord(const Parser& p);
bool WordAhead(const Parser& p);
bool WordAlone(const Parser& p);

}  // namespace

namespace {

// e^{at}, \frac{GMm}{r^2}, \sinh(at): a few letters alone in the braces or brackets of a formula are no word.
bool LettersInFormula(const Parser& p) {
  if (!p.Is(Tok::kWord) || p.at < 2 || p.Now().text.size() > 4 || IsHigh(p.Now().text[0]))
    return false;
  const Tok right = p.Ahead(1).kind;
  if (right != Tok::kGroupClose && right != Tok::kClose && right != Tok::kMinus &&
      right != Tok::kPlus)
    return false;
  const Tok sign = p.tokens[p.at - 1].kind;
  const size_t left = p.at - (sign == Tok::kMinus || sign == Tok::kPlus ? 2 : 1);
  if (left == 0) return false;
  const Tok before = p.tokens[left - 1].kind;
  if (p.tokens[left].kind == Tok::kGroupOpen)
    return before == Tok::kFrac || before == Tok::kGroupClose || before == Tok::kCaret;
  return p.tokens[left].kind == Tok::kOpen && (before == Tok::kFunc || before == Tok::kLog);
}

}  // namespace

bool SkipLeadIn(Parser& p) {
  for (int guard = 0; guard < 8; ++guard) {
    if (!p.Is(Tok::kText) && !p.Is(Tok::kWord)) return true;
    size_t end = p.at;
    std::string phrase = Phrase(p, &end);
    const Token& after = p.tokens[std::min(end, p.tokens.size() - 1)];
    if (IsConjunction(phrase)) {
      p.Next();
      continue;
    }
    const bool at_end =
        after.kind == Tok::kEnd || after.kind == Tok::kComma || after.kind == Tok::kSemi ||
        after.kind == Tok::kClose || after.kind == Tok::kGroupClose || after.kind == Tok::kRel ||
        after.kind == Tok::kText || after.kind == Tok::kRowSep || after.kind == Tok::kEndEnv;
    if (at_end || !IsLeadIn(phrase)) return true;
    p.at = end;
    while (p.Is(Tok::kColon) || p.IsA(Tok::kRel, kEq)) p.Next();
  }
  return true;
}

namespace {

// \text{rank}(A) = 5, \operatorname{grad} f = ..: the equals sign behind a word's argument; 0: there is none.
size_t BehindArgument(const Parser& p, size_t end) {
  if (!p.Is(Tok::kText) || end != p.at + 1 || p.Now().text.size() > 12) return 0;
  size_t i = end;
  if (p.tokens[i].kind == Tok::kLetter || p.tokens[i].kind == Tok::kGreek) {
    ++i;
  } else if (p.tokens[i].kind == Tok::kOpen) {
    while (i < p.tokens.size() && i < end + 12 && p.tokens[i].kind != Tok::kClose) ++i;
    if (i >= p.tokens.size() || p.tokens[i++].kind != Tok::kClose) return 0;
  }
  const bool equals =
      i > end && i < p.tokens.size() && p.tokens[i].kind == Tok::kRel && p.tokens[i].aux == kEq;
  return equals ? i : 0;
}

}  // namespace

NodeId TryWords(Parser& p) {
  if (LettersInFormula(p)) return kNoNode;
  if (p.Is(Tok::kWord) && IsLetterProduct(p.Now(), false) && !WordAlone(p) && !WordAhead(p) &&
      !NumberedWord(p))
    return kNoNode;
  if (!p.Is(Tok::kText) && !p.Is(Tok::kWord)) return kNoNode;
  size_t end = p.at;
  const std::string phrase = Phrase(p, &end);
  const Token& after = p.tokens[end];
  if (const auto number = ReadNumberPhrase(phrase)) {
    p.at = end;
    return Trailing(p, p.tree.Number(number->num, number->den));
  }
  if (IsItemEnd(after)) {
    if (end == p.at + 1 && p.Is(Tok::kWord) && IsLetterProduct(p.Now(), true)) return kNoNode;
    p.at = end;
    return WordsNode(p, phrase);
  }
  if (after.kind == Tok::kRel || after.kind == Tok::kNot) {
    if (end == p.at + 1 && p.Is(Tok::kWord) && p.Now().text.size() <= 3 && !IsHigh(p.Now().text[0]))
      return kNoNode;
    p.at = end;
    const NodeId left = p.tree.Symbol("text:" + phrase);
    const char op = ParseRelationOp(p);
    if (op == 0 || AtListEnd(p)) return p.Fail();
    const NodeId right = ParseOperand(p);
    if (p.failed) return kNoNode;
    return FinishRelation(p, {left, right}, std::string(1, op));
  }
  if (const size_t relation = BehindArgument(p, end); relation != 0) {
    std::string name = phrase;
    for (size_t i = end; i < relation; ++i) name += Spell(p.tokens[i]);
    p.at = relation;
    const NodeId left = p.tree.Symbol("text:" + name);
    ParseRelationOp(p);
    const NodeId right = AtListEnd(p) ? p.Fail() : ParseOperand(p);
    return p.failed ? kNoNode : FinishRelation(p, {left, right}, "=");
  }
  if (p.Is(Tok::kText)) return p.Fail();
  // "abc/2": a product of letters in an expression; "Option 3 is": not an expression.
  if (after.kind == Tok::kNumber || end > p.at + 1 || IsHigh(p.Now().text[0])) return p.Fail();
  return kNoNode;
}

NodeId OperandWords(Parser& p) {
  if (LettersInFormula(p)) return kNoNode;
  size_t end = p.at;
  const std::string phrase = Phrase(p, &end);
  if (const auto number = ReadNumberPhrase(phrase)) {
    p.at = end;
    return Trailing(p, p.tree.Number(number->num, number->den));
  }
  if (!IsItemEnd(p.tokens[end]) && p.tokens[end].kind != Tok::kRel)
    return p.Is(Tok::kText) ? p.Fail() : kNoNode;
  if (p.Is(Tok::kWord) && end == p.at + 1 && IsLetterProduct(p.Now(), true)) return kNoNode;
  p.at = end;
  return WordsNode(p, phrase);
}

bool IsItemEnd(const Token& t) {
  return t.kind == Tok::kEnd || t.kind == Tok::kComma || t.kind == Tok::kSemi ||
         t.kind == Tok::kClose || t.kind == Tok::kGroupClose || t.kind == Tok::kRowSep ||
         t.kind == Tok::kEndEnv || t.kind == Tok::kAmp ||
         ((t.kind == Tok::kText || t.kind == Tok::kWord) && IsConjunction(NormalizeWords(t.text)));
}

bool IsLetterProduct(const Token& t, bool alone) {
  const std::string_view w = t.text;
  if (IsHigh(w[0])) return false;
  static constexpr std::string_view kNotProducts[] = {"no", "is", "or", "in", "to", "of",
                                                      "at", "by", "we", "us", "it", "as",
                                                      "an", "on", "so", "am", "pm", "if"};
  for (const std::string_view n : kNotProducts) {
    if (w == n) return false;
  }
  if (w.size() == 2) return true;
  if (w.size() > 8) return false;
  if (!alone) {
    return w.size() <= 4;
  }
  const auto all_in = [w](std::string_view set) {
    return std::all_of(w.begin(), w.end(),
                       [set](char c) { return set.find(c) != std::string_view::npos; });
  };
  if (w.size() <= 4 && (all_in("xyzwuvt") || all_in("pqrst") || all_in("kmn"))) return true;
  std::string sorted(w);
  std::sort(sorted.begin(), sorted.end());
  return sorted == "abc";
}

namespace {

// The run of words from the token at hand, in normal form; *end: the token behind it.
std::string Phrase(const Parser& p, size_t* end) {
  size_t i = p.at;
  std::string raw;
  while (p.tokens[i].kind == Tok::kText || p.tokens[i].kind == Tok::kWord ||
         (p.tokens[i].kind == Tok::kLetter && i > p.at && p.tokens[i].space &&
          p.tokens[i - 1].kind != Tok::kLetter && p.tokens[i + 1].kind == Tok::kWord)) {
    if (i > p.at && IsConjunction(NormalizeWords(p.tokens[i].text)) &&
        !NumberWord(NormalizeWords(raw)))
      break;
    raw += ' ';
    raw += p.tokens[i].text;
    ++i;
  }
  *end = i;
  return NormalizeWords(raw);
}

NodeId WordsNode(Parser& p, const std::string& phrase) {
  if (phrase.empty()) return kNoNode;
  if (phrase == "infinity" || phrase == "positive infinity") return p.tree.Const(ConstId::kInf);
  if (phrase == "negative infinity") return p.tree.Neg(p.tree.Const(ConstId::kInf));
  if (phrase == "noon" || phrase == "midnight")
    return p.tree.Add(Op::kTime, {p.tree.Number(12), p.tree.Number(0)}, phrase == "noon" ? 2 : 1);
  if (phrase == "no solution" || phrase == "empty set") return p.tree.Add(Op::kNamedSet, {}, 0);
  if (phrase == "all real numbers" || phrase == "all reals" || phrase == "real numbers" ||
      phrase == "reals") {
    return p.tree.Add(Op::kNamedSet, {}, 'R');
  }
  static constexpr std::pair<std::string_view, char> kSets[] = {{"integers", 'Z'},
                                                                {"rational numbers", 'Q'},
                                                                {"rationals", 'Q'},
                                                                {"complex numbers", 'C'},
                                                                {"natural numbers", 'N'}};
  for (const auto& [words, set] : kSets) {
    if (phrase == words || phrase == "all " + std::string(words))
      return p.tree.Add(Op::kNamedSet, {}, static_cast<uint8_t>(set));
  }
  return p.tree.Named(Op::kText, phrase);
}

// june 6, room 12
bool NumberedWord(const Parser& p) {
  return p.Now().text.size() >= 3 && p.Ahead(1).kind == Tok::kNumber && p.Ahead(1).space;
}

bool WordAhead(const Parser& p) { return p.Ahead(1).kind == Tok::kWord && p.Ahead(1).space; }

bool WordAlone(const Parser& p) { return IsItemEnd(p.Ahead(1)); }

}  // namespace

}  // namespace assay::math
