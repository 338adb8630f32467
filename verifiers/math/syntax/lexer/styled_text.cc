// \text{..}, \mathrm{..}, \mathbb{..}: words that become one token, or short mathematics in another dress.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "core/text.h"
#include "verifiers/math/syntax/lexer/state.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

constexpr int kMaxNested = 8;  // \text in \mathrm in ..

void TextContent(Lexer& lex, std::string_view content, size_t at, int kind, std::string_view name,
                 int nested);
bool BoldDirections(const Lexer& lex);
void NamedSetOrLetter(Lexer& lex, std::string_view content);
bool LooksLikeMath(std::string_view s);

}  // namespace

void LexStyledText(Lexer& lex, std::string_view name, int nested) {
  const int kind = TextCommand(name);
  lex.SkipBlanks();
  if (lex.At(lex.pos) == '*') ++lex.pos;
  if (name == "textcolor" && lex.At(lex.pos) == '{') lex.SkipGroup();
  size_t a = lex.pos;
  size_t b = lex.pos;
  size_t after = lex.pos;
  if (lex.At(lex.pos) == '{') {
    a = lex.pos + 1;
    b = lex.GroupEnd(lex.pos);
    after = std::min(lex.end, b + 1);
  } else if (lex.At(lex.pos) == '\\') {
    return;  // \mathbf\alpha: the style says nothing
  } else {
    b = after = std::min(lex.end, lex.pos + 1);
  }
  std::string_view content = lex.View(a, b);
  while (!content.empty() && (IsSpace(content.front()) || content.front() == '~')) {
    content.remove_prefix(1), ++a, lex.space = std::max(lex.space, kThinSpace);
  }
  while (!content.empty() && (IsSpace(content.back()) || content.back() == '~'))
    content.remove_suffix(1);
  if (kind == 3) {
    NamedSetOrLetter(lex, content);
  } else if (!content.empty()) {
    TextContent(lex, content, a, kind, name, nested);
  }
  lex.pos = after;
}

namespace {

void TextContent(Lexer& lex, std::string_view content, size_t at, int kind, std::string_view name,
                 int nested) {
  // The digits of 152\text{A}_{11}.
  if (lex.At(at + content.size() + 1) == '_' && lex.Last() == Tok::kNumber &&
      std::all_of(content.begin(), content.end(), IsUpper)) {
    PushWord(lex, content, content.size());
    return;
  }
  // An upright m, s, g.. behind a number is a unit; another upright letter is what the letter is.
  if ((name == "mathrm" || kind == 1) && content.size() == 1 &&
      std::strchr("msgLJNWVAKhTFHlC", content[0]) != nullptr &&
      (lex.Last() == Tok::kNumber || lex.Last() == Tok::kGroupClose || lex.Last() == Tok::kClose)) {
    lex.Push(Tok::kText, 0, content);
    return;
  }
  // So is m/s.
  if (content.size() > 1 && content.find('/') != std::string_view::npos &&
      (lex.Last() == Tok::kNumber || lex.Last() == Tok::kGroupClose || lex.Last() == Tok::kClose) &&
      ParseUnit(content).known) {
    lex.Push(Tok::kText, 0, content);
    return;
  }
  std::string_view sign = content;
  if (sign.size() > 1 && (sign[0] == '\\' || sign.back() == '.')) {
    if (sign[0] == '\\') sign.remove_prefix(1);
    while (!sign.empty() && (IsSpace(sign.back()) || sign.back() == '.')) sign.remove_suffix(1);
  }
  if (const uint8_t currency = sign.size() > 1 ? CurrencyOf(sign) : 0;
      currency != 0 && lex.out.tokens.empty()) {
    lex.Push(Tok::kMoney, currency, {});
    return;
  }
  if (name == "mathbf" && content.size() == 1 && BoldDirections(lex)) {
    if (content == "i" || content == "j" || content == "k") {
      lex.Push(Tok::kGreek, 0, content == "i" ? "hat(i)" : content == "j" ? "hat(j)" : "hat(k)");
      return;
    }
  }
  // \text{lcm}(4, 6)
  const bool called = lex.At(at + content.size() + 1) == '(';
  if (called && (content == "lcm" || content == "gcd" || content == "max" || content == "min")) {
    const Command& command = Commands().at(content);
    lex.Push(command.kind, command.aux, content);
    return;
  }
  if (content == "," || content == ";") {
    lex.Push(content == "," ? Tok::kComma : Tok::kSemi, 0, {});
    return;
  }
  const auto it = kind == 2 || content == "cis" ? Commands().find(content) : Commands().end();
  if (it != Commands().end() && (it->second.kind == Tok::kFunc || it->second.kind == Tok::kLog ||
                                 it->second.kind == Tok::kFn || it->second.kind == Tok::kNary ||
                                 it->second.kind == Tok::kMod)) {
    lex.Push(it->second.kind, it->second.aux, content);
    return;
  }
  // \text{9 a.m.}
  const bool half_day = IsDigit(content[0]) && content.size() < 16 &&
                        (EndsWith(content, "a.m.") || EndsWith(content, "p.m."));
  if (nested < kMaxNested && (half_day || LooksLikeMath(content))) {
    const size_t end = at + content.size();
    // Units of thousands do not start in the middle of a text.
    LexRange(lex, at, end, nested + 1);
    return;
  }
  lex.Push(Tok::kText, static_cast<uint8_t>(kind), content);
}

// Two of the bold letters i, j, k in one text are directions; one alone is a name, as the style says nothing.
bool BoldDirections(const Lexer& lex) {
  int directions = 0;
  for (const char* letter : {"\\mathbf{i}", "\\mathbf{j}", "\\mathbf{k}"})
    directions += lex.out.text.find(letter) != std::string::npos ? 1 : 0;
  return directions >= 2;
}

void NamedSetOrLetter(Lexer& lex, std::string_view content) {
  if (content.size() == 1 && std::strchr("NZQRC", content[0]) != nullptr) {
    lex.Push(Tok::kNamedSet, static_cast<uint8_t>(content[0]), {});
  } else if (!content.empty()) {
    PushWord(lex, content, content.size());
  }
}

// No two letters in a row: numbers, single letters, signs.
bool LooksLikeMath(std::string_view s) {
  bool any = false;
  size_t letters = 0;
  for (size_t i = 0; i < s.size(); ++i) {
    const char c = s[i];
    if (c == '\\') return false;
    if (IsAlpha(c) || IsHigh(c)) {
      if (++letters > 1) return false;
    } else {
      letters = 0;
    }
    if (IsAlpha(c) || IsDigit(c)) any = true;
    if (c == '$' || c == '"' || c == '\'' || c == '?') return false;
    if (c == '.' && i + 1 < s.size() && IsAlpha(s[i + 1])) return false;  // "a.m."
  }
  return any;
}

}  // namespace

}  // namespace assay::math
