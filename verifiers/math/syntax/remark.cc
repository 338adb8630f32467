#include "verifiers/math/syntax/remark.h"

#include <re2/re2.h>

#include <algorithm>
#include <string_view>

#include "core/text.h"
#include "verifiers/math/syntax/chars.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

constexpr size_t kMostRemarkBytes = 60;

// Without blanks, dollars and the spaces of TeX at its end.
std::string_view WithoutBlanksBehind(std::string_view text) {
  for (;;) {
    const size_t before = text.size();
    text = Trim(text);
    for (const std::string_view blank :
         {"\\ ", "\\,", "\\;", "\\:", "\\quad", "\\qquad", "~", "\\"}) {
      if (EndsWith(text, blank)) text.remove_suffix(blank.size());
    }
    if (text.size() == before) return text;
  }
}

bool Balanced(std::string_view text) {
  int level = 0;
  for (const char c : text) {
    level += c == '{' || c == '(' || c == '[' ? 1 : c == '}' || c == ')' || c == ']' ? -1 : 0;
    if (level < 0) return false;
  }
  return level == 0 && std::count(text.begin(), text.end(), '$') % 2 == 0;
}

bool TakePrefix(std::string_view* text, std::initializer_list<std::string_view> prefixes) {
  for (const std::string_view prefix : prefixes) {
    if (text->size() <= prefix.size() || AsciiLower(text->substr(0, prefix.size())) != prefix)
      continue;
    *text = Trim(text->substr(prefix.size()));
    return true;
  }
  return false;
}

// Words that make of a value what it was not, or take it back.
bool ChangesValue(const std::string& words) {
  static const RE2 changes(
      "\\b(mod|modulo|base|if|for|when|where|since|because|not|no|wrong|incorrect|guess|maybe|"
      "possibly|perhaps|false|or|"
      "estimated?|rounded|undefined|impossible|invalid|mistake|sin|cos|tan|log|ln|exp|sqrt|unsure|"
      "million|billion|"
      "thousand|hundred|dozen|pairs|percent)\\b");
  return RE2::PartialMatch(words, changes);
}

// "3/4 (0.75)", "12 (students)", "12 (twelve)": `before` and what the brackets hold as one text; empty: a product, or anything else.
std::string Joined(std::string_view before, std::string_view inner) {
  static const RE2 whole(R"([-+]?(?:\d+|\d{1,3}(?:,\d{3})+)\\?%?)");
  static const RE2 decimal(R"([-+]?(?:\d+|\d{1,3}(?:,\d{3})+)?\.\d+\\?%?)");
  static const RE2 words("[A-Za-z][A-Za-z .'-]*");
  static const RE2 joined(R"((?s).*(?:\\text\{\s*|\s)(?:and|or|und|et|y|or else)\s*\}?)");
  if (RE2::FullMatch(before, joined)) return "";  // "(2, 32) and (8, 18)"
  const char last = before.back();
  const bool number = IsDigit(last) || last == '}' || last == '%';
  if (StartsWith(inner, "=")) return StrCat(before, " ", inner);
  if (TakePrefix(&inner,
                 {"approximately ", "approx. ", "approx ", "about ", "roughly ", "\\approx"}))
    return std::string(before);
  const bool named =
      TakePrefix(&inner, {"or ", "i.e., ", "i.e. ", "that is, ", "that is ", "equivalently "});
  if (number && RE2::FullMatch(inner, decimal)) return std::string(before);
  if (number && (named || RE2::FullMatch(inner, whole)) &&
      inner.find('=') == std::string_view::npos)
    return StrCat(before, " = ", inner);
  if (!number || named || !RE2::FullMatch(inner, words)) return "";
  const std::string plain = NormalizeWords(inner);
  for (const std::string_view nothing :
       {"approximately", "approx", "exactly", "exact", "simplified", "in total", "total"}) {
    if (plain == nothing) return std::string(before);
  }
  if (ReadNumberPhrase(plain)) return StrCat(before, " = \\text{", inner, "}");
  // Things are counted in the plural.
  const bool plural =
      plain.size() > 3 && (plain.back() == 's' || plain == "people" || plain == "children");
  const bool unit = ParseUnit(inner).known || plural;
  return unit && !ChangesValue(plain) ? StrCat(before, "\\text{ ", inner, "}") : "";
}

std::string WithoutRemark(const std::string& text) {
  std::string_view whole = WithoutBlanksBehind(text);
  while (!whole.empty() && (whole.back() == '.' || whole.back() == '$')) whole.remove_suffix(1);
  if (whole.empty() || whole.back() != ')') return "";
  const size_t open = whole.rfind('(');
  if (open == std::string_view::npos || open == 0 || whole.size() - open > kMostRemarkBytes)
    return "";
  if (!IsSpace(whole[open - 1]) && whole[open - 1] != '$' && whole[open - 1] != '~') return "";
  const std::string_view before = WithoutBlanksBehind(whole.substr(0, open));
  std::string inner;
  for (const char c : whole.substr(open + 1, whole.size() - open - 2)) {
    if (c != '$') inner += c;
  }
  std::string value(before);
  if (value.empty() || Trim(inner).empty()) return "";
  if (value.back() == '$') value.erase(std::remove(value.begin(), value.end(), '$'), value.end());
  return !value.empty() && Balanced(value) ? Joined(value, Trim(inner)) : "";
}

// The letters of \text{km} or \mathrm{m}^{2}, as ParseUnit reads them.
std::string UnitLetters(std::string_view part) {
  std::string out;
  for (size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '\\') {
      while (i + 1 < part.size() && IsAlpha(part[i + 1])) ++i;
    } else if (part[i] != '{' && part[i] != '}' && !IsSpace(part[i])) {
      out += part[i];
    }
  }
  return out;
}

// 9.8 \frac{\mathrm{m}}{\mathrm{s}^2}
std::string UnitFraction(const std::string& text, bool upright) {
  static const RE2 form(
      "(?s)(.*[\\d}%])(?:\\s|\\\\[ "
      ",;:!]|~|\\\\quad|\\\\cdot)*\\\\[dt]?frac\\s*\\{([^{}]*(?:\\{[^{}]*\\}[^{}]*)*)\\}\\s*"
      "\\{([^{}]*(?:\\{[^{}]*\\}[^{}]*)*)\\}(\\s*\\$?\\s*)");
  std::string before;
  std::string above;
  std::string below;
  std::string end;
  if (!RE2::FullMatch(text, form, &before, &above, &below, &end)) return "";
  const auto set_upright = [](const std::string& part) {
    return part.find("\\text") != std::string::npos || part.find("\\mathrm") != std::string::npos ||
           part.find("\\rm") != std::string::npos;
  };
  if (upright != (set_upright(above) && set_upright(below))) return "";
  const std::string unit = UnitLetters(above) + "/" + UnitLetters(below);
  return ParseUnit(unit).known ? StrCat(before, "\\text{ ", unit, "}", end) : "";
}

// 5\mu\mathrm{m}: micro and its unit as one.
std::string MicroUnits(const std::string& text) {
  static const RE2 apart(
      "\\\\mu\\s*\\\\(?:text|mathrm|textrm|rm)\\s*\\{\\s*(m|s|g|A|F|V|W|L|C|H|J|N|T|M|mol)\\s*\\}");
  static const RE2 inside(
      "\\\\(?:text|mathrm|textrm)\\s*\\{\\s*\\$?\\\\mu\\$?\\s*(m|s|g|A|F|V|W|L|C|H|J|N|T|M|mol)\\s*"
      "\\}");
  std::string out = text;
  if (!RE2::GlobalReplace(&out, apart, "\\\\text{ u\\1}") &&
      !RE2::GlobalReplace(&out, inside, "\\\\text{ u\\1}"))
    return "";
  return out;
}

// "42 y medio", "42 einhalb", "42个半": a half more, in other languages; "42分之一" as a fraction.
std::string AndAHalf(const std::string& spelled) {
  const bool words =
      std::any_of(spelled.begin(), spelled.end(), [](char c) { return IsHigh(c) || c == ' '; });
  if (!words) return "";
  // The extraction sets a unit in \\text.
  std::string text = spelled;
  if (const size_t unit = text.find("\\text{ "); unit != std::string::npos && text.back() == '}') {
    text.pop_back();
    text.erase(unit, 6);
  }
  static const RE2 half(
      "(.*\\d)\\s*(?:y medi[oa]|et demie?|e mezz[oa]|e mei[oa]|einhalb|und ein halb|с половиной|и "
      "половина|en een half|i pół|"
      "buçuk|ve yarım|个半|個半)(.*)");
  static const RE2 part("\\s*\\$?(\\d+)\\$?\\s*分之\\s*\\$?([一二三四五六七八九]|\\d+)\\$?\\s*");
  const size_t digit = text.find_first_of("0123456789");
  if (digit == std::string::npos || text.size() > 60 ||
      text.find_first_of("=\\") != std::string::npos)
    return "";
  std::string first;
  std::string second;
  const size_t tail = text.find_last_not_of("0123456789., ");
  if (tail == std::string::npos || tail < digit) return "";
  if (RE2::FullMatch(text, half, &first, &second)) return StrCat(first, " and a half ", second);
  if (!RE2::FullMatch(text, part, &first, &second)) return "";
  static constexpr std::string_view kDigits = "一二三四五六七八九";
  const size_t han = kDigits.find(second);
  return StrCat("\\frac{", han == std::string_view::npos ? second : std::to_string(han / 3 + 1),
                "}{", first, "}");
}

// The commands of siunitx: \SI{9.8}{m/s^2}, \qty, \num, \ang.
std::string Siunitx(const std::string& text) {
  static const RE2 quantity(R"(\\(?:SI|qty)\s*\{([^{}]*)\}\s*\{([^{}\\]*)\})");
  static const RE2 number(R"(\\num\s*\{([^{}]*)\})");
  static const RE2 angle(R"(\\ang\s*\{([^{};]*)\})");
  std::string out = text;
  bool any = RE2::Replace(&out, quantity, R"(\1\\text{ \2})");
  any = RE2::Replace(&out, number, R"(\1)") || any;
  any = RE2::Replace(&out, angle, R"(\1^\\circ)") || any;
  return any ? out : "";
}

// "increase of 20%" as the quantity that "20% increase" is; "17 R 3" as "17 remainder 3".
std::string Reordered(const std::string& text) {
  static const RE2 change(
      "(?i)\\s*(?:an? )?(increase|decrease|rise|drop|loss|gain|profit|reduction|discount) of "
      "\\$?([^$]*\\d[^$]*)\\$?\\s*\\.?");
  static const RE2 remainder(
      "\\s*\\$?(\\d+)\\s*(?:\\\\text\\{)?\\s*(?:R|r|remainder|rem\\.?)\\.?\\s*\\}?\\s*(\\d+)\\$?"
      "\\s*");
  std::string first;
  std::string second;
  static const RE2 part(
      R"(\s*\$?([\d.,]+\s*\\?%)\$?\s*(?:\\text\{)?\s*of\s*\}?\s*(?:the )?\$?([\d.,]+|[a-zA-Z ]+)\$?\s*)");
  if (text.find("of") != std::string::npos && RE2::FullMatch(text, part, &first, &second))
    return IsDigit(second[0]) ? StrCat(first, " \\cdot ", second) : first;
  if (text.find(" of ") != std::string::npos && RE2::FullMatch(text, change, &first, &second))
    return second + "\\text{ " + first + "}";
  const bool rest = text.find('R') != std::string::npos || text.find('r') != std::string::npos;
  if (rest && text.size() < 40 && RE2::FullMatch(text, remainder, &first, &second))
    return "\\text{" + first + " remainder " + second + "}";
  return "";
}

}  // namespace

std::string RespellRemark(const std::string& text) {
  bool micro = false;
  bool siunitx = false;
  bool fraction = false;
  bool upright = false;
  for (size_t i = text.find('\\'); i != std::string::npos && i + 1 < text.size();
       i = text.find('\\', i + 2)) {
    const std::string_view command = std::string_view(text).substr(i + 1);
    micro = micro || StartsWith(command, "mu");
    siunitx = siunitx || StartsWith(command, "SI") || StartsWith(command, "qty") ||
              StartsWith(command, "num") || StartsWith(command, "ang{");
    fraction = fraction || StartsWith(command, "frac") || StartsWith(command, "dfrac") ||
               StartsWith(command, "tfrac");
    upright = upright || StartsWith(command, "text") || StartsWith(command, "mathrm");
  }
  if (micro) {
    if (std::string unit = MicroUnits(text); !unit.empty()) return unit;
  }
  if (siunitx) {
    if (std::string plain = Siunitx(text); !plain.empty()) return plain;
  }
  if (fraction && upright) {
    if (std::string unit = UnitFraction(text, true); !unit.empty()) return unit;
  }
  if (text.find(')') != std::string::npos) {
    if (std::string value = WithoutRemark(text); !value.empty()) return value;
  }
  if (text.size() < 4) return "";
  if (std::string half = AndAHalf(text); !half.empty()) return half;
  return Reordered(text);
}

std::string ValueBehindChoice(const std::string& text) {
  static const RE2 form(
      "(?s)\\s*\\$?\\s*(?:\\\\(?:textbf|text|mathrm|mathbf|textrm)\\s*\\{\\s*)?\\([A-J]\\)(?:\\s|"
      "\\\\[ ,;:]|~|\\\\quad)*"
      "\\}?(?:\\s|\\\\[ ,;:]|~|\\\\quad)*([^\\s}].*)");
  std::string value;
  return RE2::FullMatch(text, form, &value) ? value : "";
}

std::string HanThousands(const std::string& text) {
  if (text.empty() || (!IsHigh(text.back()) && text.back() != '}')) return "";
  const size_t sign = std::min(
      {text.find("万"), text.find("亿"), text.find("萬"), text.find("만"), text.find("억")});
  if (sign == std::string::npos || sign == 0) return "";
  static const RE2 form(
      "(.*\\d)\\s*(?:\\\\text\\{\\s*)?(万|萬|亿|만|억)([^\\d\\s{}万亿]+| ?원)\\}?\\s*");
  std::string number;
  std::string factor;
  std::string unit;
  if (!RE2::FullMatch(text, form, &number, &factor, &unit)) return "";
  // 만 behind a number is "only", too.
  const bool korean = factor == "만" || factor == "억";
  if (korean && !EndsWith(unit, "원")) return "";
  return StrCat(number, factor == "亿" || factor == "억" ? " \\cdot 10^8" : " \\cdot 10^4",
                "\\text{ ", unit, "}");
}

std::string LetterUnitFraction(const std::string& text) {
  return text.size() < 12 || text.find("frac", 3) == std::string::npos ? ""
                                                                       : UnitFraction(text, false);
}

}  // namespace assay::math
