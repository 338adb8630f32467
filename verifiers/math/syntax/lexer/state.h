// What every rule of the lexer shares: the text, the place in it, the tokens so far; and the rules themselves, one file for each
// kind of thing that can be read. A new command is a row of command_table.cc, a new sign a case of signs.cc, a new way to write
// numbers stands in numbers.cc. Other spellings of what is already known (Unicode) belong before the lexer, into unicode.cc.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "verifiers/math/syntax/chars.h"
#include "verifiers/math/syntax/lexer.h"
#include "verifiers/math/syntax/lexer/command_table.h"

namespace assay::math {

struct Lexer {
  Lexer(CommaStyle comma_style, Lexed* lexed) : commas(comma_style), out(*lexed) {}

  // ---- the text

  char At(size_t i) const { return i < end ? out.text[i] : '\0'; }

  char Before() const { return pos == 0 ? '\0' : out.text[pos - 1]; }

  std::string_view View(size_t a, size_t b) const {
    return std::string_view(out.text).substr(a, b - a);
  }

  size_t DigitsEnd(size_t i) const {
    while (IsDigit(At(i))) ++i;
    return i;
  }

  void SkipBlanks() {
    while (IsSpace(At(pos))) ++pos;
  }

  void SkipTo(char c) {
    const size_t limit = std::min(end, pos + 40);
    for (size_t i = pos; i < limit; ++i) {
      if (At(i) == c) {
        pos = i + 1;
        return;
      }
    }
  }

  // The end of a group in braces that opens at `open` (the index of its closing brace, or the end).
  size_t GroupEnd(size_t open) const {
    int level = 0;
    for (size_t i = open; i < end; ++i) {
      if (At(i) == '\\') {
        ++i;
      } else if (At(i) == '{') {
        ++level;
      } else if (At(i) == '}' && --level == 0) {
        return i;
      }
    }
    return end;
  }

  void SkipGroup() { pos = std::min(end, GroupEnd(pos) + 1); }

  // ---- the tokens

  Tok Last() const { return out.tokens.empty() ? Tok::kEnd : out.tokens.back().kind; }

  void Push(Tok kind, uint8_t aux, std::string_view text) {
    if (out.tokens.size() > static_cast<size_t>(kMaxNodes)) {
      out.error = ParseError::kLimit;
      pos = end;
      return;
    }
    Token t;
    t.kind = kind;
    t.aux = aux;
    t.space = space != 0;
    t.wide = space >= kWideSpace;
    t.pos = static_cast<uint32_t>(pos);
    t.text = text;
    out.tokens.push_back(t);
    space = 0;
  }

  void Single(Tok kind, uint8_t aux = 0) {
    ++pos;
    Push(kind, aux, {});
    sized = 0;
  }

  void Two(Tok kind, uint8_t aux) {
    pos += 2;
    Push(kind, aux, {});
  }

  const CommaStyle commas;
  Lexed& out;
  size_t pos = 0;
  size_t end = 0;
  int depth = 0;         // open brackets whose commas part items
  int environments = 0;  // open \begin
  int matrices = 0;      // those among them whose & parts cells
  uint8_t space = 0;     // white space before the next token: 0, kThinSpace or kWideSpace
  int sized = 0;         // 1 after \left, 2 after \right
  std::vector<int> braces;
};

// ---- lexer.cc

// Reads [begin, end) of the text; `nested`: inside how many \text{..}.
void LexRange(Lexer& lex, size_t begin, size_t end, int nested);

// ---- numbers.cc

void LexNumber(Lexer& lex);

// ---- word_tokens.cc

void LexWord(Lexer& lex);
void PushWord(Lexer& lex, std::string_view word, size_t letters);

// ---- commands.cc

void LexCommand(Lexer& lex, int nested);

// ---- styled_text.cc

// \text{..}, \mathrm{..}, \mathbb{..}: short mathematics is read as such, words become one token.
void LexStyledText(Lexer& lex, std::string_view name, int nested);

// ---- signs.cc

void LexSign(Lexer& lex);

}  // namespace assay::math
