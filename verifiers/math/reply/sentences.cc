#include "verifiers/math/reply/sentences.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/text.h"
#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/formulas.h"

namespace assay::math {

int32_t CodePointAt(std::string_view text, size_t at, size_t* size) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const int32_t length = static_cast<int32_t>(std::min(text.size() - at, size_t{4}));
  int32_t i = 0;
  UChar32 c = 0;
  U8_NEXT(bytes + at, i, length, c);
  *size = static_cast<size_t>(std::max(i, 1));
  return c < 0 ? 0xFFFD : c;
}

size_t ForeignStopBytes(std::string_view text, size_t at) {
  for (const std::string_view stop : {"。", "！", "？", "।", "॥", "؟", "۔"}) {
    if (HasAt(text, at, stop)) return stop.size();
  }
  return 0;
}

size_t SkipSpace(std::string_view text, size_t at, size_t end) {
  while (at < end && IsSpace(text[at])) ++at;
  return at;
}

// The bytes of an HTML tag of emphasis, or of struck-out text, at `at`.
static size_t MarkupBytes(std::string_view text, size_t at, size_t end) {
  if (HasAt(text, at, "~~")) {
    const size_t close = text.substr(0, std::min(end, at + 64)).find("~~", at + 2);
    return close == kNone ? 0 : close + 2 - at;
  }
  if (at >= end || text[at] != '<') return 0;
  for (const std::string_view tag : {"<b>", "</b>", "<strong>", "</strong>", "<i>", "</i>", "<em>",
                                     "</em>", "<p>", "</p>", "<u>", "</u>"}) {
    if (HasAt(text, at, tag) && at + tag.size() <= end) return tag.size();
  }
  return 0;
}

size_t SkipMarkup(std::string_view text, size_t at, size_t end) {
  static constexpr std::array<std::string_view, 7> kMarks = {"“", "”", "«", "»", "「", "」", "∴"};
  for (;;) {
    while (at < end && (text[at] == ' ' || text[at] == '\t' || text[at] == '*' || text[at] == '`' ||
                        text[at] == '"' || text[at] == '\'' ||
                        (text[at] == '\\' && at + 1 < end && text[at + 1] == '"'))) {
      ++at;
    }
    if (const size_t tag = MarkupBytes(text, at, end)) {
      at += tag;
      continue;
    }
    if (at + 1 < end && text[at] == '_' && text[at + 1] == '_') {
      at += 2;
      continue;
    }
    const auto mark = std::find_if(kMarks.begin(), kMarks.end(),
                                   [&](std::string_view m) { return HasAt(text, at, m); });
    if (mark == kMarks.end() || at + mark->size() > end) return at;
    at += mark->size();
  }
}

// What a full stop shortens: i.e., e.g., Rs.
static bool IsShortForm(std::string_view before) {
  for (const std::string_view form : {"i.e", "e.g", "Rs"}) {
    if (!EndsWith(before, form)) continue;
    const size_t at = before.size() - form.size();
    if (at == 0 || !IsLetter(before[at - 1])) return true;
  }
  return false;
}

size_t ClauseEnd(std::string_view text, size_t at, size_t end) {
  const size_t stop = std::min(end, at + kMaxClauseBytes);
  FormulaReader formulas(text, stop);
  Formula formula;
  for (size_t i = at; i < stop; ++i) {
    const char c = text[i];
    if ((c == '$' || c == '\\') && formulas.ReadAt(i, &formula)) {
      i = formula.end - 1;
    } else if (c == '\\') {
      ++i;
    } else if (c == '\n' || (c == '<' && HasAt(text, i, "<|"))) {
      return i;
    } else if (c == '.' || c == '!' || c == '?') {
      size_t after = i + 1;
      while (after < stop && (text[after] == '*' || text[after] == '"' || text[after] == '\'' ||
                              text[after] == ')'))
        ++after;
      // "12! ways", but not "**12!** Well done" or "12! Well done".
      const bool cried = text[std::min(i + 1, stop - 1)] == '*' ||
                         (i + 2 < stop && text[i + 1] == ' ' && IsCapital(text[i + 2]));
      const bool factorial =
          c == '!' && !cried && i > at && (IsDigit(text[i - 1]) || text[i - 1] == ')');
      if (c == '.' && IsShortForm(text.substr(at, i - at))) continue;
      if ((after >= end || IsSpace(text[after]) || text[after] == '<') &&
          !(factorial && after < end))
        return i;
    } else if (static_cast<unsigned char>(c) >= 0xD8 && ForeignStopBytes(text, i) != 0) {
      return i;
    }
  }
  return stop;
}

size_t ClauseBegin(std::string_view text, size_t at, size_t begin) {
  const size_t stop = at > begin + kMaxClauseBytes ? at - kMaxClauseBytes : begin;
  for (size_t i = at; i > stop; --i) {
    const char c = text[i - 1];
    if (c == '\n') return i;
    if ((c == '.' || c == '!' || c == '?') && i < text.size() && IsSpace(text[i])) return i;
    if (i >= 3 && ForeignStopBytes(text, i - 3) == 3) return i;
  }
  return stop;
}

bool WordIs(std::string_view text, size_t at, size_t end, std::string_view word) {
  size_t word_end = at;
  return WordAt(text, at, end, &word_end) == word;
}

std::string WordAt(std::string_view text, size_t at, size_t end, size_t* word_end) {
  std::string word;
  size_t i = at;
  while (i < end && word.size() < 64) {
    const char c = text[i];
    if (IsLetter(c)) {
      word.push_back(static_cast<char>(c | 0x20));
      ++i;
    } else if ((c == '\'' && !word.empty() && i + 1 < end && IsLetter(text[i + 1]))) {
      word.push_back(c);
      ++i;
    } else if (!word.empty() && HasAt(text, i, "’")) {
      word.push_back('\'');
      i += 3;
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      size_t size = 1;
      const UChar32 point = CodePointAt(text, i, &size);
      const bool mark = !word.empty() && (U_GET_GC_MASK(point) & U_GC_M_MASK) != 0;
      if (!u_isalpha(point) && !mark) break;
      // Latin letters that another script's word is glued to end there ("B입니다").
      const bool latin = point < 0x0900 || (point >= 0x1E00 && point < 0x2000);
      if (!latin && !word.empty() && static_cast<unsigned char>(word.back()) < 0x80) break;
      uint8_t lower[U8_MAX_LENGTH];
      int32_t length = 0;
      U8_APPEND_UNSAFE(lower, length, u_tolower(point));
      word.append(reinterpret_cast<const char*>(lower), static_cast<size_t>(length));
      i += size;
      // A script without spaces: every sign is a word of its own.
      if (point >= 0x3040 && point <= 0x9FFF) break;
    } else {
      break;
    }
  }
  *word_end = i;
  return word;
}

}  // namespace assay::math
