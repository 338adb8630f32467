// One item of a list: a relation or a chain of them, congruences, and the operands between their signs: sets and ratios.
#include <cstring>
#include <string>

#include "verifiers/math/syntax/parser/grammar.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

NodeId ParseLeadingRelation(Parser& p);
size_t HeadEnd(const Parser& p, bool* commas_only);
NodeId ParseHead(Parser& p, size_t end, bool commas_only);
NodeId ParseModulus(Parser& p);
NodeId ParseSetTerm(Parser& p);
NodeId ParseRatio(Parser& p, NodeId first);

}  // namespace

NodeId ParseItem(Parser& p) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  if (!SkipLeadIn(p)) return p.Fail();
  bool commas_only = false;
  const size_t head = HeadEnd(p, &commas_only);
  if (head == 0) {
    if (const NodeId words = TryWords(p); words != kNoNode || p.failed) return words;
  }
  if (AtListEnd(p) || AtSeparator(p)) return kNoNode;
  if (p.Is(Tok::kRel)) return ParseLeadingRelation(p);
  NodeId left = head != 0 ? ParseHead(p, head, commas_only) : ParseOperand(p);
  if (p.failed) return kNoNode;
  Ids operands = {left};
  std::string ops;
  while (char op = ParseRelationOp(p)) {
    if (AtListEnd(p)) return p.Fail();
    const NodeId right = ParseOperand(p);
    if (p.failed) return kNoNode;
    operands.push_back(right);
    ops += op;
  }
  if (ops.empty()) {
    const bool modulus =
        p.Is(Tok::kPmod) || (p.IsA(Tok::kOpen, '(') && p.Ahead(1).kind == Tok::kMod);
    return modulus ? FinishRelation(p, {p.tree.Symbol("_"), left}, std::string(1, kEquiv)) : left;
  }
  return FinishRelation(p, operands, ops);
}

char ParseRelationOp(Parser& p) {
  bool negated = false;
  if (p.Is(Tok::kNot)) {
    negated = true;
    p.Next();
    if (!p.Is(Tok::kRel)) {
      p.Fail();
      return 0;
    }
  }
  if (p.Is(Tok::kRel)) {
    const char op = static_cast<char>(p.Now().aux);
    p.Next();
    if (!negated) return op;
    return op == kEq ? static_cast<char>(kNe) : op == kIn ? static_cast<char>(kNotIn) : 'X';
  }
  if (p.Is(Tok::kWord) && IsEqualsWord(p.Now().text) && !(p.Ahead(1).kind == Tok::kWord)) {
    p.Next();
    return kEq;
  }
  if (p.Is(Tok::kWord) && p.Now().text == "in" && !IsItemEnd(p.Ahead(1))) {
    p.Next();
    return kIn;
  }
  if (p.Is(Tok::kBar) && p.bar_level == 0 && p.depth <= 1 && p.in_builder == 0 &&
      p.bars_after[p.at] == 0) {
    p.Next();
    return kDivides;
  }
  return 0;
}

NodeId FinishRelation(Parser& p, const Ids& operands, const std::string& ops) {
  const NodeId modulus = ParseModulus(p);
  if (p.failed) return kNoNode;
  if (modulus != kNoNode && operands.size() == 2 && (ops[0] == kEquiv || ops[0] == kEq)) {
    return p.tree.Add(Op::kCongruent, {operands[0], operands[1], modulus});
  }
  // x \equiv 3 \bmod 7
  if (operands.size() == 2 && ops[0] == kEquiv && p.tree[operands[1]].op == Op::kMod)
    return p.tree.Add(Op::kCongruent,
                      {operands[0], p.tree.Kid(operands[1], 0), p.tree.Kid(operands[1], 1)});
  const NodeId id = p.Add(Op::kRel, operands);
  p.tree.nodes[id].num = p.tree.Intern(ops);
  return id;
}

NodeId ParseOperand(Parser& p) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  if (p.Is(Tok::kText) || (p.Is(Tok::kWord) && !IsLetterProduct(p.Now(), false))) {
    if (const NodeId words = OperandWords(p); words != kNoNode || p.failed) return words;
  }
  NodeId left = ParseSetTerm(p);
  int signs = 0;
  while (!p.failed && p.Is(Tok::kSetOp)) {
    const int aux = p.Now().aux;
    if (++signs > 64) p.Limit();
    Ids sets = {left};
    while (!p.failed && p.IsA(Tok::kSetOp, aux) && (aux == 0 || sets.size() < 2)) {
      p.Next();
      sets.push_back(ParseSetTerm(p));
    }
    if (p.failed) return kNoNode;
    left = p.Add(aux == 0 ? Op::kUnion : aux == 1 ? Op::kIntersect : Op::kMinus, sets);
  }
  return left;
}

namespace {

// "> 4", "\neq 4", "= 4", "\approx 4": a relation whose left side is not written.
NodeId ParseLeadingRelation(Parser& p) {
  const char op = ParseRelationOp(p);
  if (op == 0 || AtListEnd(p)) return p.Fail();
  const NodeId right = ParseOperand(p);
  if (p.failed) return kNoNode;
  if (op == kEq || op == kApprox || op == kImplies || op == kTo) return right;
  const NodeId blank = p.tree.Symbol("_");
  return FinishRelation(p, {blank, right}, std::string(1, op));
}

// P(A|B) = .., Var(X) = .., u(x, t) = .., \dim V = ..: what stands left of the first sign only names what is asked for. The token
// behind it, or 0 if no such head stands here. `commas_only`: a letter with arguments, as other functions are written.
size_t HeadEnd(const Parser& p, bool* commas_only) {
  constexpr size_t kMost = 40;
  if (p.in_word || p.depth > 2) return 0;
  const auto kind = [&p](size_t i) { return p.tokens[std::min(i, p.tokens.size() - 1)].kind; };
  const auto is_rel = [&p](size_t i) {
    const Token& t = p.tokens[std::min(i, p.tokens.size() - 1)];
    return t.kind == Tok::kRel && (t.aux == kEq || t.aux == kApprox);
  };
  const Tok first = p.Now().kind;
  const bool letter = first == Tok::kLetter || first == Tok::kGreek;
  const bool word = (first == Tok::kWord && !IsHigh(p.Now().text[0])) || first == Tok::kText ||
                    (first == Tok::kUnknown && !p.Now().text.empty());
  if (!letter && !word) return 0;
  size_t i = p.at + 1;
  // \dim V, \deg f
  if (first == Tok::kUnknown && kind(i) == Tok::kLetter && is_rel(i + 1)) return i + 1;
  if (kind(i) != Tok::kOpen) return 0;
  int level = 0;
  bool comma = false;
  bool sign = word;
  for (const size_t end = i + kMost; i < end; ++i) {
    const Tok k = kind(i);
    if (k == Tok::kEnd) return 0;
    if (k == Tok::kOpen) ++level;
    if (k == Tok::kClose && --level == 0) break;
    comma = comma || (level == 1 && k == Tok::kComma);
    sign = sign || (level == 1 && (k == Tok::kBar || k == Tok::kRel || k == Tok::kSetOp ||
                                   k == Tok::kText || k == Tok::kColon));
  }
  *commas_only = comma && !sign;
  return (comma || sign) && kind(i) == Tok::kClose && is_rel(i + 1) ? i + 1 : 0;
}

// The head as a name.
NodeId ParseHead(Parser& p, size_t end, bool commas_only) {
  std::string name;
  if (commas_only) {
    name = Spell(p.Now());
    p.Next();
    p.Next();
    Ids arguments;
    ParseItems(p, &arguments);
    if (p.failed || !p.Is(Tok::kClose) || p.at + 1 != end) return p.Fail();
    p.Next();
    const NodeId id = p.Add(Op::kApply, arguments);
    p.tree.nodes[id].num = p.tree.Intern(name);
    return id;
  }
  for (; p.at < end; p.Next()) name += Spell(p.Now());
  return p.tree.Symbol(name);
}

// (mod m) or \pmod{m} behind a congruence.
NodeId ParseModulus(Parser& p) {
  if (p.Is(Tok::kPmod)) {
    p.Next();
    return ParsePower(p);
  }
  if (p.IsA(Tok::kOpen, '(') && p.Ahead(1).kind == Tok::kMod) {
    p.Next();
    p.Next();
    const NodeId m = ParseAdditive(p);
    if (!p.IsA(Tok::kClose, ')')) return p.Fail();
    p.Next();
    return m;
  }
  if (p.Is(Tok::kMod)) {
    p.Next();
    return ParsePower(p);
  }
  return kNoNode;
}

NodeId ParseSetTerm(Parser& p) {
  // 07:30 is a time of the twenty-four-hour clock.
  const bool zero_hour = p.Is(Tok::kNumber) && p.Now().text.size() == 2 && p.Now().text[0] == '0';
  NodeId first = ParseAdditive(p);
  if (p.failed) return kNoNode;
  if (p.Is(Tok::kColon) && p.in_builder == 0) first = ParseRatio(p, first);
  if (zero_hour && !p.failed && p.tree[first].op == Op::kRatio && p.tree[first].aux != 0)
    p.tree.nodes[first].aux = kDayHours;
  if (p.failed) return kNoNode;
  if ((p.Is(Tok::kWord) || p.Is(Tok::kText)) && p.Now().text == "to" &&
      p.Ahead(1).kind == Tok::kNumber && IsItemEnd(p.Ahead(2))) {
    p.Next();
    const NodeId second = ParseAdditive(p);
    return p.failed ? kNoNode : p.tree.Add(Op::kRatio, {first, second});
  }
  return Trailing(p, first);
}

NodeId ParseRatio(Parser& p, NodeId first) {
  Ids parts = {first};
  int time_like =
      p.tree[first].op == Op::kNum && p.tree[first].den == 1 && p.tree[first].num <= 24 ? 1 : 0;
  while (p.Is(Tok::kColon) && parts.size() < 16) {
    if (p.Ahead(1).kind == Tok::kEnd) break;
    p.Next();
    const Token token = p.Now();
    const NodeId part = ParseAdditive(p);
    if (p.failed) return kNoNode;
    const bool minutes = token.kind == Tok::kNumber && token.text.size() == 2 && token.aux == 0 &&
                         !token.space && p.tree[part].op == Op::kNum && p.tree[part].num < 60;
    if (!minutes) time_like = 0;
    if (time_like != 0 && token.text[0] == '0') time_like = 2;
    parts.push_back(part);
  }
  if (parts.size() == 1) return first;
  if (parts.size() > 3) time_like = 0;
  const NodeId ratio = p.Add(Op::kRatio, parts, static_cast<uint8_t>(time_like));
  return ratio;
}

}  // namespace

}  // namespace assay::math
