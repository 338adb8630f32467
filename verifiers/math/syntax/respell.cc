#include "verifiers/math/syntax/respell.h"

#include <re2/re2.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "core/text.h"
#include "verifiers/math/syntax/chars.h"
#include "verifiers/math/syntax/lexer/command_table.h"
#include "verifiers/math/syntax/remark.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

constexpr size_t kMostBytes = 4000;
constexpr size_t kMostParts = 26;

// The brace that closes the group at `open`; npos: none.
size_t GroupEnd(std::string_view text, size_t open) {
  int level = 0;
  for (size_t i = open; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++level;
    } else if (text[i] == '}' && --level == 0) {
      return i;
    }
  }
  return std::string_view::npos;
}

struct TextGroup {
  size_t open = 0;  // the brace; 0: there is no such command here
  size_t close = 0;
};

// \text{..} or \mathrm{..} at `at`.
TextGroup GroupAt(std::string_view text, size_t at) {
  if (at >= text.size() || text[at] != '\\') return {};
  size_t i = at + 1;
  while (i < text.size() && IsAlpha(text[i])) ++i;
  const std::string_view name = text.substr(at + 1, i - at - 1);
  if (TextCommand(name) != 1 && name != "mathrm" && name != "mathbf") return {};
  while (i < text.size() && IsSpace(text[i])) ++i;
  if (i >= text.size() || text[i] != '{') return {};
  const size_t close = GroupEnd(text, i);
  return close == std::string_view::npos ? TextGroup{} : TextGroup{i, close};
}

bool HasDigit(std::string_view text) { return std::any_of(text.begin(), text.end(), IsDigit); }

// Two letters in a row: a word, not only a variable.
bool HasWord(std::string_view text) {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (IsAlpha(text[i]) && IsAlpha(text[i + 1])) return true;
  }
  return false;
}

// \text{460 stamps}: a text command at the front that holds a number and words, or money, is as if it were not there.
std::string WithoutFrontCommand(std::string text) {
  for (int guard = 0; guard < 3; ++guard) {
    size_t at = text.find_first_not_of(" \t\n\r$");
    if (at != std::string::npos &&
        (text.compare(at, 2, "\\[") == 0 || text.compare(at, 2, "\\(") == 0))
      at = text.find_first_not_of(" \t\n\r", at + 2);
    const TextGroup group = GroupAt(text, at == std::string::npos ? text.size() : at);
    if (group.open == 0) return text;
    const std::string_view content =
        std::string_view(text).substr(group.open + 1, group.close - group.open - 1);
    std::string plain(content);
    // Blanks that TeX needs inside of \mathrm.
    for (size_t i = plain.find('\\'); i != std::string::npos; i = plain.find('\\', i + 1)) {
      if (i + 1 < plain.size() &&
          std::string_view(" ,;:~").find(plain[i + 1]) != std::string_view::npos)
        plain.replace(i, 2, " ");
    }
    // \text{636 m}: a letter that is a unit.
    const size_t blank = plain.find(' ');
    const std::string behind = text.substr(group.close + 1);
    if (blank != std::string::npos && blank + 2 == plain.size() && IsDigit(plain[0]) &&
        plain.find_first_not_of("0123456789.,") == blank && ParseUnit(plain.substr(blank)).known)
      return StrCat(text.substr(0, at), plain.substr(0, blank), "\\text{ ", plain.substr(blank + 1),
                    "}", behind);
    // \text{if pred == 57 then correct} is a program's.
    if (content.find("==") != std::string_view::npos || StartsWith(content, "if ")) return text;
    const bool quantity = HasDigit(content) && (HasWord(content) || content[0] == '\\');
    if (!quantity) return text;
    text = text.substr(0, at) + plain + behind;
  }
  return text;
}

// "460 is the answer."
std::string WithoutPredicate(std::string text) {
  const size_t last = text.find_last_not_of(" .$\n");
  if (last == std::string::npos || text[last] != 'r') return text;
  for (const std::string_view predicate :
       {std::string_view(" is the answer"), std::string_view(" is the final answer"),
        std::string_view(" is the correct answer"), std::string_view(" is our answer")}) {
    const std::string_view body = std::string_view(text).substr(0, last + 1);
    if (EndsWith(body, predicate)) return text.substr(0, body.size() - predicate.size());
  }
  return text;
}

// All text commands taken away, what they hold left.
std::string Plain(std::string_view text) {
  std::string out;
  std::vector<size_t> closing;
  for (size_t i = 0; i < text.size(); ++i) {
    if (const TextGroup group = GroupAt(text, i); group.open != 0 && closing.size() < 8) {
      closing.push_back(group.close);
      i = group.open;
    } else if (!closing.empty() && i == closing.back()) {
      closing.pop_back();
    } else {
      out += text[i];
    }
  }
  return out;
}

bool TakeWords(std::string_view* text, std::string_view words) {
  *text = Trim(*text);
  if (text->size() < words.size() || AsciiLower(text->substr(0, words.size())) != words)
    return false;
  if (text->size() > words.size() && IsAlpha((*text)[words.size()])) return false;
  text->remove_prefix(words.size());
  return true;
}

bool TakeOneOf(std::string_view* text, std::initializer_list<std::string_view> phrases) {
  return std::any_of(phrases.begin(), phrases.end(),
                     [text](std::string_view p) { return TakeWords(text, p); });
}

// "all real numbers x except 2 and 3", "x can be any real number other than 2": R without these.
std::string RealsExcept(std::string_view text) {
  if (text.find("xcept") == std::string_view::npos &&
      text.find("ther than") == std::string_view::npos &&
      text.find("xcluding") == std::string_view::npos)
    return "";
  const std::string plain = Plain(text);
  std::string_view rest = plain;
  rest = Trim(rest);
  for (const std::string_view open : {"$", "\\(", "\\["}) {
    while (StartsWith(rest, open)) rest.remove_prefix(open.size());
  }
  TakeOneOf(&rest, {"x is", "x can be", "x \\in", "the set of", "domain:"});
  TakeOneOf(&rest, {"all", "any", "every"});
  if (!TakeOneOf(&rest, {"real numbers", "real number", "reals", "real values", "\\mathbb{r}"}))
    return "";
  TakeOneOf(&rest, {"$x$", "x", "of $x$", "of x"});
  TakeOneOf(&rest, {","});
  if (!TakeOneOf(&rest, {"except for", "except", "other than", "excluding"})) return "";
  TakeOneOf(&rest, {"$x=", "x=", "x =", "$x ="});
  std::string items(Trim(rest));
  for (const std::string_view close : {"\\)", "\\]"}) {
    if (EndsWith(items, close)) items.resize(items.size() - close.size());
  }
  while (!items.empty() && (items.back() == '.' || items.back() == '$')) items.pop_back();
  if (items.empty() || HasWord(Plain(items))) {
    // "2 and 3": the only words that may stand there.
    std::string without = items;
    for (const std::string_view joint : {std::string_view(" and "), std::string_view(" or ")}) {
      for (size_t i = without.find(joint); i != std::string::npos; i = without.find(joint))
        without.replace(i, joint.size(), ", ");
    }
    if (without.empty()) return "";
    items = without;
  }
  return "\\mathbb{R} \\setminus \\{" + items + "\\}";
}

// np.arcsin(x), math.sqrt(2): without the names of Python's modules. Empty: there are none.
std::string WithoutModules(const std::string& text) {
  for (const std::string_view module : {"np.", "math.", "numpy.", "sympy.", "sp."}) {
    const size_t at = text.find(module);
    if (at == std::string::npos || (at > 0 && (IsAlpha(text[at - 1]) || text[at - 1] == '\\')))
      continue;
    const size_t behind = at + module.size();
    if (behind + 1 >= text.size() || !IsAlpha(text[behind]) || !IsAlpha(text[behind + 1])) continue;
    return text.substr(0, at) + text.substr(behind);
  }
  return "";
}

// "all real x such that 2 < x < 5": the condition.
std::string AllWith(std::string_view text) {
  if (text.find("ll") == std::string_view::npos && text.find("ny") == std::string_view::npos &&
      text.find("ery") == std::string_view::npos)
    return "";
  static const RE2 form(
      "(?is)\\s*\\$?\\s*(?:all|any|every)(?: the)?(?: real)?(?: numbers?| values?)?(?: "
      "of)?\\s*\\$?\\s*[a-z]?\\s*\\$?\\s*"
      "(?:with|such that|satisfying|for which|where)[ ~$]+(.*[<>=].*)");
  std::string condition;
  if (!RE2::FullMatch(Plain(text), form, &condition) || HasWord(Plain(condition).substr(0, 3)))
    return "";
  condition.erase(std::remove(condition.begin(), condition.end(), '$'), condition.end());
  return condition;
}

// ---- (a) 3 (b) 4

struct Label {
  size_t begin = 0;
  size_t end = 0;
};

constexpr std::string_view kRoman[] = {"i", "ii", "iii", "iv", "v", "vi", "vii", "viii"};

// The n-th label of a kind: 0: a, b, c; 1: i, ii, iii; 2: 1, 2, 3.
std::string LabelText(int kind, size_t n) {
  if (kind == 0) return std::string(1, static_cast<char>('a' + n));
  if (kind == 1) return n < std::size(kRoman) ? std::string(kRoman[n]) : "";
  return std::to_string(n + 1);
}

// The label `name` at or behind `from`: in brackets, with a blank, a line end or a sign of lists in front, and a blank behind.
Label FindLabel(std::string_view text, const std::string& name, size_t from, bool at_front) {
  for (const std::string& form : {"(" + name + ")", name + ")"}) {
    for (size_t i = text.find(form, from); i != std::string_view::npos;
         i = text.find(form, i + 1)) {
      const bool free =
          i == 0 || std::string_view(" \n\t,;.$").find(text[i - 1]) != std::string_view::npos;
      const size_t end = i + form.size();
      const bool parted =
          end < text.size() && (IsSpace(text[end]) || text[end] == '$' || text[end] == ':');
      const bool front = text.find_first_not_of(" \n\t$") == i;
      if (free && parted && front == at_front) return {i, end};
      if (at_front) break;
    }
  }
  return {};
}

// The parts, in brackets and in their order; empty: no labels.
std::string WithoutLabels(std::string_view text) {
  if (text.find(')') == std::string_view::npos) return "";
  const std::string plain = Plain(text);
  for (int kind = 0; kind < 3; ++kind) {
    Label label = FindLabel(plain, LabelText(kind, 0), 0, true);
    if (label.end == 0) continue;
    std::vector<std::string> parts;
    while (parts.size() < kMostParts) {
      const std::string next = LabelText(kind, parts.size() + 1);
      const Label after = next.empty() ? Label{} : FindLabel(plain, next, label.end, false);
      const size_t end = after.end == 0 ? plain.size() : after.begin;
      std::string part = plain.substr(label.end, end - label.end);
      const size_t first = part.find_first_not_of(" \n\t:$");
      const size_t last = part.find_last_not_of(" \n\t,;.$");
      if (first == std::string::npos || last == std::string::npos || last < first) return "";
      parts.push_back(part.substr(first, last - first + 1));
      if (after.end == 0) break;
      label = after;
    }
    if (parts.size() < 2) continue;
    std::string out;
    for (const std::string& part : parts) out += (out.empty() ? "(" : ", ") + part;
    const bool flat = std::none_of(parts.begin(), parts.end(), [](const std::string& part) {
      return part.find(',') != std::string::npos && part.find_first_of("([{") == std::string::npos;
    });
    return flat ? out + ")" : "";
  }
  return "";
}

// Short forms as a whole text: 6'2" (feet and inches), half a cup, 5/12 as a raised and a lowered number. Empty: none.
std::string WrittenOut(const std::string& normal) {
  constexpr size_t kMost = 48;
  if (normal.size() > kMost) return "";
  static const RE2 feet("\\s*(\\d{1,4})'\\s*(\\d{1,2}(?:\\.\\d+)?)(?:\"|''|\\\\?'\\\\?')\\s*");
  static const RE2 half("(?i)\\s*(?:one[- ])?half an? ([a-z ]+)");
  static const RE2 raised("\\s*\\$?\\^\\{?(\\d+)\\}?/_\\{?(\\d+)\\}?\\$?\\s*");
  std::string first;
  std::string second;
  if (normal.find('\'') != std::string::npos && RE2::FullMatch(normal, feet, &first, &second))
    return first + " ft " + second + " in";
  if (normal.find('_') != std::string::npos && RE2::FullMatch(normal, raised, &first, &second))
    return "\\frac{" + first + "}{" + second + "}";
  // Most answers are told by their first letter, which costs less than asking RE2.
  const size_t letter = normal.find_first_not_of(" \t\n\v\f\r");
  if (letter != std::string::npos &&
      std::string_view("hHoO").find(normal[letter]) != std::string_view::npos &&
      RE2::FullMatch(normal, half, &first))
    return "1/2 " + first;
  return "";
}

}  // namespace

// "合計：50個", "총 50개", "面積：12": a label in a script without Latin letters in front of a number. Empty: none.
std::string WithoutForeignLabel(const std::string& normal) {
  constexpr size_t kMost = 64;
  if (normal.size() > kMost || std::none_of(normal.begin(), normal.end(), IsHigh)) return "";
  static const RE2 form(
      "(?:\\\\(?:text|mathrm|textbf)\\{)?([\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Hangul}]{1,8}) "
      "?(：|:)? ?(-?[0-9][0-9.,/]*)"
      "([\\p{Han}\\p{Katakana}\\p{Hangul}]{0,3})\\}?");
  std::string label;
  std::string colon;
  std::string number;
  std::string unit;
  if (!RE2::FullMatch(normal, form, &label, &colon, &number, &unit)) return "";
  for (const std::string_view doubt :
       {"不", "非", "无", "無",   "没",   "可能", "约",   "約",   "或",   "除",   "错",
        "誤", "違", "假", "大概", "至",   "以",   "超",   "小于", "大于", "倍",   "负",
        "負", "減", "减", "第",   "아니", "약",   "또는", "최",   "이하", "이상", "음수"}) {
    if (label.find(doubt) != std::string::npos || unit.find(doubt) != std::string::npos) return "";
  }
  static constexpr std::string_view kTotals[] = {"共",   "总共", "一共", "總共", "合計",   "合计",
                                                 "共计", "总计", "計",   "総数", "全部で", "総",
                                                 "총",   "모두", "전부", "합계"};
  const bool total = std::find(std::begin(kTotals), std::end(kTotals), label) != std::end(kTotals);
  if (colon.empty() && !total) return "";
  return unit.empty() ? number : number + "\\text{ " + unit + "}";
}

// "3分の2", "3분의 2", "4又3分之1", "4又1/3", "3と2分の1", "3个半小时": the denominator comes first, or a half last. Empty: none.
std::string HanFraction(const std::string& normal) {
  constexpr size_t kMost = 48;
  if (normal.size() > kMost || normal.find_first_of("0123456789") == std::string::npos) return "";
  static const RE2 form(
      "\\s*(-?)(?:(\\d{1,6}) ?(?:又|と|과|와) ?)?(\\d{1,6}) ?(?:分の|分之|분의) ?(\\d{1,6})\\s*");
  static const RE2 mixed("\\s*(-?)(\\d{1,6})又(\\d{1,6})/(\\d{1,6})\\s*");
  static const RE2 half(
      "\\s*(-?\\d{1,6}) ?(?:\\\\text\\{ ?)?([\\p{Han}\\p{Katakana}\\p{Hangul}]{0,3}?) "
      "?(?:半|반)((?:小时|小時|钟头)?)\\}?\\s*");
  std::string sign;
  std::string whole;
  std::string den;
  std::string num;
  if (RE2::FullMatch(normal, form, &sign, &whole, &den, &num) ||
      RE2::FullMatch(normal, mixed, &sign, &whole, &num, &den))
    return sign + whole + "\\frac{" + num + "}{" + den + "}";
  std::string unit;
  std::string behind;
  if (!RE2::FullMatch(normal, half, &whole, &unit, &behind)) return "";
  return whole + ".5\\text{ " + (behind.empty() ? unit : behind) + "}";
}

// "the square root of 7", "2 times the cube root of $x$"; "16:30 Uhr"; "198 in total". Empty: none.
std::string PhrasedOtherwise(const std::string& normal) {
  constexpr size_t kMost = 80;
  if (normal.size() > kMost) return "";
  std::string front;
  std::string radicand;
  std::string kind;
  static const RE2 root(
      "(?i)\\s*\\$?(?:(-?\\d{1,9}) ?(?:\\$ ?)?(?:times|\\\\times|\\*) (?:the )?|the )?(?:positive "
      ")?(square|cube) root of \\$?"
      "(\\d{1,15}|[a-z]|\\d{1,6}/\\d{1,6})\\$?\\s*\\.?\\s*");
  if (normal.find("oot of") != std::string::npos &&
      RE2::FullMatch(normal, root, &front, &kind, &radicand))
    return front + (kind[0] == 's' || kind[0] == 'S' ? "\\sqrt{" : "\\sqrt[3]{") + radicand + "}";
  static const RE2 clock("(?i)\\s*\\$?(\\d{1,2}[:.]\\d{2})\\$?\\s*(?:\\\\text\\{\\s*)?uhr\\}?\\s*");
  static const RE2 total(
      "(?i)(.*\\d\\}?)\\s+(?:in total|in all|altogether|all together|overall)(\\}?)\\s*");
  if (normal.find("hr") != std::string::npos && RE2::FullMatch(normal, clock, &front)) {
    std::replace(front.begin(), front.end(), '.', ':');
    return front;
  }
  static const RE2 minus("(?i)\\s*\\$?(?:menos|moins|meno|eksi|minus) (\\d[\\d.,/]*)\\$?\\s*");
  if (RE2::FullMatch(normal, minus, &front)) return "-" + front;
  const bool ends = normal.find("all") != std::string::npos ||
                    normal.find("total") != std::string::npos ||
                    normal.find("altogether") != std::string::npos;
  if (ends && RE2::FullMatch(normal, total, &front, &radicand)) return front + radicand;
  return "";
}

std::string Respell(const std::string& normal) {
  if (normal.size() > kMostBytes) return normal;
  const bool words = HasWord(normal);
  if (words && normal.find('.') != std::string::npos) {
    if (std::string plain = WithoutModules(normal); !plain.empty()) return Respell(plain);
  }
  if (std::string written = WrittenOut(normal); !written.empty()) return written;
  if (words) {
    if (std::string other = PhrasedOtherwise(normal); !other.empty()) return other;
  }
  if (std::any_of(normal.begin(), normal.end(), IsHigh)) {
    if (std::string fraction = HanFraction(normal); !fraction.empty()) return fraction;
    if (std::string value = WithoutForeignLabel(normal); !value.empty()) return value;
  }
  if (std::string parts = WithoutLabels(normal); !parts.empty()) return parts;
  if (words && normal.find(' ') != std::string::npos) {
    if (std::string reals = RealsExcept(normal); !reals.empty()) return reals;
    if (std::string interval = AllWith(normal); !interval.empty()) return interval;
  }
  const std::string plain = WithoutPredicate(WithoutFrontCommand(normal));
  const std::string remark = RespellRemark(plain);
  return remark.empty() ? plain : remark;
}

}  // namespace assay::math
