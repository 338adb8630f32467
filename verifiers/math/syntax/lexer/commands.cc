// Commands with a backslash: rows, environments, layout, and what the table of commands says.
#include <algorithm>
#include <string_view>

#include "verifiers/math/syntax/lexer/state.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

bool KnownCommand(const Lexer& lex, size_t backslash);
bool SplitCommand(Lexer& lex, size_t begin, std::string_view name);
void PushCommand(Lexer& lex, std::string_view name, const Command& c);
void ApplyLayout(Lexer& lex, std::string_view name, uint8_t aux);
void LexEnvironment(Lexer& lex, bool begin);
void LexEscapedSign(Lexer& lex, char next);

}  // namespace

void LexCommand(Lexer& lex, int nested) {
  const size_t begin = lex.pos;
  const char next = lex.At(begin + 1);
  if (next == '\\') {
    if (lex.environments == 0 && IsAlpha(lex.At(begin + 2)) && KnownCommand(lex, begin + 1)) {
      ++lex.pos;  // a command escaped twice
      LexCommand(lex, nested);
      return;
    }
    lex.pos += 2;
    if (lex.At(lex.pos) == '[' && lex.environments > 0) lex.SkipTo(']');
    lex.Push(Tok::kRowSep, 0, {});
    return;
  }
  if (!IsAlpha(next)) {
    LexEscapedSign(lex, next);
    return;
  }
  size_t i = begin + 1;
  while (IsAlpha(lex.At(i))) ++i;
  const std::string_view name = lex.View(begin + 1, i);
  lex.pos = i;
  if (name == "begin" || name == "end") {
    LexEnvironment(lex, name == "begin");
    return;
  }
  if (TextCommand(name) != 0) {
    LexStyledText(lex, name, nested);
    return;
  }
  const auto it = Commands().find(name);
  if (it != Commands().end()) {
    PushCommand(lex, name, it->second);
    return;
  }
  if (SplitCommand(lex, begin, name)) return;
  lex.Push(Tok::kUnknown, 0, name);
}

namespace {

bool KnownCommand(const Lexer& lex, size_t backslash) {
  size_t i = backslash + 1;
  while (IsAlpha(lex.At(i))) ++i;
  const std::string_view name = lex.View(backslash + 1, i);
  return name == "begin" || TextCommand(name) != 0 || Commands().count(name) != 0;
}

// \quadx and \vertx: the longest known command that the name begins with.
bool SplitCommand(Lexer& lex, size_t begin, std::string_view name) {
  for (size_t n = std::min(name.size() - 1, size_t{24}); n >= 3; --n) {
    const auto it = Commands().find(name.substr(0, n));
    if (it == Commands().end()) continue;
    lex.pos = begin + 1 + n;
    PushCommand(lex, name.substr(0, n), it->second);
    return true;
  }
  return false;
}

void PushCommand(Lexer& lex, std::string_view name, const Command& c) {
  // m\angle A: the measure of an angle.
  if (name == "angle" && lex.Last() == Tok::kLetter && lex.out.tokens.back().text == "m")
    lex.out.tokens.pop_back();
  if (c.kind == Tok::kIgnored) {
    ApplyLayout(lex, name, c.aux);
    return;
  }
  if (c.kind == Tok::kBar && lex.sized != 0) {
    lex.Push(lex.sized == 1 ? Tok::kBarOpen : Tok::kBarClose, 0, {});
  } else if (c.kind == Tok::kOpen || c.kind == Tok::kClose) {
    lex.depth = std::max(0, lex.depth + (c.kind == Tok::kOpen ? 1 : -1));
    lex.Push(c.kind, c.aux, name);
  } else if (c.kind == Tok::kStar && lex.Last() == Tok::kGreek &&
             lex.out.tokens.back().text == "nabla") {
    // The divergence and the curl are two operators.
    lex.out.tokens.back().text = name == "times" ? "curl" : "div";
  } else if (c.kind == Tok::kDegree && lex.Last() == Tok::kCaret) {
    lex.out.tokens.pop_back();
    lex.Push(Tok::kDegree, c.aux, {});
  } else {
    lex.Push(c.kind, c.aux, c.kind == Tok::kGreek ? std::string_view(c.text) : name);
  }
  lex.sized = 0;
}

void ApplyLayout(Lexer& lex, std::string_view name, uint8_t aux) {
  if (aux == 3) {
    lex.SkipBlanks();
    if (lex.At(lex.pos) == '{') lex.SkipGroup();
    return;
  }
  lex.space = std::max(lex.space, aux);
  if (name == "left" || name == "mleft" || name == "right" || name == "mright" || name == "bigl" ||
      name == "bigr" || name == "Bigl" || name == "Bigr" || name == "biggl" || name == "biggr") {
    lex.sized = name.find("left") != std::string_view::npos || name.back() == 'l' ? 1 : 2;
    lex.SkipBlanks();
    if (lex.At(lex.pos) == '.') ++lex.pos, lex.sized = 0;
  }
}

void LexEnvironment(Lexer& lex, bool begin) {
  lex.SkipBlanks();
  if (lex.At(lex.pos) != '{') return;
  const size_t close = lex.GroupEnd(lex.pos);
  std::string_view name = lex.View(lex.pos + 1, close);
  lex.pos = std::min(lex.end, close + 1);
  while (!name.empty() && name.back() == '*') name.remove_suffix(1);
  lex.environments = std::max(0, lex.environments + (begin ? 1 : -1));
  if (name.find("matrix") != std::string_view::npos || name == "array")
    lex.matrices = std::max(0, lex.matrices + (begin ? 1 : -1));
  if (begin && (name == "array" || name == "tabular")) {
    lex.SkipBlanks();
    if (lex.At(lex.pos) == '{') lex.SkipGroup();
  } else if (begin && lex.At(lex.pos) == '[') {
    lex.SkipTo(']');
  }
  lex.Push(begin ? Tok::kBegin : Tok::kEndEnv, 0, name);
}

void LexEscapedSign(Lexer& lex, char next) {
  const size_t begin = lex.pos;
  lex.pos = std::min(lex.end, begin + 2);
  switch (next) {
    case '{':
      ++lex.depth;
      lex.Push(Tok::kOpen, '{', {});
      return;
    case '}':
      lex.depth = std::max(0, lex.depth - 1);
      lex.Push(Tok::kClose, '}', {});
      return;
    case '%':
      lex.Push(Tok::kPercent, 0, {});
      return;
    case '$':
      lex.Push(Tok::kMoney, CurrencyOf("$"), {});
      return;
    case '|':
      lex.Push(Tok::kNormBar, 0, {});
      return;
    case '&':
      lex.Push(Tok::kAmp, 0, {});
      return;
    case '#':
    case '_':
      return;
    case '[':
    case ']':
    case '(':
    case ')':  // display and inline delimiters
      lex.out.had_dollar = true;
      lex.space = std::max(lex.space, kThinSpace);
      return;
    case ',':
    case ';':
    case ':':
    case ' ':
    case '>':
    case '~':
    case '/':
    case '\n':
      lex.space = std::max(lex.space, kThinSpace);
      return;
    case '!':
      return;
    default:
      if (begin + 1 < lex.end) lex.pos = begin + 1;  // a lone backslash
      return;
  }
}

}  // namespace

}  // namespace assay::math
