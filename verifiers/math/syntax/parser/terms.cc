// Sums, terms and factors side by side; which tokens can begin a factor.
#include "verifiers/math/syntax/parser/grammar.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

NodeId Product(Parser& p, const Ids& factors);
NodeId Quotient(Parser& p, const Ids& above, const Ids& below);
bool MixedNumberAhead(const Parser& p);
bool BarOpens(const Parser& p);

bool IsSetNode(Op op) { return op == Op::kNamedSet || op == Op::kSet || op == Op::kInterval; }

}  // namespace

NodeId ParseAdditive(Parser& p) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  Ids terms;
  bool first = true;
  while (!p.failed) {
    int sign = 1;
    int pm = -1;
    if (p.Is(Tok::kPlus) || p.Is(Tok::kMinus)) {
      sign = p.Is(Tok::kMinus) ? -1 : 1;
      p.Next();
    } else if (p.Is(Tok::kPm)) {
      pm = p.Now().aux;
      p.Next();
    } else if (!first) {
      break;
    }
    NodeId term = ParseTerm(p, sign < 0);
    if (p.failed) return kNoNode;
    if (pm >= 0) term = p.tree.Add(Op::kPm, {term}, static_cast<uint8_t>(pm));
    terms.push_back(term);
    first = false;
    if (p.diff_seen > 0 && p.diff_seen == p.integrals) break;
    if (p.Dead()) return kNoNode;
  }
  if (terms.empty()) return p.Fail();
  if (terms.size() == 1) return terms[0];
  // R - {2}
  if (terms.size() == 2 && p.tree[terms[1]].op == Op::kNeg && IsSetNode(p.tree[terms[0]].op) &&
      IsSetNode(p.tree[p.tree.Kid(terms[1], 0)].op))
    return p.tree.Add(Op::kMinus, {terms[0], p.tree.Kid(terms[1], 0)});
  return p.Add(Op::kAdd, terms);
}

NodeId ParseTerm(Parser& p, bool negate) {
  Ids above;
  Ids below;
  int mods = 0;
  above.push_back(ParseJuxtaposed(p, false));
  if (p.failed) return kNoNode;
  if (negate && (p.Is(Tok::kMod) || PercentIsMod(p) || p.Is(Tok::kSlash) || p.Is(Tok::kStar))) {
    // -7 mod 3 is (-7) mod 3.
    above[0] = p.tree.Neg(above[0]);
    negate = false;
  }
  while (!p.Dead()) {
    if (p.Is(Tok::kStar)) {
      p.Next();
      if (AtListEnd(p) && p.depth <= 2) return p.Fail();
      above.push_back(ParseJuxtaposed(p, false));
    } else if (p.Is(Tok::kSlash)) {
      p.Next();
      below.push_back(ParseJuxtaposed(p, true));
      if (!p.failed && p.slash_left && StartsFactor(p)) above.push_back(ParseJuxtaposed(p, false));
    } else if ((p.Is(Tok::kMod) || PercentIsMod(p)) && ++mods <= 16) {
      p.Next();
      const NodeId right = ParseJuxtaposed(p, false);
      if (p.failed) return kNoNode;
      above = {p.tree.Add(Op::kMod, {Quotient(p, above, below), right})};
      below.clear();
    } else {
      break;
    }
  }
  if (p.failed) return kNoNode;
  const NodeId value = Quotient(p, above, below);
  return negate ? p.tree.Neg(value) : value;
}

NodeId ParseJuxtaposed(Parser& p, bool divisor) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  if (p.Is(Tok::kPlus) || p.Is(Tok::kMinus)) {
    const bool minus = p.Is(Tok::kMinus);
    p.Next();
    const NodeId x = ParseJuxtaposed(p, divisor);
    return p.failed || !minus ? x : p.tree.Neg(x);
  }
  if (p.Is(Tok::kPm)) {
    const uint8_t aux = p.Now().aux;
    p.Next();
    const NodeId x = ParseJuxtaposed(p, divisor);
    return p.failed ? x : p.tree.Add(Op::kPm, {x}, aux);
  }
  Ids factors;
  while (!p.failed) {
    const bool number = p.Is(Tok::kNumber);
    if (number && !factors.empty() && p.last_was_number && !MixedNumberAhead(p)) break;
    NodeId f = ParsePower(p);
    if (p.failed) return kNoNode;
    p.last_was_number = number && p.tree[f].op == Op::kNum;
    factors.push_back(f);
    if (p.diff_seen > 0 && p.diff_seen == p.integrals) break;
    if (p.Is(Tok::kWord) && !p.in_word) {
      if (!WordIsFactor(p)) break;
      p.EnterWord();
    }
    if (!StartsFactor(p)) break;
    if (divisor) {
      p.slash_ambiguous = true;
      if (p.slash_left) break;
    }
    if (p.Dead()) return kNoNode;
  }
  if (factors.size() == 1) return factors[0];
  // 30^\circ 15' 20'': degrees, minutes and seconds add up.
  bool arc = true;
  for (size_t k = 0; k < factors.size(); ++k)
    arc = arc && p.tree[factors[k]].op == Op::kDegree && p.tree[factors[k]].aux == k;
  return p.tree.Add(arc ? Op::kAdd : Op::kMul, factors.data(),
                    static_cast<uint32_t>(factors.size()));
}

bool StartsFactor(const Parser& p) {
  const Token& t = p.Now();
  switch (t.kind) {
    case Tok::kLetter:
    case Tok::kGreek:
    case Tok::kConst:
    case Tok::kFunc:
    case Tok::kLog:
    case Tok::kNary:
    case Tok::kFrac:
    case Tok::kSqrt:
    case Tok::kBinom:
    case Tok::kFn:
    case Tok::kStyled:
    case Tok::kBoxed:
    case Tok::kBegin:
    case Tok::kOpen:
    case Tok::kGroupOpen:
    case Tok::kBarOpen:
    case Tok::kNumber:
    case Tok::kIgnored:
      if (t.kind == Tok::kOpen && (p.Ahead(1).kind == Tok::kMod || AtMembership(p))) return false;
      return !AtDottedHalfDay(p);
    case Tok::kNormBar:
      return p.norm_level == 0;
    case Tok::kUnknown:
      return !t.text.empty();
    case Tok::kBar:
      return BarOpens(p);
    case Tok::kWord:
      return WordIsFactor(p);
    default:
      return false;
  }
}

bool WordIsFactor(const Parser& p) {
  const Token& t = p.Now();
  if (IsHigh(t.text[0]) || IsConjunction(NormalizeWords(t.text)) || IsEqualsWord(t.text) ||
      t.text == "in" || (t.text == "to" && t.space))
    return false;
  const bool after_number = p.at > 0 && (p.tokens[p.at - 1].kind == Tok::kNumber ||
                                         p.tokens[p.at - 1].kind == Tok::kGroupClose);
  if (p.integrals > 0 && t.text.size() <= 3) return true;
  if (IsUnitWord(t.text) && (after_number || t.space)) return false;
  if (IsCondition(t.text)) return false;
  if (t.space && after_number && p.Ahead(1).kind == Tok::kWord) return false;  // 18 sq units
  if (!t.space && after_number &&
      (t.text == "th" || t.text == "st" || t.text == "nd" || t.text == "rd"))
    return false;  // 7th
  if (t.text == "am" || t.text == "pm" || t.text == "AM" || t.text == "PM") return false;
  if (t.space && after_number && (t.text == "sq" || t.text == "cu")) return false;
  if (t.space && t.text.size() >= 3) return t.text.size() == 3 && IsLetterProduct(t, true);
  if (t.text.size() > 6) return false;
  return t.text.size() <= 3 || !t.space;
}

namespace {

NodeId Product(Parser& p, const Ids& factors) {
  if (factors.size() == 1) return factors[0];
  return p.Add(Op::kMul, factors);
}

NodeId Quotient(Parser& p, const Ids& above, const Ids& below) {
  const NodeId top = Product(p, above);
  return below.empty() ? top : p.tree.Add(Op::kDiv, {top, Product(p, below)});
}

bool MixedNumberAhead(const Parser& p) {
  return p.Is(Tok::kNumber) && p.Ahead(1).kind == Tok::kFrac;
}

// Where an operator could stand, does this bar open a new absolute value?
bool BarOpens(const Parser& p) {
  if (p.Now().aux == 1 || p.in_builder > 0) return false;
  const int after = p.bars_after[p.at];
  if (p.bar_level == 0) return after % 2 == 1;
  const Token& next = p.Ahead(1);
  if (next.kind == Tok::kBar) return false;
  const bool begins = next.kind == Tok::kLetter || next.kind == Tok::kNumber ||
                      next.kind == Tok::kGreek || next.kind == Tok::kFrac ||
                      next.kind == Tok::kSqrt || next.kind == Tok::kOpen;
  return begins && after + 1 - p.bar_level >= 2;
}

}  // namespace

}  // namespace assay::math
