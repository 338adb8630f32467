#include "cli/serve/versions.h"

#include <array>
#include <cstdint>

#include "core/text.h"

namespace assay {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

struct Numbers {
  std::array<int64_t, 3> part = {0, 0, 0};
  size_t given = 0;  // how many are there before a wildcard or the end
};

// "3.11.x" -> {3, 11}, 2 given. False for anything else than numbers, wildcards and points.
bool ReadNumbers(std::string_view text, Numbers* out) {
  bool wild = false;
  size_t place = 0;
  for (std::string_view part : SplitChar(text, '.')) {
    if (place == 3) return false;
    if (part == "x" || part == "X" || part == "*") {
      wild = true;
    } else {
      if (part.empty() || part.size() > 9) return false;
      int64_t number = 0;
      for (char c : part) {
        if (!IsDigit(c)) return false;
        number = number * 10 + (c - '0');
      }
      if (!wild) out->part[out->given++] = number;
    }
    ++place;
  }
  return true;
}

bool SamePrefix(const Numbers& asked, const Numbers& has, size_t parts) {
  for (size_t i = 0; i < parts && i < asked.given; ++i) {
    if (asked.part[i] != has.part[i]) return false;
  }
  return true;
}

}  // namespace

std::string VersionIn(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (!IsDigit(text[i]) || (i > 0 && (IsDigit(text[i - 1]) || text[i - 1] == '.'))) continue;
    size_t end = i, points = 0;
    while (end < text.size() && (IsDigit(text[end]) || (text[end] == '.' && points < 2))) {
      if (text[end] == '.' && (end + 1 == text.size() || !IsDigit(text[end + 1]))) break;
      points += text[end] == '.' ? 1 : 0;
      ++end;
    }
    if (points == 0) continue;
    return StrCat(text.substr(i, end - i), points == 1 ? ".0" : "");
  }
  return "0.0.0";
}

bool VersionFits(std::string_view selector, std::string_view version) {
  selector = Trim(selector);
  std::string_view op;
  for (std::string_view known : {">=", "<=", ">", "<", "^", "~", "="}) {
    if (!StartsWith(selector, known)) continue;
    op = known;
    selector = Trim(selector.substr(known.size()));
    break;
  }
  Numbers asked, has;
  if (!ReadNumbers(selector, &asked) || !ReadNumbers(version, &has)) return false;
  if (op == ">=") return has.part >= asked.part;
  if (op == ">") return has.part > asked.part;
  if (op == "<=") return has.part <= asked.part || SamePrefix(asked, has, 3);
  if (op == "<") return has.part < asked.part;
  if (op == "^") return SamePrefix(asked, has, 1) && has.part >= asked.part;
  if (op == "~") return SamePrefix(asked, has, 2) && has.part >= asked.part;
  return SamePrefix(asked, has, 3);
}

}  // namespace assay
