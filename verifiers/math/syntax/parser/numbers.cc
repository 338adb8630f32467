// Numerals: decimals, repeating decimals, mixed numbers, numerals in another base, and numbers of choices.
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "verifiers/math/syntax/parser/grammar.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

NodeId TryLetterChoice(Parser& p, NodeId n);
void MarkDecimal(Parser& p, NodeId number, std::string_view text);
NodeId TryMixed(Parser& p, NodeId whole);
bool DigitsArgument(Parser& p, int64_t* value);
NodeId MixedNode(Parser& p, NodeId whole, int64_t num, int64_t den);
NodeId BaseValue(Parser& p, const std::string& digits, int64_t base);
NodeId RepeatingNode(Parser& p, const std::string& mantissa, const std::string& repeat,
                     int64_t scale);

}  // namespace

NodeId ParseNumber(Parser& p) {
  const Token token = p.Now();
  if (const NodeId based = TryBase(p); based != kNoNode || p.failed) return based;
  p.Next();
  const NodeId n = LiteralNode(p, token.text);
  if (p.failed) return kNoNode;
  if (const NodeId choice = TryLetterChoice(p, n); choice != kNoNode) return choice;
  if (token.aux != 0) MarkDecimal(p, n, token.text);
  if (p.plain) {
    if (const NodeId quantity = TryLetterUnit(p, n); quantity != kNoNode) return quantity;
  } else if (const auto [unit, count] = LetterUnitAhead(p); count != 0) {
    p.unit_ambiguous = true;
    if (p.letter_units) {
      p.at += count;
      return p.tree.Named(Op::kQuantity, unit, {n});
    }
  }
  return token.aux != 0 ? n : TryMixed(p, n);
}

NodeId TryBase(Parser& p) {
  const bool framed = p.Is(Tok::kOpen);
  const size_t begin = p.at + (framed ? 1 : 0);
  size_t i = begin;
  std::string digits;
  while (i < begin + 32 && (i == begin || !p.tokens[i].space) &&
         (p.tokens[i].kind == Tok::kNumber ||
          ((p.tokens[i].kind == Tok::kLetter || p.tokens[i].kind == Tok::kWord) &&
           IsUpper(p.tokens[i].text[0])))) {
    digits += p.tokens[i].text;
    ++i;
  }
  if (framed && (digits.empty() || p.tokens[i++].kind != Tok::kClose)) return kNoNode;
  if (i >= p.tokens.size() || p.tokens[i].kind != Tok::kUnder || p.in_word) return kNoNode;
  const bool group = p.tokens[i + 1].kind == Tok::kGroupOpen;
  // 1010_{(2)}
  const bool bracket = group && p.tokens[i + 2].kind == Tok::kOpen;
  const size_t at = std::min(i + 1 + (group ? 1 : 0) + (bracket ? 1 : 0), p.tokens.size() - 1);
  int64_t base = 0;
  if (p.tokens[at].kind == Tok::kNumber && !p.tokens[at].aux && p.tokens[at].text.size() <= 2)
    base = ToInt(p.tokens[at].text);
  if (p.tokens[at].kind == Tok::kText || p.tokens[at].kind == Tok::kWord)
    base = NumberWord(NormalizeWords(p.tokens[at].text)).value_or(0);
  if (framed && base == 0) return kNoNode;
  const size_t close = at + (bracket ? 2 : 1);
  if (base < 2 || base > 36 || (bracket && p.tokens[at + 1].kind != Tok::kClose) ||
      (group && (close >= p.tokens.size() || p.tokens[close].kind != Tok::kGroupClose)))
    return p.Fail();
  // 2E_2 is twice E_2.
  if (!std::all_of(digits.begin(), digits.end(),
                   [base](char c) { return (IsUpper(c) ? c - 'A' + 10 : c - '0') < base; }) &&
      std::any_of(digits.begin(), digits.end(), IsUpper))
    return kNoNode;
  const NodeId n = BaseValue(p, digits, base);
  if (p.failed) return kNoNode;
  p.at = std::min((group ? close : at) + 1, p.tokens.size() - 1);
  return n;
}

NodeId BasedAs(Parser& p, NodeId number, std::string_view base) {
  const Node& n = p.tree[number];
  const int64_t value = ToInt(base);
  if (n.op != Op::kNum || n.den != 1 || base.size() > 2 || value < 2 || value > 36) return kNoNode;
  const std::string digits = std::to_string(n.num);
  for (const char c : digits) {
    if (c - '0' >= value) return kNoNode;
  }
  const NodeId id = BaseValue(p, digits, value);
  return p.failed ? kNoNode : p.tree.Named(Op::kBased, digits + "_" + std::string(base), {id});
}

bool AtLetterNumeral(const Parser& p) {
  if (p.in_word) return false;
  std::string digits;
  size_t i = p.at;
  for (; i < p.at + 16 && (i == p.at || !p.tokens[i].space) &&
         (p.tokens[i].kind == Tok::kNumber || p.tokens[i].kind == Tok::kLetter ||
          p.tokens[i].kind == Tok::kWord);
       ++i)
    digits += p.tokens[i].text;
  if (digits.size() < 2 || p.tokens[i].kind != Tok::kUnder) return false;
  const size_t at =
      std::min(i + (p.tokens[i + 1].kind == Tok::kGroupOpen ? 2 : 1), p.tokens.size() - 1);
  if (p.tokens[at].kind != Tok::kNumber || p.tokens[at].aux != 0 || p.tokens[at].text.size() != 2)
    return false;
  const int64_t base = ToInt(p.tokens[at].text);
  return base > 10 && base <= 36 && std::all_of(digits.begin(), digits.end(), [base](char c) {
           return IsUpper(c) ? c - 'A' + 10 < base : c >= '0' && c <= '9';
         });
}

NodeId ParseChoiceNumber(Parser& p) {
  p.Next();
  const NodeId n = ParseScript(p, false);
  if (p.failed) return kNoNode;
  if (!p.Is(Tok::kLetter) || (p.Now().text != "C" && p.Now().text != "P")) return p.Fail();
  const bool ordered = p.Now().text == "P";
  p.Next();
  if (!p.Is(Tok::kUnder)) return p.Fail();
  p.Next();
  const NodeId k = ParseScript(p, false);
  if (p.failed) return kNoNode;
  const NodeId choice = p.tree.Add(Op::kBinom, {n, k});
  return ordered ? p.tree.Add(Op::kMul, {choice, p.tree.Add(Op::kFact, {k}, 1)}) : choice;
}

NodeId LiteralNode(Parser& p, std::string_view s) {
  std::string mantissa;
  std::string repeat;
  int64_t scale = 0;
  bool point = false;
  size_t i = 0;
  for (; i < s.size() && s[i] != 'e'; ++i) {
    if (s[i] == '.') {
      point = true;
    } else if (s[i] == '(') {
      const size_t close = s.find(')', i);
      repeat = std::string(s.substr(i + 1, close - i - 1));
      i = close;
    } else {
      mantissa += s[i];
      if (point) --scale;
    }
  }
  if (i < s.size()) {
    const std::string_view e = s.substr(i + 1);
    const bool negative = !e.empty() && e[0] == '-';
    const std::string_view digits = e.substr(negative ? 1 : 0);
    if (digits.size() > 9) {
      p.Limit();
      return kNoNode;
    }
    scale += negative ? -ToInt(digits) : ToInt(digits);
  }
  if (!repeat.empty()) return RepeatingNode(p, mantissa, repeat, scale);
  return DecimalNode(p, mantissa, scale);
}

NodeId DecimalNode(Parser& p, const std::string& mantissa, int64_t scale) {
  const size_t first = std::min(mantissa.find_first_not_of('0'), mantissa.size());
  size_t last = mantissa.size();
  while (last > first && scale < 0 && mantissa[last - 1] == '0') --last, ++scale;
  const std::string_view digits = std::string_view(mantissa).substr(first, last - first);
  if (digits.empty()) return p.tree.Number(0);
  if (digits.size() + static_cast<size_t>(scale > 0 ? std::min<int64_t>(scale, 100) : 0) <= 18 &&
      scale >= -18) {
    int64_t value = ToInt(digits);
    int64_t den = 1;
    for (int64_t k = 0; k < scale; ++k) value *= 10;
    for (int64_t k = 0; k > scale; --k) den *= 10;
    return p.tree.Number(value, den);
  }
  Node n;
  n.op = Op::kBig;
  n.num = static_cast<int64_t>(p.tree.bigs.size());
  n.den = scale;
  p.tree.bigs.emplace_back(digits);
  p.tree.nodes.push_back(n);
  return static_cast<NodeId>(p.tree.nodes.size() - 1);
}

int64_t ToInt(std::string_view s) {
  int64_t v = 0;
  for (const char c : s.substr(0, 17)) v = v * 10 + (c - '0');
  return v;
}

namespace {

// 10C3 and 5P2 as calculators print them.
NodeId TryLetterChoice(Parser& p, NodeId n) {
  if (!p.Is(Tok::kLetter) || p.in_word || p.Now().space ||
      (p.Now().text != "C" && p.Now().text != "P"))
    return kNoNode;
  const Token& lower = p.Ahead(1);
  if (lower.kind != Tok::kNumber || lower.space || lower.aux != 0 || lower.text.size() > 9 ||
      p.tree[n].op != Op::kNum || p.tree[n].num < ToInt(lower.text))
    return kNoNode;
  const bool ordered = p.Now().text == "P";
  const NodeId k = p.tree.Number(ToInt(lower.text));
  p.Next();
  p.Next();
  const NodeId choice = p.tree.Add(Op::kBinom, {n, k});
  return ordered ? p.tree.Add(Op::kMul, {choice, p.tree.Add(Op::kFact, {k}, 1)}) : choice;
}

// Notes how many digits are shown behind the point: 1.50e-3 shows five.
void MarkDecimal(Parser& p, NodeId number, std::string_view text) {
  Node& n = p.tree.nodes[number];
  n.flags |= kDecimal;
  const size_t point = text.find('.');
  const size_t e = std::min(text.find('e'), text.size());
  if ((n.op != Op::kNum && n.op != Op::kBig) || text.find('(') != std::string_view::npos) return;
  int64_t places = point < e ? static_cast<int64_t>(e - point) - 1 : 0;
  if (e + 1 < text.size())
    places += text[e + 1] == '-' ? ToInt(text.substr(e + 2)) : -ToInt(text.substr(e + 1));
  n.aux = static_cast<uint8_t>(std::clamp<int64_t>(places, 0, 255));
}

// 3\frac12, 3 1/2: whole part and proper fraction.
NodeId TryMixed(Parser& p, NodeId whole) {
  if (p.tree[whole].op != Op::kNum) return whole;
  if (p.Is(Tok::kNumber) && p.Now().space && !p.Now().aux && p.Ahead(1).kind == Tok::kSlash &&
      p.Ahead(2).kind == Tok::kNumber && !p.Ahead(2).aux) {
    const Token a = p.Now();
    const Token b = p.Ahead(2);
    if (a.text.size() < 10 && b.text.size() < 10 && ToInt(a.text) < ToInt(b.text)) {
      p.Next();
      p.Next();
      p.Next();
      return MixedNode(p, whole, ToInt(a.text), ToInt(b.text));
    }
    return whole;
  }
  if (!p.Is(Tok::kFrac)) return whole;
  const size_t saved = p.at;
  p.Next();
  int64_t num = 0;
  int64_t den = 0;
  if (DigitsArgument(p, &num) && DigitsArgument(p, &den) && num < den && num > 0)
    return MixedNode(p, whole, num, den);
  p.at = saved;
  p.pending_digits = {};
  return whole;
}

// {12} or a digit as a fraction's argument; only digits. Consumes on success.
bool DigitsArgument(Parser& p, int64_t* value) {
  if (p.Is(Tok::kGroupOpen) && p.Ahead(1).kind == Tok::kNumber &&
      p.Ahead(2).kind == Tok::kGroupClose && !p.Ahead(1).aux && p.Ahead(1).text.size() < 16 &&
      p.pending_digits.empty()) {
    *value = ToInt(p.Ahead(1).text);
    p.at += 3;
    return true;
  }
  if (!p.pending_digits.empty()) {
    *value = p.pending_digits[0] - '0';
    p.pending_digits.remove_prefix(1);
    return p.pending_digits.empty();
  }
  if (p.Is(Tok::kNumber) && !p.Now().aux && p.Now().text.size() <= 2) {
    const std::string_view digits = p.Now().text;
    *value = digits[0] - '0';
    p.pending_digits = digits.substr(1);
    p.Next();
    return true;
  }
  return false;
}

NodeId MixedNode(Parser& p, NodeId whole, int64_t num, int64_t den) {
  const Node n = p.tree[whole];
  const __int128 top = static_cast<__int128>(n.num) * den + num;
  if (n.den != 1 || top > INT64_MAX) return p.tree.Add(Op::kAdd, {whole, p.tree.Number(num, den)});
  return p.tree.Number(static_cast<int64_t>(top), den);
}

NodeId BaseValue(Parser& p, const std::string& digits, int64_t base) {
  if (digits.empty()) return p.Fail();
  __int128 value = 0;
  __int128 scale = 1;
  bool point = false;
  constexpr __int128 kMax = static_cast<__int128>(INT64_MAX);
  for (const char c : digits) {
    if (c == '.') {
      if (point) return p.Fail();
      point = true;
      continue;
    }
    const int d = c >= '0' && c <= '9' ? c - '0' : IsUpper(c) ? c - 'A' + 10 : 99;
    if (d >= base) return p.Fail();
    value = value * base + d;
    if (point) scale *= base;
    if (value > kMax || scale > kMax) return p.Fail();
  }
  const NodeId n = p.tree.Number(static_cast<int64_t>(value), static_cast<int64_t>(scale));
  const size_t zeros = std::min(digits.find_first_not_of('0'), digits.size() - 1);
  return p.tree.Named(Op::kBased, digits.substr(zeros) + "_" + std::to_string(base), {n});
}

// m.(r) = (mr - m) / (10^k (10^r - 1)).
NodeId RepeatingNode(Parser& p, const std::string& mantissa, const std::string& repeat,
                     int64_t scale) {
  const NodeId whole = DecimalNode(p, mantissa, scale);
  const NodeId part = DecimalNode(p, repeat, 0);
  const std::string nines(repeat.size(), '9');
  const NodeId all = DecimalNode(p, nines, 0);
  const NodeId ten = DecimalNode(p, "1", scale);
  return p.tree.Add(Op::kAdd,
                    {whole, p.tree.Add(Op::kMul, {p.tree.Add(Op::kDiv, {part, all}), ten})});
}

}  // namespace

}  // namespace assay::math
