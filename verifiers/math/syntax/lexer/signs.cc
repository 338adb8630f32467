// Everything written as a sign: relations, operators, brackets, braces and bars.
#include <algorithm>
#include <string>

#include "verifiers/math/syntax/lexer/state.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

bool IsLoneDollar(const Lexer& lex);
bool LexRelationSign(Lexer& lex, char c);
bool AlignsRelation(const Lexer& lex);
void OpenBrace(Lexer& lex);
void CloseBrace(Lexer& lex);

}  // namespace

void LexSign(Lexer& lex) {
  const char c = lex.At(lex.pos);
  if (LexRelationSign(lex, c)) return;
  switch (c) {
    case '+':
      if (lex.At(lex.pos + 1) == '/' && lex.At(lex.pos + 2) == '-') {
        ++lex.pos;
        return lex.Two(Tok::kPm, 0);
      }
      return lex.At(lex.pos + 1) == '-' ? lex.Two(Tok::kPm, 0) : lex.Single(Tok::kPlus);
    case '-':
      return lex.Single(Tok::kMinus);
    case '*':
      return lex.At(lex.pos + 1) == '*' ? lex.Two(Tok::kCaret, 0) : lex.Single(Tok::kStar);
    case '/':
      return lex.Single(Tok::kSlash);
    case '^':
      return lex.Single(Tok::kCaret);
    case '_':
      return lex.Single(Tok::kUnder);
    case '!':
      return lex.Single(Tok::kBang);
    case '\'':
      return lex.Single(Tok::kPrime);
    case '%':
      return lex.Single(Tok::kPercent);
    case ',':
      return lex.Single(Tok::kComma);
    case ';':
      return lex.Single(Tok::kSemi);
    case ':':
      return lex.At(lex.pos + 1) == '=' ? lex.Two(Tok::kRel, kEq) : lex.Single(Tok::kColon);
    case '(':
    case '[':
      ++lex.depth;
      return lex.Single(Tok::kOpen, static_cast<uint8_t>(c));
    case ')':
    case ']':
      lex.depth = std::max(0, lex.depth - 1);
      return lex.Single(Tok::kClose, static_cast<uint8_t>(c));
    case '{':
      return OpenBrace(lex);
    case '}':
      return CloseBrace(lex);
    case '|':
      if (lex.At(lex.pos + 1) == '|' && lex.sized != 0) return lex.Two(Tok::kNormBar, 0);
      return lex.Single(lex.sized == 1   ? Tok::kBarOpen
                        : lex.sized == 2 ? Tok::kBarClose
                                         : Tok::kBar);
    case '&':
      if (AlignsRelation(lex)) {
        ++lex.pos;
        return;
      }
      return lex.Single(Tok::kAmp);
    case '~':
    case '`':
      lex.space = std::max(lex.space, kThinSpace);
      ++lex.pos;
      return;
    case '$':
      if (IsLoneDollar(lex)) return lex.Single(Tok::kMoney, CurrencyOf("$"));
      lex.out.had_dollar = true;
      lex.space = std::max(lex.space, kThinSpace);
      ++lex.pos;
      return;
    case '.':
      if (lex.At(lex.pos + 1) == '.' && lex.At(lex.pos + 2) == '.') {
        lex.pos += 3;
        lex.Push(Tok::kEllipsis, 0, {});
        return;
      }
      ++lex.pos;
      lex.space = std::max(lex.space, kThinSpace);
      return;
    default:
      return lex.Single(Tok::kUnknown);
  }
}

namespace {

// $45: in front of an amount, and no second one that would end a formula.
bool IsLoneDollar(const Lexer& lex) {
  const std::string& text = lex.out.text;
  return lex.out.tokens.empty() && IsDigit(lex.At(lex.pos + 1)) && text.find('$') == lex.pos &&
         text.find('$', lex.pos + 1) == std::string::npos;
}

bool LexRelationSign(Lexer& lex, char c) {
  const char n = lex.At(lex.pos + 1);
  if (c == '=') {
    if (n == '=') {
      lex.Two(Tok::kRel, kEq);
    } else if (n == '>') {
      lex.Two(Tok::kRel, kImplies);
    } else if (n == '<') {
      lex.Two(Tok::kRel, kLe);
    } else {
      ++lex.pos;
      lex.Push(Tok::kRel, kEq, {});
    }
    return true;
  }
  if (c == '<' || c == '>') {
    if (n == '=') {
      lex.Two(Tok::kRel, c == '<' ? kLe : kGe);
    } else if (c == '<' && n == '>') {
      lex.Two(Tok::kRel, kNe);
    } else {
      ++lex.pos;
      lex.Push(Tok::kRel, c == '<' ? kLt : kGt, {});
    }
    return true;
  }
  if (c == '!' && n == '=' && lex.At(lex.pos + 2) != '=') {
    lex.Two(Tok::kRel, kNe);
    return true;
  }
  if (c == '-' && n == '>') {
    lex.Two(Tok::kRel, kTo);
    return true;
  }
  return false;
}

// x &= 3: the mark says where rows meet, not where a cell ends.
bool AlignsRelation(const Lexer& lex) {
  if (lex.matrices > 0) return false;
  size_t i = lex.pos + 1;
  while (IsSpace(lex.At(i))) ++i;
  const char c = lex.At(i);
  if (c == '=' || c == '<' || c == '>') return true;
  if (c != '\\') return false;
  size_t j = i + 1;
  while (IsAlpha(lex.At(j))) ++j;
  const auto it = Commands().find(lex.View(i + 1, j));
  return it != Commands().end() && it->second.kind == Tok::kRel;
}

// Bare braces group; where nothing takes them as an argument they may hold a set, whose commas part items.
void OpenBrace(Lexer& lex) {
  if (lex.sized != 0) {
    ++lex.depth;
    lex.Single(Tok::kOpen, '{');
    return;
  }
  const Tok last = lex.Last();
  const bool argument = last == Tok::kFrac || last == Tok::kGroupClose || last == Tok::kSqrt ||
                        last == Tok::kBoxed || last == Tok::kStyled || last == Tok::kBinom;
  lex.braces.push_back(argument ? 0 : 1);
  if (!argument) ++lex.depth;
  lex.Single(Tok::kGroupOpen);
}

void CloseBrace(Lexer& lex) {
  if (lex.sized != 0) {
    lex.depth = std::max(0, lex.depth - 1);
    lex.Single(Tok::kClose, '}');
    return;
  }
  if (!lex.braces.empty()) {
    lex.depth = std::max(0, lex.depth - lex.braces.back());
    lex.braces.pop_back();
  }
  lex.Single(Tok::kGroupClose);
}

}  // namespace

}  // namespace assay::math
