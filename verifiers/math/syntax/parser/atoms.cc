// The table of what a factor can be, by its first token. A new form that has a token of its own gets its line here.
#include <cstring>
#include <string>

#include "verifiers/math/syntax/parser/grammar.h"

namespace assay::math {
namespace {

NodeId ParseBoxed(Parser& p);
NodeId ParseUnknown(Parser& p);

}  // namespace

NodeId ParsePrimary(Parser& p) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  const Token& t = p.Now();
  switch (t.kind) {
    case Tok::kNumber:
      return ParseNumber(p);
    case Tok::kLetter:
      if (AtLetterNumeral(p)) return TryBase(p);
      return ParseLetter(p);
    case Tok::kGreek:
      return ParseLetter(p);
    case Tok::kUnder:
    case Tok::kCaret:
      return ParseChoiceNumber(p);
    case Tok::kConst:
      p.Next();
      return p.tree.Const(static_cast<ConstId>(t.aux));
    case Tok::kFunc:
    case Tok::kLog:
      return ParseFunction(p);
    case Tok::kFn:
      return ParseSeveral(p);
    case Tok::kNary:
      return ParseNary(p);
    case Tok::kFrac:
      return ParseFraction(p);
    case Tok::kSqrt:
      return ParseRoot(p);
    case Tok::kBinom:
      return ParseBinomial(p);
    case Tok::kBoxed:
      return ParseBoxed(p);
    case Tok::kStyled:
      return ParseStyled(p);
    case Tok::kOpen:
      if (const NodeId based = TryBase(p); based != kNoNode || p.failed) return based;
      return ParseBrackets(p);
    case Tok::kGroupOpen:
      return ParseGroup(p);
    case Tok::kBar:
    case Tok::kBarOpen:
      return ParseBars(p);
    case Tok::kNormBar:
      return ParseNorm(p);
    case Tok::kBegin:
      return ParseEnvironment(p);
    case Tok::kNamedSet:
      p.Next();
      return p.tree.Add(Op::kNamedSet, {}, t.aux);
    case Tok::kMoney:
      return ParseMoney(p);
    case Tok::kIgnored:
      p.Next();
      return ParsePrimary(p);
    case Tok::kEllipsis:
      p.Next();
      return p.tree.Symbol("...");
    case Tok::kUnknown:
      if (t.text.empty()) return p.Fail();
      return ParseUnknown(p);
    case Tok::kWord:
      if (AtLetterNumeral(p)) return TryBase(p);
      if (IsHigh(t.text[0]) || t.text.size() > 12) return p.Fail();
      p.EnterWord();
      return ParseLetter(p);
    default:
      return p.Fail();
  }
}

namespace {

// Commas in a box part the items of a list, not of a set.
NodeId ParseBoxed(Parser& p) {
  p.Next();
  const NodeId x = ParseArgument(p);
  if (!p.failed && p.tree[x].op == Op::kSet && p.box_braces == x) p.tree.nodes[x].op = Op::kList;
  return x;
}

NodeId ParseUnknown(Parser& p) {
  std::string name = "\\" + std::string(p.Now().text);
  p.Next();
  Ids args;
  while (p.Is(Tok::kGroupOpen) && args.size() < 4) {
    args.push_back(ParseGroup(p));
    if (p.failed) return kNoNode;
  }
  if (args.empty()) return p.tree.Symbol(name);
  const NodeId id = p.Add(Op::kApply, args);
  p.tree.nodes[id].num = p.tree.Intern(name);
  return id;
}

}  // namespace

}  // namespace assay::math
