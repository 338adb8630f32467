// Bytes of a reply: ASCII classes and a piece at a place. Private to reply/; pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string_view>

namespace assay::math {

inline constexpr size_t kNone = std::string_view::npos;

inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }
inline bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

inline bool HasAt(std::string_view text, size_t at, std::string_view piece) {
  return text.size() >= at && text.substr(at, piece.size()) == piece;
}

inline bool OneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace assay::math
