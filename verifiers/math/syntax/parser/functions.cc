// Functions: sin, log and their like with powers, bases and bare arguments; gcd, max and their like over lists.
#include <cstring>
#include <string>

#include "verifiers/math/syntax/parser/grammar.h"

namespace assay::math {
namespace {

NodeId FunctionNode(Parser& p, const Token& token, NodeId arg, NodeId power, NodeId base);
bool IsMinusOne(const Parser& p, NodeId id);
FuncId Inverse(FuncId id);
NodeId ParseFunctionArgument(Parser& p);

}  // namespace

NodeId ParseFunction(Parser& p) {
  const Token token = p.Now();
  p.Next();
  NodeId power = kNoNode;
  NodeId base = kNoNode;
  for (int k = 0; k < 2; ++k) {
    if (p.Is(Tok::kCaret) && power == kNoNode) {
      p.Next();
      power = ParseScript(p, false);
    } else if (p.Is(Tok::kUnder) && base == kNoNode) {
      p.Next();
      base = ParseScript(p, false);
    }
    if (p.failed) return kNoNode;
  }
  if (token.kind == Tok::kLog && base == kNoNode && token.aux == 0 && p.Is(Tok::kNumber) &&
      !p.Now().space && (p.Now().text == "2" || p.Now().text == "10") &&
      p.NextIsA(Tok::kOpen, '(')) {
    base = LiteralNode(p, p.Now().text);  // log2(8), log10(100)
    p.Next();
  }
  const NodeId arg = ParseFunctionArgument(p);
  if (p.failed) return kNoNode;
  return FunctionNode(p, token, arg, power, base);
}

NodeId ParseSeveral(Parser& p) {
  const Op op = static_cast<Op>(p.Now().aux);
  const std::string name(p.Now().text);
  p.Next();
  if (!p.Is(Tok::kOpen) && !p.Is(Tok::kGroupOpen)) {
    const NodeId x = ParseFunctionArgument(p);
    return p.failed ? kNoNode : p.tree.Add(op, {x});
  }
  const Tok closing = p.Is(Tok::kOpen) ? Tok::kClose : Tok::kGroupClose;
  p.Next();
  Ids args;
  ++p.open_groups;
  ParseItems(p, &args);
  --p.open_groups;
  if (p.failed || !p.Is(closing) || args.empty()) return p.Fail();
  p.Next();
  if (op == Op::kBinom) {
    if (args.size() != 2) return p.Fail();
    const NodeId choice = p.tree.Add(op, {args[0], args[1]});
    const bool ordered = name == "nPr" || name == "perm";
    return ordered ? p.tree.Add(Op::kMul, {choice, p.tree.Add(Op::kFact, {args[1]}, 1)}) : choice;
  }
  if ((op == Op::kFloor || op == Op::kCeil || op == Op::kDet || op == Op::kAbs) && args.size() != 1)
    return p.Fail();
  if (args.size() == 1 && (op == Op::kMax || op == Op::kMin || op == Op::kGcd || op == Op::kLcm) &&
      (p.tree[args[0]].op == Op::kSet || p.tree[args[0]].op == Op::kList)) {
    const NodeId set = args[0];
    args.clear();
    for (uint32_t k = 0; k < p.tree[set].n; ++k) args.push_back(p.tree.Kid(set, k));
  }
  return p.Add(op, args);
}

namespace {

NodeId FunctionNode(Parser& p, const Token& token, NodeId arg, NodeId power, NodeId base) {
  NodeId f;
  if (token.kind == Tok::kLog) {
    if (token.aux == 1 && base == kNoNode) base = p.tree.Number(10);
    f = base == kNoNode ? p.tree.Func(FuncId::kLn, arg) : p.tree.Add(Op::kLog, {arg, base});
  } else {
    if (token.aux == kCis) {
      f = p.tree.Func(FuncId::kExp, p.tree.Add(Op::kMul, {p.tree.Const(ConstId::kI), arg}));
      if (base != kNoNode) return p.Fail();
      return power == kNoNode ? f : p.tree.Add(Op::kPow, {f, power});
    }
    FuncId id = static_cast<FuncId>(token.aux);
    if (power != kNoNode && IsMinusOne(p, power)) {
      const FuncId inverse = Inverse(id);
      if (inverse != id) {
        id = inverse;
        power = kNoNode;
      }
    }
    // One node for e^x, however it is written.
    f = id == FuncId::kExp ? p.tree.Add(Op::kPow, {p.tree.Const(ConstId::kE), arg})
                           : p.tree.Func(id, arg);
    if (base != kNoNode) return p.Fail();
  }
  return power == kNoNode ? f : p.tree.Add(Op::kPow, {f, power});
}

bool IsMinusOne(const Parser& p, NodeId id) {
  const Node& n = p.tree[id];
  if (n.op == Op::kNeg) {
    const Node& x = p.tree[p.tree.Kid(id, 0)];
    return x.op == Op::kNum && x.num == 1 && x.den == 1;
  }
  return false;
}

FuncId Inverse(FuncId id) {
  switch (id) {
    case FuncId::kSin:
      return FuncId::kAsin;
    case FuncId::kCos:
      return FuncId::kAcos;
    case FuncId::kTan:
      return FuncId::kAtan;
    case FuncId::kCot:
      return FuncId::kAcot;
    case FuncId::kSec:
      return FuncId::kAsec;
    case FuncId::kCsc:
      return FuncId::kAcsc;
    case FuncId::kSinh:
      return FuncId::kAsinh;
    case FuncId::kCosh:
      return FuncId::kAcosh;
    case FuncId::kTanh:
      return FuncId::kAtanh;
    case FuncId::kCoth:
      return FuncId::kAcoth;
    default:
      return id;
  }
}

// sin(x) takes the brackets; sin 2x takes the factors up to the next sign or function.
NodeId ParseFunctionArgument(Parser& p) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  if (p.Is(Tok::kOpen) || p.Is(Tok::kGroupOpen) || p.Is(Tok::kBarOpen)) return ParsePrimary(p);
  if (p.Is(Tok::kPlus) || p.Is(Tok::kMinus)) {
    const bool minus = p.Is(Tok::kMinus);
    p.Next();
    const NodeId x = ParseFunctionArgument(p);
    return p.failed || !minus ? x : p.tree.Neg(x);
  }
  Ids factors;
  while (!p.Dead()) {
    if (p.Is(Tok::kWord) && !p.in_word) {
      if (!factors.empty() && !WordIsFactor(p)) break;
      if (IsHigh(p.Now().text[0]) || p.Now().text.size() > 4) return p.Fail();
      p.EnterWord();
    }
    if (!StartsFactor(p)) break;
    const bool function = p.Is(Tok::kFunc) || p.Is(Tok::kLog) || p.Is(Tok::kNary);
    if (!factors.empty() &&
        (function || p.Is(Tok::kBegin) || (p.Is(Tok::kOpen) && p.Now().space) || p.Is(Tok::kBar)))
      break;
    if (!factors.empty() && p.Is(Tok::kNumber)) break;
    if (AtDiff(p)) break;
    factors.push_back(ParsePower(p));
    if (p.failed) return kNoNode;
    if (function) break;
  }
  if (factors.empty()) return p.Fail();
  if (factors.size() == 1) return factors[0];
  return p.Add(Op::kMul, factors);
}

}  // namespace

}  // namespace assay::math
