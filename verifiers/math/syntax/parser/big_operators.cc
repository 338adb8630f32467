// Sums, products, integrals and limits with their bounds.
#include <algorithm>
#include <cstring>
#include <string>

#include "verifiers/math/syntax/parser/grammar.h"
#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

bool BindsI(const Parser& p);
NodeId ParseBound(Parser& p, int* direction);
int ParseDirection(Parser& p);
NodeId ParseAdditiveUntilDirection(Parser& p);
NodeId ParseSumOrLimit(Parser& p, int kind, NodeId low, NodeId high, int direction);
NodeId ParseIntegral(Parser& p, NodeId low, NodeId high);
NodeId IndexedBy(Parser& p, NodeId body, const std::string& variable);

}  // namespace

NodeId ParseNary(Parser& p) {
  const int kind = p.Now().aux;
  p.Next();
  NodeId low = kNoNode;
  NodeId high = kNoNode;
  int direction = 0;
  bool bound = false;
  for (int k = 0; k < 2; ++k) {
    if (p.Is(Tok::kUnder)) {
      p.Next();
      if (kind != 2) bound = BindsI(p);
      if (bound) ++p.bound_i;
      low = ParseBound(p, &direction);
    } else if (p.Is(Tok::kCaret)) {
      p.Next();
      high = ParseBound(p, &direction);
    }
    if (p.failed) return kNoNode;
  }
  const NodeId id =
      kind == 2 ? ParseIntegral(p, low, high) : ParseSumOrLimit(p, kind, low, high, direction);
  if (bound) --p.bound_i;
  return id;
}

namespace {

bool BindsI(const Parser& p) {
  return p.Is(Tok::kGroupOpen) && p.Ahead(1).kind == Tok::kLetter && p.Ahead(1).text == "i" &&
         p.Ahead(2).kind == Tok::kRel;
}

// A bound: one item; an empty group counts as none. x \to 3^+ sets the direction.
NodeId ParseBound(Parser& p, int* direction) {
  if (p.Is(Tok::kGroupOpen) && p.Ahead(1).kind == Tok::kGroupClose) {
    p.Next();
    p.Next();
    return kNoNode;
  }
  if (!p.Is(Tok::kGroupOpen)) return ParseScript(p, false);
  p.Next();
  Ids operands = {ParseAdditive(p)};
  std::string ops;
  while (!p.failed) {
    *direction = std::max(*direction, ParseDirection(p));
    const char op = ParseRelationOp(p);
    if (op == 0) break;
    operands.push_back(ParseAdditiveUntilDirection(p));
    ops += op;
  }
  *direction = std::max(*direction, ParseDirection(p));
  if (p.failed || !p.Is(Tok::kGroupClose)) return p.Fail();
  p.Next();
  return ops.empty() ? operands[0] : FinishRelation(p, operands, ops);
}

// 3^+ and 3^{-}: the caret belongs to the direction.
int ParseDirection(Parser& p) {
  if (!p.Is(Tok::kCaret)) return 0;
  const bool group = p.Ahead(1).kind == Tok::kGroupOpen;
  const Token& sign = p.Ahead(group ? 2 : 1);
  if (sign.kind != Tok::kPlus && sign.kind != Tok::kMinus) return 0;
  if (p.Ahead(group ? 3 : 2).kind != Tok::kGroupClose) return 0;
  p.at += group ? 4 : 2;
  return sign.kind == Tok::kPlus ? 1 : 2;
}

NodeId ParseAdditiveUntilDirection(Parser& p) {
  if (p.Is(Tok::kNumber) && p.Ahead(1).kind == Tok::kCaret) {
    const bool group = p.Ahead(2).kind == Tok::kGroupOpen;
    const Token& sign = p.Ahead(group ? 3 : 2);
    if ((sign.kind == Tok::kPlus || sign.kind == Tok::kMinus) &&
        p.Ahead(group ? 4 : 3).kind == Tok::kGroupClose) {
      const NodeId n = LiteralNode(p, p.Now().text);
      p.Next();
      return n;
    }
  }
  return ParseAdditive(p);
}

NodeId ParseSumOrLimit(Parser& p, int kind, NodeId low, NodeId high, int direction) {
  if (AtListEnd(p)) return p.Fail();
  const NodeId body = ParseTerm(p);
  if (p.failed) return kNoNode;
  const bool relation = low != kNoNode && p.tree[low].op == Op::kRel && p.tree[low].n == 2 &&
                        p.tree[p.tree.Kid(low, 0)].op == Op::kSym;
  if (kind == 3) {
    if (!relation) return p.Fail();
    return p.tree.Add(Op::kLim, {p.tree.Kid(low, 0), p.tree.Kid(low, 1), body},
                      static_cast<uint8_t>(direction));
  }
  const Op op = kind == 0 ? Op::kSum : Op::kProd;
  if (relation && high != kNoNode && p.tree.Name(low)[0] == kEq) {
    const NodeId variable = p.tree.Kid(low, 0);
    return p.tree.Add(
        op, {variable, p.tree.Kid(low, 1), high, IndexedBy(p, body, p.tree.Name(variable))});
  }
  Ids parts = {body};
  if (low != kNoNode) parts.push_back(low);
  if (high != kNoNode) parts.push_back(high);
  const NodeId id = p.Add(Op::kApply, parts);
  p.tree.nodes[id].num = p.tree.Intern(kind == 0 ? "sum" : "prod");
  return id;
}

// x_i below a sum over i depends on i: its index becomes an argument, whatever its name.
NodeId IndexedBy(Parser& p, NodeId body, const std::string& variable) {
  return CopyWith(&p.tree, body, [&](NodeId at) -> NodeId {
    if (p.tree[at].op != Op::kSym) return kNoNode;
    const std::string name = p.tree.Name(at);
    const size_t bar = name.find('_');
    if (bar == std::string::npos || bar == 0 || bar + 1 >= name.size() ||
        name.find(variable, bar + 1) == std::string::npos)
      return kNoNode;
    const std::string_view script = std::string_view(name).substr(bar + 1);
    Ids arguments;
    if (const NodeId index = IndexTerms(p, script); index != kNoNode) {
      arguments = {index};
    } else {  // a_{ij}, a_{i,j}
      for (const char c : script) {
        if (c == ',') continue;
        if (!IsAlpha(c) && !IsDigit(c)) return kNoNode;
        arguments.push_back(IsDigit(c) ? p.tree.Number(c - '0') : p.tree.Symbol(std::string(1, c)));
      }
    }
    const NodeId id = p.Add(Op::kApply, arguments);
    p.tree.nodes[id].num = p.tree.Intern(name.substr(0, bar + 1));
    return id;
  });
}

NodeId ParseIntegral(Parser& p, NodeId low, NodeId high) {
  const int saved_seen = p.diff_seen;
  const NodeId saved_variable = p.diff_variable;
  p.diff_seen = 0;
  ++p.integrals;
  const NodeId body = ParseAdditive(p);
  const bool seen = p.diff_seen == p.integrals;
  const NodeId variable = seen ? p.diff_variable : p.tree.Symbol("x");
  --p.integrals;
  p.diff_seen = saved_seen;
  p.diff_variable = saved_variable;
  if (p.failed) return kNoNode;
  if (low == kNoNode || high == kNoNode) return p.tree.Add(Op::kInt, {body, variable});
  return p.tree.Add(Op::kInt, {body, variable, low, high}, 1);
}

}  // namespace

}  // namespace assay::math
