// Commands with arguments in the way of TeX: fractions, derivatives, roots, binomials.
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "verifiers/math/syntax/parser/grammar.h"

namespace assay::math {
namespace {

NodeId TryDerivative(Parser& p);
std::string RawGroup(const Parser& p, size_t open, size_t* end);
NodeId WithPending(Parser& p, NodeId value);

}  // namespace

NodeId ParseFraction(Parser& p) {
  p.Next();
  if (const NodeId d = TryDerivative(p); d != kNoNode || p.failed) return d;
  const NodeId num = ParseArgument(p);
  if (p.failed) return kNoNode;
  // \frac{dx}{1 + x^2}: the integral goes on below the differential.
  const int seen = p.diff_seen;
  p.diff_seen = 0;
  const NodeId den = ParseArgument(p);
  p.diff_seen = std::max(p.diff_seen, seen);
  if (p.failed) return kNoNode;
  return WithPending(p, p.tree.Add(Op::kDiv, {num, den}));
}

NodeId ParseRoot(Parser& p) {
  const int plain_index = p.Now().aux;
  p.Next();
  NodeId index = kNoNode;
  if (plain_index != 0) index = p.tree.Number(plain_index);
  if (p.IsA(Tok::kOpen, '[')) {
    p.Next();
    index = ParseAdditive(p);
    if (p.failed || !p.IsA(Tok::kClose, ']')) return p.Fail();
    p.Next();
  }
  const NodeId x = p.Is(Tok::kOpen) ? ParsePrimary(p) : ParseArgument(p);
  if (p.failed) return kNoNode;
  if (index == kNoNode) index = p.tree.Number(2);
  return WithPending(p, p.tree.Add(Op::kRoot, {x, index}));
}

NodeId ParseBinomial(Parser& p) {
  p.Next();
  const NodeId n = ParseArgument(p);
  if (p.failed) return kNoNode;
  const NodeId k = ParseArgument(p);
  if (p.failed) return kNoNode;
  return WithPending(p, p.tree.Add(Op::kBinom, {n, k}));
}

NodeId ParseArgument(Parser& p) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  if (!p.pending_digits.empty()) {
    const NodeId n = p.tree.Number(p.pending_digits[0] - '0');
    p.pending_digits.remove_prefix(1);
    return n;
  }
  if (p.Is(Tok::kGroupOpen)) return p.Ahead(1).kind == Tok::kGroupClose ? p.Fail() : ParseGroup(p);
  if (p.Is(Tok::kNumber) && !p.Now().aux) {
    const std::string_view digits = p.Now().text;
    const NodeId n = p.tree.Number(digits[0] - '0');
    p.pending_digits = digits.substr(1);
    p.Next();
    return n;
  }
  if (p.Is(Tok::kWord)) {
    if (IsHigh(p.Now().text[0])) return p.Fail();
    p.EnterWord();
  }
  if (p.Is(Tok::kLetter)) {
    const NodeId x = LetterNode(p, p.Now().text);
    p.Next();
    return x;
  }
  return ParsePrimary(p);
}

namespace {

// \frac{d}{dx} f and \frac{dy}{dx}: names and operators, not quotients.
NodeId TryDerivative(Parser& p) {
  size_t end_num = 0;
  size_t end_den = 0;
  if (p.integrals > 0 || !p.Is(Tok::kGroupOpen)) return kNoNode;
  const std::string num = RawGroup(p, p.at, &end_num);
  if (num.empty() || (num[0] != 'd' && num.substr(0, 7) != "partial")) return kNoNode;
  if (end_num >= p.tokens.size() || p.tokens[end_num].kind != Tok::kGroupOpen) return kNoNode;
  const std::string den = RawGroup(p, end_num, &end_den);
  if (den.size() < 2 || (den[0] != 'd' && den.substr(0, 7) != "partial")) return kNoNode;
  // d and d^n alone: an operator on what follows.
  const bool alone =
      num == "d" || num == "partial" || num.substr(0, 2) == "d^" || num.substr(0, 8) == "partial^";
  const bool bare = num == "d" || num == "partial" || (alone && num.size() <= 4);
  p.at = std::min(end_den, p.tokens.size() - 1);
  if (!bare) return p.tree.Symbol("D:" + num + "/" + den);
  if (AtListEnd(p)) return p.tree.Symbol("D:" + num + "/" + den);
  const NodeId body = ParseJuxtaposed(p, false);
  if (p.failed) return kNoNode;
  return p.tree.Named(Op::kDeriv, num + "/" + den, {body});
}

// The spelled tokens of the group at `open`, without the braces of x^{2}; *end: the token behind it. Empty if it is long or
// unclosed.
std::string RawGroup(const Parser& p, size_t open, size_t* end) {
  std::string raw;
  int level = 0;
  for (size_t i = open; i < p.tokens.size() && i < open + 40; ++i) {
    const bool single = level > 0 && p.tokens[i].kind == Tok::kGroupOpen &&
                        i + 2 < p.tokens.size() && p.tokens[i + 2].kind == Tok::kGroupClose;
    if (single) {
      raw += Spell(p.tokens[i + 1]);
      i += 2;
    } else if (p.tokens[i].kind == Tok::kGroupOpen) {
      if (++level > 1) raw += '{';
    } else if (p.tokens[i].kind == Tok::kGroupClose) {
      if (--level == 0) {
        *end = i + 1;
        return raw;
      }
      raw += '}';
    } else {
      raw += Spell(p.tokens[i]);
    }
  }
  return "";
}

// Digits that a TeX argument left over: \frac123 is 1/2 times 3.
NodeId WithPending(Parser& p, NodeId value) {
  if (p.pending_digits.empty() || p.failed) return value;
  const std::string rest(p.pending_digits);
  p.pending_digits = {};
  return p.tree.Add(Op::kMul, {value, DecimalNode(p, rest, 0)});
}

}  // namespace

}  // namespace assay::math
