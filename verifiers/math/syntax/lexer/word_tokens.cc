// Letters and words without a backslash: variables, functions and constants by name, signs spelled out, words stuck together.
#include <string_view>

#include "verifiers/math/syntax/lexer/state.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

bool PushSignWord(Lexer& lex, std::string_view word, size_t end);
bool PushCurrency(Lexer& lex, std::string_view word, size_t end);
bool SplitWord(Lexer& lex, std::string_view word);

}  // namespace

void LexWord(Lexer& lex) {
  const size_t begin = lex.pos;
  size_t i = lex.pos;
  size_t letters = 0;
  while (i < lex.end && (IsAlpha(lex.At(i)) || IsHigh(lex.At(i)))) {
    if ((static_cast<unsigned char>(lex.At(i)) & 0xC0) != 0x80) ++letters;
    ++i;
  }
  const std::string_view word = lex.View(begin, i);
  if (PushSignWord(lex, word, i) || PushCurrency(lex, word, i)) return;
  // (0, 1) U (2, 3)
  if (word == "U" && lex.Last() == Tok::kClose) {
    size_t next = i;
    while (IsSpace(lex.At(next))) ++next;
    if (lex.At(next) == '(' || lex.At(next) == '[') {
      lex.Push(Tok::kSetOp, 0, {});
      lex.pos = i;
      return;
    }
  }
  PushWord(lex, word, letters);
  lex.pos = i;
}

void PushWord(Lexer& lex, std::string_view word, size_t letters) {
  // One letter is a symbol; one ideograph is a word.
  const auto lead = static_cast<unsigned char>(word[0]);
  const bool ideograph = lead >= 0xE3 && lead <= 0xED;
  if (letters == 1 && !ideograph) {
    lex.Push(Tok::kLetter, 0, word);
    return;
  }
  const auto it = Commands().find(word);
  if (it != Commands().end()) {
    const Command& c = it->second;
    // As plain words only functions, Greek letters and the like; "to", "in", "not", "left" are words.
    const bool plain =
        c.kind == Tok::kFunc || c.kind == Tok::kLog || c.kind == Tok::kFn ||
        (c.kind == Tok::kGreek && word != "star" && word != "partial" && word != "ell") ||
        c.kind == Tok::kSqrt || word == "pi" || word == "mod" || word == "infty";
    if (plain && word.size() >= 2 && word != "sh" && word != "ch" && word != "th") {
      lex.Push(c.kind, c.aux, c.kind == Tok::kGreek ? std::string_view(c.text) : word);
      return;
    }
  }
  const size_t behind = static_cast<size_t>(word.data() - lex.out.text.data()) + word.size();
  if (lex.At(behind) == '(' &&
      (word == "nCr" || word == "nPr" || word == "binom" || word == "comb" || word == "binomial" ||
       word == "choose" || word == "perm")) {
    lex.Push(Tok::kFn, static_cast<uint8_t>(Op::kBinom), word);
    return;
  }
  if (word == "inf" || word == "Inf" || word == "oo" || word == "infinity" || word == "Infinity") {
    lex.Push(Tok::kConst, static_cast<uint8_t>(ConstId::kInf), word);
  } else if (word == "Pi" || word == "PI") {
    lex.Push(Tok::kConst, static_cast<uint8_t>(ConstId::kPi), word);
  } else if (word == "cbrt") {
    lex.Push(Tok::kSqrt, 3, word);
  } else if (!SplitWord(lex, word)) {
    lex.Push(Tok::kWord, 0, word);
  }
}

namespace {

// "minus 3", "3 plus x": signs spelled out in front of a number or a variable.
bool PushSignWord(Lexer& lex, std::string_view word, size_t end) {
  Tok sign = Tok::kEnd;
  if (word == "minus" || word == "negative") sign = Tok::kMinus;
  if (word == "plus") sign = Tok::kPlus;
  if (word == "times") sign = Tok::kStar;
  if (sign == Tok::kEnd || (sign != Tok::kMinus && lex.out.tokens.empty())) return false;
  size_t next = end;
  while (IsSpace(lex.At(next))) ++next;
  if (sign == Tok::kPlus && lex.out.text.compare(next, 9, "or minus ") == 0) {
    sign = Tok::kPm;
    next += 9;
    end = next;
  }
  const bool operand = IsDigit(lex.At(next)) || lex.At(next) == '\\' || lex.At(next) == '(' ||
                       (lex.At(next) == '.' && IsDigit(lex.At(next + 1))) ||
                       (IsAlpha(lex.At(next)) && !IsAlpha(lex.At(next + 1)));
  if (!operand || next == end - word.size()) return false;
  lex.Push(sign, 0, {});
  lex.pos = end;
  return true;
}

// US$45, CHF 45, Rs. 45: a currency's letters in front of an amount.
bool PushCurrency(Lexer& lex, std::string_view word, size_t end) {
  const uint8_t currency = CurrencyOf(word);
  if (currency == 0 || !IsUpper(word[0])) return false;
  size_t next = end;
  const bool escaped = lex.At(next) == '\\' && lex.At(next + 1) == '$';
  const bool dollar = escaped || lex.At(next) == '$';
  // One letter in front of a dollar sign may as well be a variable in front of a formula.
  const bool letters = word.size() == 3 || word == "Rs";
  if (word.size() == 1 && (!dollar || !lex.out.tokens.empty())) return false;
  if (!dollar && !letters) return false;
  next += escaped ? 2 : dollar ? 1 : 0;
  if (!dollar && lex.At(next) == '.') ++next;
  while (IsSpace(lex.At(next))) ++next;
  if (!IsDigit(lex.At(next))) return false;
  lex.Push(Tok::kMoney, currency, {});
  lex.pos = next;
  return true;
}

// Words stuck together: "orW" (two answers without a blank), "sinx", "pir".
bool SplitWord(Lexer& lex, std::string_view word) {
  for (const std::string_view conjunction : {std::string_view("or"), std::string_view("and")}) {
    if (word.size() > conjunction.size() && word.substr(0, conjunction.size()) == conjunction &&
        word[conjunction.size()] >= 'A' && word[conjunction.size()] <= 'Z') {
      lex.Push(Tok::kWord, 0, conjunction);
      const std::string_view rest = word.substr(conjunction.size());
      PushWord(lex, rest, rest.size());
      return true;
    }
  }
  for (const std::string_view name :
       {std::string_view("arcsin"), std::string_view("arccos"), std::string_view("arctan"),
        std::string_view("sqrt"), std::string_view("sin"), std::string_view("cos"),
        std::string_view("tan"), std::string_view("log"), std::string_view("ln"),
        std::string_view("pi")}) {
    if (word.size() == name.size() + 1 && word.substr(0, name.size()) == name) {
      PushWord(lex, name, name.size());
      PushWord(lex, word.substr(name.size()), 1);
      return true;
    }
  }
  return false;
}

}  // namespace

}  // namespace assay::math
