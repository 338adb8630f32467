// Lex(): the loop over the text, and which rule reads what stands at its place.
#include "verifiers/math/syntax/lexer.h"

#include <algorithm>
#include <utility>

#include "verifiers/math/syntax/lexer/state.h"

namespace assay::math {
namespace {

void LexOne(Lexer& lex, int nested) {
  const char c = lex.At(lex.pos);
  if (IsSpace(c)) {
    lex.space = std::max<uint8_t>(lex.space, kThinSpace);
    ++lex.pos;
  } else if (IsDigit(c) || (c == '.' && IsDigit(lex.At(lex.pos + 1)) && !IsDigit(lex.Before()))) {
    LexNumber(lex);
  } else if (IsAlpha(c) || IsHigh(c)) {
    LexWord(lex);
  } else if (c == '\\') {
    LexCommand(lex, nested);
  } else {
    LexSign(lex);
  }
}

}  // namespace

void LexRange(Lexer& lex, size_t begin, size_t end, int nested) {
  const size_t saved_end = lex.end;
  lex.end = end;
  lex.pos = begin;
  while (lex.pos < lex.end && lex.out.error == ParseError::kNone) LexOne(lex, nested);
  lex.pos = end;
  lex.end = saved_end;
}

void Lex(std::string normalized, CommaStyle commas, Lexed* out) {
  out->text = std::move(normalized);
  if (out->text.size() > kMaxTextBytes) {
    out->error = ParseError::kLimit;
    out->tokens.push_back({});
    return;
  }
  out->tokens.reserve(out->text.size() / 3 + 8);
  Lexer lex(commas, out);
  lex.end = out->text.size();
  LexRange(lex, 0, lex.end, 0);
  lex.Push(Tok::kEnd, 0, {});
}

}  // namespace assay::math
