// What stands behind or before a value and says what it counts: units, percent, money, half days.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "core/text.h"
#include "verifiers/math/syntax/parser/grammar.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

int HalfDay(Parser& p);
bool IsNumeric(const Parser& p, NodeId id);
NodeId TryMixedWords(Parser& p, NodeId whole);
NodeId TryOperatorWords(Parser& p, NodeId value);
NodeId TrailingWords(Parser& p, NodeId value);
NodeId TryCompound(Parser& p, NodeId value, const std::string& raw);

}  // namespace

NodeId Trailing(Parser& p, NodeId value) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  if (const int half = HalfDay(p)) {
    Ids parts;
    if (p.tree[value].op == Op::kRatio) {
      for (uint32_t k = 0; k < p.tree[value].n; ++k) parts.push_back(p.tree.Kid(value, k));
    } else {
      parts = {value, p.tree.Number(0)};
    }
    return p.Add(Op::kTime, parts, static_cast<uint8_t>(half));
  }
  if (p.Is(Tok::kMoney) && (IsItemEnd(p.Ahead(1)) || p.Ahead(1).kind == Tok::kRel)) {
    const char* unit = CurrencyUnit(p.Now().aux);
    p.Next();
    return p.tree.Named(Op::kQuantity, unit, {value}, 1);
  }
  if (!p.Is(Tok::kText) && !p.Is(Tok::kWord)) return value;
  if (AtConjunction(p) && IsNumeric(p, value)) {
    if (const NodeId mixed = TryMixedWords(p, value); mixed != kNoNode) return Trailing(p, mixed);
  }
  if (IsNumeric(p, value)) {
    if (const NodeId more = TryOperatorWords(p, value); more != kNoNode || p.failed)
      return p.failed ? kNoNode : Trailing(p, more);
  }
  if (AtConjunction(p) || (p.Is(Tok::kWord) && (IsEqualsWord(p.Now().text) ||
                                                (p.Now().text == "in" && !IsItemEnd(p.Ahead(1))) ||
                                                IsCondition(NormalizeWords(p.Now().text))))) {
    return value;
  }
  if (p.Is(Tok::kText)) {  // \text{ for any integer } k
    const std::string words = NormalizeWords(p.Now().text);
    if (words.find(' ') != std::string::npos && IsCondition(words.substr(0, words.find(' '))))
      return value;
  }
  return TrailingWords(p, value);
}

bool AtDottedHalfDay(const Parser& p) {
  return p.Is(Tok::kLetter) && (p.Now().text == "a" || p.Now().text == "p") && p.at > 0 &&
         p.tokens[p.at - 1].kind == Tok::kNumber && p.Ahead(1).kind == Tok::kLetter &&
         p.Ahead(1).text == "m" && size_t{p.Now().pos} + 1 < p.text.size() &&
         p.text[p.Now().pos + 1] == '.' && IsItemEnd(p.Ahead(2));
}

NodeId ParseMoney(Parser& p) {
  const uint8_t currency = p.Now().aux;
  p.Next();
  if (p.Is(Tok::kMoney)) p.Next();  // \text{US}\$
  if (AtListEnd(p) || AtSeparator(p)) return p.Fail();
  const NodeId value = ParsePower(p);
  if (p.failed) return kNoNode;
  return p.tree.Named(Op::kQuantity, CurrencyUnit(currency), {value}, 1);
}

std::pair<std::string, size_t> LetterUnitAhead(const Parser& p) {
  std::string unit;
  if (!(p.Is(Tok::kLetter) || p.Is(Tok::kWord) || p.Is(Tok::kGreek)) || !p.Now().space || p.in_word)
    return {};
  size_t count = 0;
  for (; p.Ahead(count).kind != Tok::kEnd; ++count) {
    const Token& t = p.Ahead(count);
    if (count > 12) return {};
    switch (t.kind) {
      case Tok::kLetter:
      case Tok::kWord:
        unit += t.space ? " " : "";
        unit += t.text;
        break;
      case Tok::kGreek:
        if (t.text != "mu" && t.text != "Omega") return {};
        unit += t.text;
        break;
      case Tok::kNumber:
        unit += t.text;
        break;
      case Tok::kSlash:
        unit += '/';
        break;
      case Tok::kCaret:
        unit += '^';
        break;
      case Tok::kMinus:
        unit += '-';
        break;
      case Tok::kGroupOpen:
      case Tok::kGroupClose:
        break;
      default:
        return {};
    }
  }
  return {unit, ParseUnit(unit).known ? count : 0};
}

NodeId TryLetterUnit(Parser& p, NodeId value) {
  if (!p.Is(Tok::kLetter) || std::strchr("mgshlLNJWVA", p.Now().text[0]) == nullptr ||
      p.Now().text.size() != 1)
    return kNoNode;
  std::string unit(p.Now().text);
  size_t k = 1;
  if (p.Ahead(1).kind == Tok::kCaret) {
    const bool group = p.Ahead(2).kind == Tok::kGroupOpen;
    const Token& power = p.Ahead(group ? 3 : 2);
    if (power.kind != Tok::kNumber) return kNoNode;
    unit += "^" + std::string(power.text);
    k = group ? 5 : 3;
  } else if (!p.Now().space) {
    return kNoNode;  // 3m is a product
  }
  if (!IsItemEnd(p.Ahead(k))) return kNoNode;
  p.at = std::min(p.at + k, p.tokens.size() - 1);
  return p.tree.Named(Op::kQuantity, unit, {value});
}

namespace {

// 1 for a.m., 2 for p.m., consumed; else 0.
int HalfDay(Parser& p) {
  if (p.Is(Tok::kText) || p.Is(Tok::kWord)) {
    const std::string w = NormalizeWords(p.Now().text);
    const bool noon = w == "noon" || w == "midnight";
    if (w == "am" || w == "pm" || (noon && p.at > 0 && p.tokens[p.at - 1].text == "00")) {
      p.Next();
      return w == "am" || w == "midnight" ? 1 : 2;
    }
  }
  if (AtDottedHalfDay(p) || (p.Is(Tok::kLetter) && (p.Now().text == "a" || p.Now().text == "p") &&
                             p.Ahead(1).kind == Tok::kLetter && p.Ahead(1).text == "m" &&
                             p.Now().space && p.Ahead(1).space && IsItemEnd(p.Ahead(2)))) {
    const int half = p.Now().text == "a" ? 1 : 2;
    p.Next();
    p.Next();
    return half;
  }
  return 0;
}

bool IsNumeric(const Parser& p, NodeId id) {
  const Op op = p.tree[id].op;
  return op == Op::kNum || op == Op::kBig;
}

// The word k tokens ahead in normal form; empty if there is none. `a` alone is a letter to the lexer.
std::string WordAt(const Parser& p, size_t k) {
  const Token& t = p.Ahead(k);
  const bool word = t.kind == Tok::kWord || t.kind == Tok::kText || t.kind == Tok::kLetter;
  return word ? NormalizeWords(t.text) : "";
}

void Skip(Parser& p, size_t count) {
  for (; count > 0; --count) p.Next();
}

// "3 and a half", "3 and two thirds", and, where that was asked for, "3 and 1/4": whole number and fraction are one number.
NodeId TryMixedWords(Parser& p, NodeId whole) {
  if (p.tree[whole].op != Op::kNum || p.tree[whole].den != 1 || WordAt(p, 0) != "and")
    return kNoNode;
  std::string phrase;
  for (size_t k = 1; k <= 4 && !WordAt(p, k).empty(); ++k) {
    phrase += (phrase.empty() ? "" : " ") + WordAt(p, k);
    const bool bare = k == 1 && PartWord(phrase) == 2;  // 3 and half
    const auto part =
        ReadNumberPhrase(k > 1 && StartsWith(phrase, "a ") ? "one" + phrase.substr(1) : phrase);
    if (!part || part->den == 1 || part->num >= part->den || (k == 1 && !bare)) continue;
    Skip(p, k + 1);
    return p.tree.Add(Op::kAdd, {whole, p.tree.Number(part->num, part->den)});
  }
  // "1 and 5 sixths"
  const Token& count = p.Ahead(1);
  if (count.kind == Tok::kNumber && count.aux == 0 && count.text.size() < 7) {
    if (const int64_t part = PartWord(WordAt(p, 2)); part > ToInt(count.text)) {
      const int64_t num = ToInt(count.text);
      Skip(p, 3);
      return p.tree.Add(Op::kAdd, {whole, p.tree.Number(num, part)});
    }
  }
  const bool slash = p.Ahead(1).kind == Tok::kNumber && p.Ahead(2).kind == Tok::kSlash &&
                     p.Ahead(3).kind == Tok::kNumber && p.Ahead(1).aux == 0 && p.Ahead(3).aux == 0;
  const bool frac = p.Ahead(1).kind == Tok::kFrac;
  if (!slash && !frac) return kNoNode;
  p.mixed_ambiguous = true;
  if (!p.mixed_and) return kNoNode;
  p.Next();
  const NodeId part = ParseTerm(p);
  return p.failed ? kNoNode : p.tree.Add(Op::kAdd, {whole, part});
}

// "to the power (of) 8", "to the 8th (power)": how many tokens stand before the exponent; 0: something else.
size_t PowerWords(const Parser& p) {
  size_t k = WordAt(p, 0) == "raised" ? 1 : 0;
  if (WordAt(p, k) != "to") return 0;
  ++k;
  if (WordAt(p, k) == "the") ++k;
  if (WordAt(p, k) == "power") {
    ++k;
    if (WordAt(p, k) == "of") ++k;
    return p.Ahead(k).kind == Tok::kNumber ? k : 0;
  }
  const std::string ending = WordAt(p, k + 1);
  const bool ordinal = ending == "th" || ending == "nd" || ending == "rd" || ending == "st";
  return p.Ahead(k).kind == Tok::kNumber && ordinal ? k : 0;
}

// What makes another number of a number: "3 quarters", "3 squared", "3 to the power 8", "3 divided by 4". Words that begin
// so and do not end so make the text unreadable, as 3 alone is not what it says.
NodeId TryOperatorWords(Parser& p, NodeId value) {
  const std::string first = WordAt(p, 0);
  if (const int64_t part = PartWord(first); part != 0 && p.tree[value].den == 1) {
    p.Next();
    return p.tree.Add(Op::kDiv, {value, p.tree.Number(part)});
  }
  // "3 al cuadrado", "3 hoch 2", "3 в квадрате"
  static constexpr std::string_view kRaised[][2] = {
      {"al", "cuadrado"},  {"al", "cubo"},   {"al", "quadrato"}, {"ao", "quadrado"},
      {"ao", "cubo"},      {"au", "carré"},  {"au", "cube"},     {"в", "квадрате"},
      {"в", "кубе"},       {"в", "степени"}, {"im", "quadrat"},  {"do", "kwadratu"},
      {"hoch", ""},        {"elevado", ""},  {"elevato", ""},    {"dividido", ""},
      {"dividida", ""},    {"geteilt", ""},  {"diviso", ""},     {"разделить", ""},
      {"multiplicado", ""}};
  for (const auto& raised : kRaised) {
    if (first == raised[0] && (raised[1].empty() || WordAt(p, 1) == raised[1])) return p.Fail();
  }
  if (first == "squared" || first == "cubed") {
    p.Next();
    return p.tree.Add(Op::kPow, {value, p.tree.Number(first == "squared" ? 2 : 3)});
  }
  // "7th"
  if (p.tree[value].den == 1 && !p.Now().space &&
      (first == "th" || first == "st" || first == "nd" || first == "rd")) {
    if (!IsItemEnd(p.Ahead(1))) return p.Fail();  // "the 10th row"
    p.Next();
    return value;
  }
  if (first == "factorial") {
    p.Next();
    return p.tree.Add(Op::kFact, {value}, 1);
  }
  if (first == "base" || (first == "in" && WordAt(p, 1) == "base")) {
    const size_t k = first == "in" ? 2 : 1;
    const NodeId based =
        p.Ahead(k).kind == Tok::kNumber ? BasedAs(p, value, p.Ahead(k).text) : kNoNode;
    if (based == kNoNode) return p.Fail();
    Skip(p, k + 1);
    return based;
  }
  Op op = Op::kNum;
  size_t k = 0;
  if ((k = PowerWords(p)) != 0) op = Op::kPow;
  if ((first == "divided" && WordAt(p, 1) == "by") || (first == "out" && WordAt(p, 1) == "of"))
    op = Op::kDiv, k = 2;
  if (first == "in" && p.Ahead(1).kind == Tok::kNumber && IsItemEnd(p.Ahead(2)))
    op = Op::kDiv, k = 1;  // "1 in 6"
  if (first == "over") op = Op::kDiv, k = 1;
  if (first == "multiplied" && WordAt(p, 1) == "by") op = Op::kMul, k = 2;
  if (first == "choose") op = Op::kBinom, k = 1;
  const bool goes_on = op != Op::kNum || first == "raised" || first == "point" ||
                       (first == "to" && (WordAt(p, 1) == "the" || WordAt(p, 1) == "power"));
  if (!goes_on) return kNoNode;
  if (op == Op::kNum || p.Ahead(k).kind != Tok::kNumber) return p.Fail();
  Skip(p, k);
  const NodeId other = LiteralNode(p, p.Now().text);
  if (p.failed) return kNoNode;
  p.Next();
  if (op == Op::kPow) {
    const std::string ending = WordAt(p, 0);
    if (ending == "th" || ending == "nd" || ending == "rd" || ending == "st") p.Next();
    if (WordAt(p, 0) == "power") p.Next();
  }
  return p.tree.Add(op, {value, other});
}

NodeId TrailingWords(Parser& p, NodeId value) {
  const std::string first = NormalizeWords(p.Now().text);
  const bool per_cent = first == "per" && NormalizeWords(p.Ahead(1).text) == "cent";
  if (per_cent) p.Next();
  if (IsPercentWord(first) || per_cent) {
    p.Next();
    return Trailing(p, p.tree.Add(Op::kPercent, {value}));
  }
  // "11 тысяч тюбиков": a scale and what is counted, in one text.
  if (const size_t blank = first.find(' '); blank != std::string::npos) {
    const int64_t factor = Multiplier(first.substr(0, blank));
    if (factor >= 1000 && IsItemEnd(p.Ahead(1))) {
      p.Next();
      const NodeId scaled = p.tree.Add(Op::kMul, {value, p.tree.Number(factor)});
      return p.tree.Named(Op::kQuantity, first.substr(blank + 1), {scaled});
    }
  }
  if (const int64_t factor = Multiplier(first)) {
    p.Next();
    return Trailing(p, p.tree.Add(Op::kMul, {value, p.tree.Number(factor)}));
  }
  std::string raw;
  const size_t words_begin = p.at;
  while (!IsItemEnd(p.Now()) && !p.Is(Tok::kRel) && !p.Is(Tok::kBar) && !p.failed) {
    switch (p.Now().kind) {
      case Tok::kText:
      case Tok::kWord:
      case Tok::kLetter:
      case Tok::kNumber:
        if (p.Is(Tok::kNumber) && p.at > words_begin &&
            (p.Now().space || p.tokens[p.at - 1].kind == Tok::kText)) {
          if (const NodeId sum = TryCompound(p, value, raw); sum != kNoNode) return sum;
          // "15 lub 16": what holds another number is no unit.
          return p.Fail();
        }
        if (p.Now().space || !raw.empty()) raw += ' ';
        raw += p.Now().text;
        break;
      case Tok::kFunc:  // "học sinh": a word of some language is a function's name
        if (raw.empty()) return p.Fail();
        raw += ' ';
        raw += p.Now().text;
        break;
      case Tok::kCaret:
        raw += '^';
        break;
      case Tok::kSlash:
        raw += '/';
        break;
      case Tok::kMinus:
        raw += '-';
        break;
      case Tok::kStar:
      case Tok::kGroupOpen:
      case Tok::kPrime:
        raw += ' ';
        break;
      case Tok::kOpen:
      case Tok::kColon:
        break;
      default:
        return p.Fail();
    }
    p.Next();
    // The closing brace of an exponent: cm^{2}.
    while (p.Is(Tok::kGroupClose) && !raw.empty() && p.open_groups == 0) p.Next();
  }
  const std::string words = NormalizeWords(raw);
  if (HasNegation(words) || raw.find('?') != std::string::npos) return p.Fail();
  if (words.empty()) return value;
  if (IsDegreeWord(words)) return p.tree.Add(Op::kDegree, {value});
  return p.tree.Named(Op::kQuantity, raw, {value});
}

// "2 hours 30 minutes", "5 ft 6 in": a second value in a unit of the same dimension.
NodeId TryCompound(Parser& p, NodeId value, const std::string& raw) {
  const Unit unit = ParseUnit(raw);
  const Token& next = p.Ahead(1);
  if (!unit.known || (next.kind != Tok::kWord && next.kind != Tok::kText)) return kNoNode;
  const Unit second = ParseUnit(next.text);
  __int128 num = static_cast<__int128>(second.num) * unit.den;
  __int128 den = static_cast<__int128>(second.den) * unit.num;
  if (!second.known || second.dimension != unit.dimension || num > INT64_MAX || den > INT64_MAX)
    return kNoNode;
  const NodeId more = LiteralNode(p, p.Now().text);
  if (p.failed) return kNoNode;
  p.Next();
  p.Next();
  const NodeId scale = p.tree.Number(static_cast<int64_t>(num), static_cast<int64_t>(den));
  const NodeId sum = p.tree.Add(Op::kAdd, {value, p.tree.Add(Op::kMul, {more, scale})});
  if (p.Is(Tok::kNumber)) {
    if (const NodeId third = TryCompound(p, sum, raw); third != kNoNode) return third;
  }
  return IsItemEnd(p.Now()) ? p.tree.Named(Op::kQuantity, raw, {sum}) : p.Fail();
}

}  // namespace

}  // namespace assay::math
