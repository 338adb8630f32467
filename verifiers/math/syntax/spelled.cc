#include "verifiers/math/syntax/spelled.h"

#include <algorithm>
#include <string>
#include <vector>

namespace assay::math {
namespace {

constexpr size_t kMostBytes = 120;
constexpr size_t kMostParts = 4;
constexpr size_t kMostDigits = 9;

struct HanSign {
  std::string_view text;
  int64_t value;
};
constexpr HanSign kHanDigits[] = {{"零", 0}, {"〇", 0}, {"一", 1}, {"二", 2}, {"两", 2},
                                  {"兩", 2}, {"三", 3}, {"四", 4}, {"五", 5}, {"六", 6},
                                  {"七", 7}, {"八", 8}, {"九", 9}};
constexpr HanSign kHanUnits[] = {{"十", 10}, {"百", 100}, {"千", 1000}};
constexpr HanSign kHanMyriads[] = {
    {"万", 10000}, {"萬", 10000}, {"亿", 100000000}, {"億", 100000000}};

template <size_t N>
std::optional<int64_t> Take(const HanSign (&signs)[N], std::string_view* text) {
  for (const HanSign& sign : signs) {
    if (text->substr(0, sign.text.size()) != sign.text) continue;
    text->remove_prefix(sign.text.size());
    return sign.value;
  }
  return std::nullopt;
}

// 二〇二五: digit by digit.
std::optional<int64_t> HanDigits(std::string_view text) {
  int64_t value = 0;
  int count = 0;
  for (; !text.empty() && count < 16; ++count) {
    const auto digit = Take(kHanDigits, &text);
    if (!digit) return std::nullopt;
    value = value * 10 + *digit;
  }
  return text.empty() && (count == 1 || count >= 4) ? std::optional<int64_t>(value) : std::nullopt;
}

// Below 10,000: digits before falling units; 零 fills a gap. A lone 十 is ten.
std::optional<int64_t> HanSection(std::string_view* text) {
  int64_t value = 0;
  int64_t last = 10000;
  bool any = false;
  while (true) {
    std::string_view rest = *text;
    const auto digit = Take(kHanDigits, &rest);
    if (digit && *digit == 0) {
      if (!any || rest.empty()) return std::nullopt;
      *text = rest;
      continue;
    }
    const auto unit = Take(kHanUnits, &rest);
    if (!digit && (!unit || any || *unit != 10)) break;
    const int64_t scale = unit.value_or(1);
    if (scale >= last) return std::nullopt;
    value += digit.value_or(1) * scale;
    last = scale;
    any = true;
    *text = rest;
  }
  return any ? std::optional<int64_t>(value) : std::nullopt;
}

std::optional<int64_t> HanWhole(std::string_view text) {
  if (const auto digits = HanDigits(text)) return digits;
  int64_t value = 0;
  int64_t last = INT64_MAX;
  while (!text.empty()) {
    if (value > 0 && text.substr(0, 3) == "零") text.remove_prefix(3);
    const auto section = HanSection(&text);
    if (!section) return std::nullopt;
    const int64_t scale = Take(kHanMyriads, &text).value_or(1);
    if (scale >= last) return std::nullopt;
    value += *section * scale;
    last = scale;
    if (scale == 1 && !text.empty()) return std::nullopt;
  }
  return last < INT64_MAX ? std::optional<int64_t>(value) : std::nullopt;
}

// 三点一四
std::optional<NumberPhrase> HanDecimal(std::string_view whole, std::string_view digits) {
  const auto front = HanWhole(whole);
  if (!front || digits.empty()) return std::nullopt;
  NumberPhrase out{*front, 1};
  while (!digits.empty()) {
    const auto digit = Take(kHanDigits, &digits);
    if (!digit || out.den >= 1000000 || out.num > 1000000000) return std::nullopt;
    out.num = out.num * 10 + *digit;
    out.den *= 10;
  }
  return out;
}

bool IsAsciiDigit(char c) { return c >= '0' && c <= '9'; }

// Blanks, layout and what joins two values.
void SkipJoint(std::string_view* text) {
  static constexpr std::string_view kNothing[] = {"\\text", "\\mathrm", "\\textrm", "\\,", "\\ ",
                                                  "\\;",    "\\:",      "\\!",      "{",   "}",
                                                  "$",      "~",        " ",        ",",   "and "};
  for (bool again = true; again;) {
    again = false;
    if (text->empty() || IsAsciiDigit(text->front())) return;
    for (const std::string_view nothing : kNothing) {
      if (text->substr(0, nothing.size()) != nothing) continue;
      text->remove_prefix(nothing.size());
      again = true;
    }
  }
}

struct Part {
  int64_t num = 0;
  int64_t den = 1;
  std::string unit;
};

// "30 min" or "2.5 s".
bool TakePart(std::string_view* text, Part* out) {
  size_t digits = 0;
  bool point = false;
  size_t i = 0;
  for (; i < text->size() && (IsAsciiDigit((*text)[i]) || ((*text)[i] == '.' && !point)); ++i) {
    if ((*text)[i] == '.') {
      point = true;
      continue;
    }
    if (++digits > kMostDigits) return false;
    out->num = out->num * 10 + ((*text)[i] - '0');
    if (point) out->den *= 10;
  }
  if (digits == 0 || (*text)[i - 1] == '.') return false;
  text->remove_prefix(i);
  SkipJoint(text);
  i = 0;
  while (i < text->size() &&
         (((*text)[i] >= 'a' && (*text)[i] <= 'z') || ((*text)[i] >= 'A' && (*text)[i] <= 'Z')))
    ++i;
  out->unit = std::string(text->substr(0, i));
  text->remove_prefix(i);
  if (text->substr(0, 1) == ".") text->remove_prefix(1);
  SkipJoint(text);
  return i > 0;
}

}  // namespace

std::optional<NumberPhrase> ReadHanNumber(std::string_view text) {
  if (text.size() > kMostBytes || text.size() < 3 || static_cast<unsigned char>(text[0]) < 0x80)
    return std::nullopt;
  constexpr std::string_view kMinus = "负";
  constexpr std::string_view kPoint = "点";
  int64_t sign = 1;
  if (text.substr(0, kMinus.size()) == kMinus) {
    sign = -1;
    text.remove_prefix(kMinus.size());
  }
  for (const std::string_view over_word : {"分之", "分の", "분의"}) {
    const size_t over = text.find(over_word);
    if (over == std::string_view::npos) continue;
    // 四又三分之一
    constexpr std::string_view kAnd = "又";
    const size_t joint = text.find(kAnd);
    const size_t begin = joint < over ? joint + kAnd.size() : 0;
    const auto whole = begin == 0 ? std::optional<int64_t>(0) : HanWhole(text.substr(0, joint));
    const auto den = HanWhole(text.substr(begin, over - begin));
    const auto num = HanWhole(text.substr(over + over_word.size()));
    if (!whole || !den || !num || *den == 0 || *den > 1000000 || *whole > 1000000)
      return std::nullopt;
    return NumberPhrase{sign * (*whole * *den + *num), *den};
  }
  if (const size_t point = text.find(kPoint); point != std::string_view::npos) {
    auto number = HanDecimal(text.substr(0, point), text.substr(point + kPoint.size()));
    if (number) number->num *= sign;
    return number;
  }
  const auto whole = HanWhole(text);
  return whole ? std::optional<NumberPhrase>({sign * *whole, 1}) : std::nullopt;
}

NodeId ReadCompoundQuantity(std::string_view text, Tree* tree) {
  if (text.size() > kMostBytes || std::none_of(text.begin(), text.end(), IsAsciiDigit) ||
      std::all_of(text.begin(), text.end(), IsAsciiDigit))
    return kNoNode;
  SkipJoint(&text);
  std::vector<Part> parts;
  std::vector<Unit> units;
  while (!text.empty() && parts.size() < kMostParts) {
    Part part;
    if (!TakePart(&text, &part)) return kNoNode;
    Unit unit = ParseUnit(part.unit);
    // 2h30m: behind hours, m is minutes.
    if (part.unit == "m" && !units.empty() && units.back().dimension == "s")
      unit = ParseUnit("min");
    if (!unit.known) return kNoNode;
    if (!units.empty()) {
      const Unit& before = units.back();
      const bool falling = static_cast<__int128>(unit.num) * before.den <
                           static_cast<__int128>(before.num) * unit.den;
      if (unit.dimension != before.dimension || !falling) return kNoNode;
    }
    parts.push_back(part);
    units.push_back(unit);
  }
  // "min" alone would be taken for the minimum.
  if (!text.empty() || parts.empty() || (parts.size() == 1 && parts[0].unit != "min"))
    return kNoNode;
  std::vector<NodeId> terms;
  for (size_t k = 0; k < parts.size(); ++k) {
    const NodeId value = tree->Number(parts[k].num, parts[k].den);
    const NodeId to_base = tree->Number(units[k].num, units[k].den);
    const NodeId base = tree->Number(units[0].num, units[0].den);
    terms.push_back(tree->Add(Op::kMul, {value, tree->Add(Op::kDiv, {to_base, base})}));
  }
  const NodeId sum = tree->Add(Op::kAdd, terms.data(), static_cast<uint32_t>(terms.size()));
  return tree->Named(Op::kQuantity, parts[0].unit, {sum});
}

}  // namespace assay::math
