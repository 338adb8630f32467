// A factor with what hangs behind it: exponents, factorials, percent, degrees, primes; scripts.
#include <cstring>
#include <string>

#include "verifiers/math/syntax/parser/grammar.h"

namespace assay::math {
namespace {

constexpr int kMaxPostfix = 16;  // signs behind one factor

NodeId ParsePostfix(Parser& p, NodeId base);
NodeId Indexed(Parser& p, NodeId base);
NodeId RealPart(Parser& p, NodeId base);
NodeId DegreeNode(Parser& p, NodeId base, uint8_t aux);
NodeId PrimeName(Parser& p, NodeId base);

}  // namespace

NodeId ParsePower(Parser& p) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  NodeId base = ParsePrimary(p);
  if (p.failed) return kNoNode;
  return ParsePostfix(p, base);
}

NodeId ParseScript(Parser& p, bool chain) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  if (p.Is(Tok::kPlus) || p.Is(Tok::kMinus)) {
    const bool minus = p.Is(Tok::kMinus);
    p.Next();
    const NodeId x = ParseScript(p, chain);
    return p.failed || !minus ? x : p.tree.Neg(x);
  }
  if (p.Is(Tok::kGroupOpen)) return ParseGroup(p);
  if (p.Is(Tok::kLetter)) {
    const NodeId x = LetterNode(p, p.Now().text);
    p.Next();
    // Plain text: 2**x**2 and e^x^2 group from the right.
    if (chain && p.Is(Tok::kCaret) && !p.in_word) {
      p.Next();
      const NodeId e = ParseScript(p);
      return p.failed ? kNoNode : p.tree.Add(Op::kPow, {x, e});
    }
    return x;
  }
  if (p.Is(Tok::kWord)) {
    if (IsHigh(p.Now().text[0])) return p.Fail();
    p.EnterWord();
    const NodeId x = LetterNode(p, p.Now().text);
    p.Next();
    return x;
  }
  if (p.Is(Tok::kText)) return p.Fail();
  NodeId x = kNoNode;
  if (p.Is(Tok::kNumber)) {
    x = LiteralNode(
        p, p.Now().text);  // an underscore behind it belongs to the base, not to the number
    p.Next();
  } else {
    x = ParsePrimary(p);
  }
  if (p.failed) return kNoNode;
  if (chain && p.Is(Tok::kCaret)) {
    p.Next();
    const NodeId e = ParseScript(p);
    return p.failed ? kNoNode : p.tree.Add(Op::kPow, {x, e});
  }
  if (p.Is(Tok::kBang)) {
    p.Next();
    return p.tree.Add(Op::kFact, {x}, 1);
  }
  return x;
}

// 7 % 3 as programs write it: a percentage is never followed by a number.
bool PercentIsMod(const Parser& p) {
  if (!p.Is(Tok::kPercent) || p.in_word) return false;
  const Token& next = p.Ahead(1);
  const bool operand = next.kind == Tok::kLetter || next.kind == Tok::kOpen;
  return next.kind == Tok::kNumber || (operand && p.Now().space && next.space);
}

namespace {

NodeId ParsePostfix(Parser& p, NodeId base) {
  for (int guard = 0; !p.Dead(); ++guard) {
    if (guard > kMaxPostfix) return p.Fail();
    switch (p.Now().kind) {
      case Tok::kUnder:
        if (p.tree[base].op == Op::kNamedSet) {
          p.Next();
          base = RealPart(p, base);
        } else if (const NodeId indexed = Indexed(p, base); indexed != kNoNode) {
          base = indexed;
        } else {
          return base;
        }
        break;
      case Tok::kCaret: {
        p.Next();
        if (p.tree[base].op == Op::kNamedSet && !p.Is(Tok::kNumber)) {
          base = RealPart(p, base);
          break;
        }
        if (p.Is(Tok::kPrime) || (p.IsA(Tok::kGroupOpen, 0) && p.Ahead(1).kind == Tok::kPrime)) {
          base = PrimeName(p, base);
          break;
        }
        if (p.Is(Tok::kGroupOpen) && p.Ahead(1).kind == Tok::kDegree &&
            p.Ahead(2).kind == Tok::kGroupClose) {
          p.Next();
          const uint8_t aux = p.Now().aux;
          p.Next();
          p.Next();
          base = DegreeNode(p, base, aux);
          break;
        }
        if (p.Is(Tok::kGroupOpen) && p.Ahead(1).kind == Tok::kGroupClose) {
          p.Next();
          p.Next();
          break;
        }
        const NodeId e = ParseScript(p);
        if (p.failed) return kNoNode;
        base = p.tree.Add(Op::kPow, {base, e});
        break;
      }
      case Tok::kBang: {
        int n = 0;
        while (p.Is(Tok::kBang)) {
          ++n;
          p.Next();
        }
        if (n == 2) {
          base = p.tree.Add(Op::kFact, {base}, 2);  // the double factorial
          break;
        }
        if (n > kMaxPostfix) return p.Fail();
        for (int k = 0; k < n && !p.Dead(); ++k) base = p.tree.Add(Op::kFact, {base}, 1);
        break;
      }
      case Tok::kPercent:
        if (PercentIsMod(p)) return base;
        p.Next();
        base = p.tree.Add(Op::kPercent, {base});
        break;
      case Tok::kDegree:
        p.Next();
        base = DegreeNode(p, base, p.tokens[p.at - 1].aux);
        break;
      case Tok::kPrime:
        base = PrimeName(p, base);
        break;
      default:
        return base;
    }
  }
  return p.failed ? kNoNode : base;
}

// {\rho}_1 and {g}_{k}: a name in braces of its own with an index.
NodeId Indexed(Parser& p, NodeId base) {
  const Node& n = p.tree[base];
  if (n.op != Op::kSym || (n.flags & kGrouped) == 0) return kNoNode;
  p.Next();
  const std::string script = RawScript(p);
  return p.failed ? kNoNode : p.tree.Symbol(p.tree.Name(base) + "_" + script);
}

// R^+, R_{>0}, R^*, R_{\ge 0}: the part of the real line that the sign behind R means.
NodeId RealPart(Parser& p, NodeId base) {
  if (p.tree[base].aux != 'R') return p.Fail();
  const std::string sign = RawScript(p);
  if (p.failed) return kNoNode;
  const NodeId zero = p.tree.Number(0);
  const NodeId top = p.tree.Const(ConstId::kInf);
  if (sign == "+" || sign == ">0" || sign == "++" || sign == "*+" || sign == "+*")
    return p.tree.Add(Op::kInterval, {zero, top}, 0);
  if (sign == std::string(1, kGe) + "0") return p.tree.Add(Op::kInterval, {zero, top}, 1);
  if (sign == "-" || sign == "<0") return p.tree.Add(Op::kInterval, {p.tree.Neg(top), zero}, 0);
  if (sign == std::string(1, kLe) + "0")
    return p.tree.Add(Op::kInterval, {p.tree.Neg(top), zero}, 2);
  if (sign == "*" || sign == "#0")
    return p.tree.Add(Op::kMinus, {base, p.tree.Add(Op::kSet, {zero})});
  return p.Fail();
}

// 90^\circ; 25^\circ C is a temperature.
NodeId DegreeNode(Parser& p, NodeId base, uint8_t aux) {
  const bool scale =
      (p.Is(Tok::kLetter) || p.Is(Tok::kText)) && (p.Now().text == "C" || p.Now().text == "F");
  if (aux != 0 || !scale || !IsItemEnd(p.Ahead(1))) return p.tree.Add(Op::kDegree, {base}, aux);
  const char* name = p.Now().text == "C" ? "celsius" : "fahrenheit";
  p.Next();
  return p.tree.Named(Op::kQuantity, name, {base});
}

// f' and y^{\prime}: part of the name. Behind a number: arc minutes and seconds.
NodeId PrimeName(Parser& p, NodeId base) {
  const bool group = p.Is(Tok::kGroupOpen);
  if (group) p.Next();
  int primes = 0;
  while (p.Is(Tok::kPrime)) {
    ++primes;
    p.Next();
  }
  if (group) {
    if (!p.Is(Tok::kGroupClose)) return p.Fail();
    p.Next();
  }
  const Node& n = p.tree[base];
  if (n.op == Op::kSym || n.op == Op::kApply) {
    const std::string name = p.tree.Name(base) + std::string(static_cast<size_t>(primes), '\'');
    if (n.op == Op::kSym) return ApplyOrSymbol(p, name, true);
    p.tree.nodes[base].num = p.tree.Intern(name);
    return base;
  }
  if (n.op == Op::kNum || n.op == Op::kBig)
    return p.tree.Add(Op::kDegree, {base}, primes == 1 ? 1 : 2);
  return p.Fail();
}

}  // namespace

}  // namespace assay::math
