// One item of a list: a relation or a chain of them, congruences, and the operands between their signs: sets and ratios.
#include <cstring>
#include <string>

#include "verifiers/math/syntax/parser/grammar.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

NodeId ParseLeadingRelation(Parser& p);
NodeId ParseModulus(Parser& p);
NodeId ParseSetTerm(Parser& p);
NodeId ParseRatio(Parser& p, NodeId first);

}  // namespace

NodeId ParseItem(Parser& p) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  if (!SkipLeadIn(p)) return p.Fail();
  if (const NodeId words = TryWords(p); words != kNoNode || p.failed) return words;
  if (AtListEnd(p) || AtSeparator(p)) return kNoNode;
  if (p.Is(Tok::kRel)) return ParseLeadingRelation(p);
  NodeId left = ParseOperand(p);
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
  NodeId first = ParseAdditive(p);
  if (p.failed) return kNoNode;
  if (p.Is(Tok::kColon) && p.in_builder == 0) first = ParseRatio(p, first);
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
