// Numbers read whole: groups of thousands, decimals, repetends, exponents, and the x of a power of ten behind them.
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "verifiers/math/syntax/lexer/state.h"

namespace assay::math {
namespace {

constexpr int kPointGroups = 7;  // a kind of Separator(): points between groups

bool LexPrefixed(Lexer& lex);
size_t Thousands(Lexer& lex, size_t begin, size_t first_end, std::string* digits);
size_t IndianGroups(Lexer& lex, size_t begin, size_t first_end, std::string* digits);
size_t Separator(const Lexer& lex, size_t i, int* kind);
size_t Repetend(Lexer& lex, size_t i, std::string* digits);
size_t MarkedDigits(const Lexer& lex, size_t at, std::string* digits);
size_t Ellipsis(Lexer& lex, size_t i, std::string* digits);
size_t Exponent(const Lexer& lex, size_t i, std::string* digits);
void TimesLetter(Lexer& lex);

}  // namespace

void LexNumber(Lexer& lex) {
  if (LexPrefixed(lex)) return;
  const size_t begin = lex.pos;
  size_t i = lex.DigitsEnd(lex.pos);
  std::string digits(lex.View(begin, i));
  bool decimal = false;
  const size_t grouped = Thousands(lex, begin, i, &digits);
  i = grouped;
  if (lex.At(i) == ',' && IsDigit(lex.At(i + 1)) && lex.depth == 0) {
    ++lex.out.digit_commas;
    if (lex.commas == CommaStyle::kDecimal) {
      const size_t e = lex.DigitsEnd(i + 1);
      digits += "." + std::string(lex.View(i + 1, e));
      decimal = true;
      i = e;
    }
  }
  // 2{,}5: TeX's decimal comma, where three digits would be a group of thousands.
  if (!decimal && grouped == lex.DigitsEnd(begin) && lex.out.text.compare(i, 3, "{,}") == 0 &&
      IsDigit(lex.At(i + 3))) {
    const size_t e = lex.DigitsEnd(i + 3);
    digits += "." + std::string(lex.View(i + 3, e));
    decimal = true;
    i = e;
  }
  if (!decimal && lex.At(i) == '.' && lex.At(i + 1) != '.') {
    const size_t e = lex.DigitsEnd(i + 1);
    if (e > i + 1 || lex.At(i + 1) == '\\' || lex.At(i + 1) == '(') {
      std::string with = digits + "." + std::string(lex.View(i + 1, e));
      const size_t r = Repetend(lex, e, &with);
      if (e > i + 1 || r > e) {
        digits = with;
        decimal = true;
        i = r;
      }
    }
    if (!decimal && !IsAlpha(lex.At(i + 1))) ++i;  // "5." and "-1./3"
    if (decimal && lex.At(i) == ',' && IsDigit(lex.At(i + 1)) && lex.depth == 0)
      ++lex.out.digit_commas;
  }
  const size_t e = Exponent(lex, i, &digits);
  decimal = decimal || e > i;
  i = e;
  lex.out.extra.push_back(std::move(digits));
  lex.Push(Tok::kNumber, decimal ? 1 : 0, lex.out.extra.back());
  lex.pos = i;
  TimesLetter(lex);
}

namespace {

// 0xFF and 0b1010 as programs write them.
bool LexPrefixed(Lexer& lex) {
  const char mark = lex.At(lex.pos + 1);
  if (lex.At(lex.pos) != '0' || (mark != 'x' && mark != 'b' && mark != 'o')) return false;
  const int base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
  uint64_t value = 0;
  size_t i = lex.pos + 2;
  for (; IsDigit(lex.At(i)) || IsAlpha(lex.At(i)); ++i) {
    const char c = lex.At(i);
    const int digit = IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
    if (digit >= base || i > lex.pos + 16) return false;
    value = value * static_cast<uint64_t>(base) + static_cast<uint64_t>(digit);
  }
  if (i < lex.pos + 4 || value >> 62 != 0) return false;  // 0x1 is as well a product
  lex.out.extra.push_back(std::to_string(value));
  lex.Push(Tok::kNumber, 0, lex.out.extra.back());
  lex.pos = i;
  return true;
}

// Reads groups of three after a first group of one to three digits; returns the end, with the digits in *digits.
size_t Thousands(Lexer& lex, size_t begin, size_t first_end, std::string* digits) {
  const size_t first = first_end - begin;
  if (first > 3 || lex.At(begin) == '0') return first_end;
  if (const size_t end = IndianGroups(lex, begin, first_end, digits); end != first_end) return end;
  int kind = 0;
  size_t i = first_end;
  std::string all(lex.View(begin, first_end));
  int groups = 0;
  while (true) {
    int k = 0;
    const size_t length = Separator(lex, i, &k);
    if (length == 0 || (kind != 0 && k != kind)) break;
    const size_t e = lex.DigitsEnd(i + length);
    if (e - (i + length) != 3) {
      if (e > i + length && (k <= 2 || groups > 0))
        return first_end;  // 1,000,00: no thousands at all
      break;
    }
    kind = k;
    all += lex.View(i + length, e);
    i = e;
    ++groups;
  }
  if (groups == 0) return first_end;
  // One point alone is a decimal point, unless a decimal comma follows.
  if (kind == kPointGroups && groups == 1 &&
      (lex.commas != CommaStyle::kDecimal || lex.At(i) != ',' || !IsDigit(lex.At(i + 1))))
    return first_end;
  if (kind == 1) lex.out.thousands_comma = true;
  *digits = all;
  return i;
}

// 12,34,567: groups of two, then one of three.
size_t IndianGroups(Lexer& lex, size_t begin, size_t first_end, std::string* digits) {
  if (lex.commas != CommaStyle::kThousands || lex.depth != 0 || first_end - begin > 2)
    return first_end;
  std::string all(lex.View(begin, first_end));
  int pairs = 0;
  for (size_t i = first_end; lex.At(i) == ',';) {
    const size_t e = lex.DigitsEnd(i + 1);
    const size_t size = e - i - 1;
    all += lex.View(i + 1, e);
    if (size == 3 && pairs > 0 && !(lex.At(e) == ',' && IsDigit(lex.At(e + 1)))) {
      lex.out.thousands_comma = true;
      *digits = all;
      return e;
    }
    if (size != 2) return first_end;
    ++pairs;
    i = e;
  }
  return first_end;
}

// Length of a thousands separator at i, or 0; `kind` tells separators apart. A plain comma counts only outside of
// brackets, where it could part the items of a list.
size_t Separator(const Lexer& lex, size_t i, int* kind) {
  size_t j = i;
  if (lex.At(i) == ',' && lex.commas == CommaStyle::kThousands && lex.depth == 0 &&
      IsDigit(lex.At(i + 1))) {
    *kind = 1;
    return 1;
  }
  for (const std::string_view comma : {std::string_view("{,}"), std::string_view("\\text{,}")}) {
    if (lex.out.text.compare(i, comma.size(), comma) != 0) continue;
    *kind = 2;
    j = i + comma.size();
    while (IsSpace(lex.At(j))) ++j;
    if (lex.At(j) == '\\' && lex.At(j + 1) == '!') j += 2;
    return j - i;
  }
  // 1.234.567, 1'234'567, 1_234_567
  if ((lex.At(i) == '.' || lex.At(i) == '\'' || lex.At(i) == '_') && IsDigit(lex.At(i + 1))) {
    *kind = lex.At(i) == '.' ? kPointGroups : 8;
    return 1;
  }
  if (lex.At(i) == ',' && lex.At(i + 1) == '\\' && (lex.At(i + 2) == '!' || lex.At(i + 2) == ',')) {
    *kind = lex.At(i + 2) == '!' ? 3 : 4;
    j = i + 3;
    while (IsSpace(lex.At(j))) ++j;
    return *kind == 4 ? 0 : j - i;
  }
  if (lex.At(i) == ',' && IsSpace(lex.At(i + 1)) && lex.At(i + 2) == '\\' && lex.At(i + 3) == '!') {
    *kind = 3;
    j = i + 4;
    while (IsSpace(lex.At(j))) ++j;
    return j - i;
  }
  if (lex.At(i) == '\\' && (lex.At(i + 1) == ',' || lex.At(i + 1) == ' ' || lex.At(i + 1) == ';' ||
                            lex.At(i + 1) == ':')) {
    *kind = 5;
    return 2;
  }
  if ((lex.At(i) == ' ' || lex.At(i) == '~') && IsDigit(lex.At(i + 1))) {
    *kind = 6;
    return 1;
  }
  return 0;
}

// The repetend behind a decimal: \overline{6}, \bar{6}, \dot{3}, (6) or an ellipsis after repeated digits.
size_t Repetend(Lexer& lex, size_t i, std::string* digits) {
  for (const char* name : {"\\overline", "\\bar", "\\dot"}) {
    const size_t n = std::strlen(name);
    if (lex.out.text.compare(i, n, name) != 0) continue;
    std::string repeated;
    size_t end = MarkedDigits(lex, i + n, &repeated);
    if (end == i + n) continue;
    // Dots above the first and the last digit of the repetend.
    if (lex.out.text.compare(i, 4, "\\dot") == 0) {
      const size_t inner = lex.DigitsEnd(end);
      std::string last;
      if (lex.out.text.compare(inner, 4, "\\dot") == 0) {
        const size_t last_end = MarkedDigits(lex, inner + 4, &last);
        if (last_end > inner + 4) {
          repeated += std::string(lex.View(end, inner)) + last;
          end = last_end;
        }
      }
    }
    *digits += "(" + repeated + ")";
    return end;
  }
  if (lex.At(i) == '(') {
    const size_t b = lex.DigitsEnd(i + 1);
    if (b > i + 1 && lex.At(b) == ')') {
      *digits += "(" + std::string(lex.View(i + 1, b)) + ")";
      return b + 1;
    }
  }
  return Ellipsis(lex, i, digits);
}

// Digits in braces, or one digit; returns the end, or `at` if there are none.
size_t MarkedDigits(const Lexer& lex, size_t at, std::string* digits) {
  size_t open = at;
  while (lex.At(open) == ' ') ++open;
  const bool braces = lex.At(open) == '{';
  const size_t a = open + (braces ? 1 : 0);
  const size_t b = braces ? lex.DigitsEnd(a) : a + (IsDigit(lex.At(a)) ? 1 : 0);
  if (b == a || (braces && lex.At(b) != '}')) return at;
  digits->assign(lex.View(a, b));
  return b + (braces ? 1 : 0);
}

// 0.333.. and 0.1666\ldots: the last digit at least three times; 0.121212..: a block at least three times.
size_t Ellipsis(Lexer& lex, size_t i, std::string* digits) {
  size_t e = i;
  if (lex.out.text.compare(i, 3, "...") == 0) e = i + 3;
  for (const char* name : {"\\ldots", "\\dots", "\\cdots"}) {
    if (lex.out.text.compare(i, std::strlen(name), name) == 0) e = i + std::strlen(name);
  }
  if (e == i) return i;
  const size_t point = digits->find('.');
  constexpr size_t kTail = 60;
  const std::string tail =
      digits->substr(std::max(point + 1, digits->size() - std::min(digits->size(), kTail)));
  for (size_t block = 1; block * 3 <= tail.size(); ++block) {
    const std::string last = tail.substr(tail.size() - block);
    size_t copies = 0;
    while ((copies + 1) * block <= tail.size() &&
           tail.compare(tail.size() - (copies + 1) * block, block, last) == 0) {
      ++copies;
    }
    if (copies < 3) continue;
    digits->resize(digits->size() - copies * block);
    *digits += "(" + last + ")";
    return e;
  }
  return i;
}

size_t Exponent(const Lexer& lex, size_t i, std::string* digits) {
  if (lex.At(i) != 'e' && lex.At(i) != 'E') return i;
  size_t j = i + 1;
  std::string sign;
  if (lex.At(j) == '+' || lex.At(j) == '-') sign = lex.At(j++) == '-' ? "-" : "";
  const size_t e = lex.DigitsEnd(j);
  if (e == j || IsAlpha(lex.At(e))) return i;
  *digits += "e" + sign + std::string(lex.View(j, e));
  return e;
}

// "1.5 x 10^3": the letter x between two numbers is a times sign.
void TimesLetter(Lexer& lex) {
  size_t i = lex.pos;
  while (lex.At(i) == ' ') ++i;
  if (lex.At(i) != 'x') return;
  size_t j = i + 1;
  while (lex.At(j) == ' ') ++j;
  if (lex.At(j) == '1' && lex.At(j + 1) == '0' &&
      (lex.At(j + 2) == '^' || (lex.At(j + 2) == '*' && lex.At(j + 3) == '*'))) {
    lex.pos = i;
    lex.Push(Tok::kStar, 0, {});
    lex.pos = j;
  }
}

}  // namespace

}  // namespace assay::math
