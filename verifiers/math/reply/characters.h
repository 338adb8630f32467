// Bytes of a reply: ASCII classes and a piece at a place. Private to reply/; pure.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace assay::math {

inline constexpr size_t kNone = std::string_view::npos;

inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }
inline bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool IsCapital(char c) { return c >= 'A' && c <= 'Z'; }
inline bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

inline bool HasAt(std::string_view text, size_t at, std::string_view piece) {
  return text.size() >= at && text.substr(at, piece.size()) == piece;
}

// Literals, whose lengths are constants: this is asked many times a word.
template <size_t... kBytes>
bool OneOf(std::string_view word, const char (&... words)[kBytes]) {
  return ((word.size() == kBytes - 1 && std::memcmp(word.data(), words, kBytes - 1) == 0) || ...);
}

// A class of words that is asked about for every word of a reply. Built once, a static of the function that asks.
class WordSet {
 public:
  WordSet(std::initializer_list<std::string_view> words) : words_(words) {
    std::sort(words_.begin(), words_.end());
    for (const std::string_view word : words_) ++begin_[First(word) + 1];
    for (size_t k = 1; k < begin_.size(); ++k)
      begin_[k] = static_cast<uint16_t>(begin_[k] + begin_[k - 1]);
  }

  bool Has(std::string_view word) const {
    if (word.empty()) return false;
    const size_t first = First(word);
    for (size_t k = begin_[first]; k < begin_[first + 1]; ++k) {
      if (words_[k] == word) return true;
    }
    return false;
  }

 private:
  static size_t First(std::string_view word) { return static_cast<unsigned char>(word[0]); }

  std::vector<std::string_view> words_;  // sorted
  std::array<uint16_t, 257> begin_{};    // where those with a first byte begin
};

}  // namespace assay::math
