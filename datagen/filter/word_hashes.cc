#include "datagen/filter/word_hashes.h"

#include <algorithm>

#include "core/hash.h"

namespace assay {
namespace {

// Any odd number with well-mixed bits: polynomials over it, modulo 2^64, tell runs of hashed words apart.
constexpr uint64_t kBase = 0x9E3779B97F4A7C15u;

char Small(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool IsAsciiWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Bytes of the UTF-8 character that starts with `lead`, at most what is left.
size_t CharacterBytes(unsigned char lead, size_t left) {
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  return std::min(bytes, left);
}

// Kana to Han (U+3040 to U+9FFF) and beyond the basic plane's end: scripts that do not part words.
bool StandsAlone(std::string_view character) {
  const auto lead = static_cast<unsigned char>(character[0]);
  if (character.size() == 3 && lead == 0xE3) return static_cast<unsigned char>(character[1]) > 0x80;
  return (character.size() == 3 && lead >= 0xE4 && lead <= 0xE9) ||
         (character.size() == 4 && lead == 0xF0 &&
          static_cast<unsigned char>(character[1]) >= 0xA0);
}

// Punctuation of Unicode that the world's texts have: U+2000 to U+206F, U+3000 to U+303F, full-width marks.
bool IsMark(std::string_view character) {
  if (character.size() != 3) return false;
  const auto lead = static_cast<unsigned char>(character[0]);
  const auto second = static_cast<unsigned char>(character[1]);
  return (lead == 0xE2 && (second == 0x80 || second == 0x81)) || (lead == 0xE3 && second == 0x80) ||
         (lead == 0xEF && (second == 0xBC || second == 0xBD));
}

uint64_t Power(uint64_t base, int exponent) {
  uint64_t power = 1;
  for (int i = 0; i < exponent; ++i) power *= base;
  return power;
}

// Calls `take` with each word, in small ASCII letters.
template <typename Take>
void ForEachWord(std::string_view text, std::string* word, const Take& take) {
  word->clear();
  const auto finish = [&] {
    if (!word->empty()) take(std::string_view(*word));
    word->clear();
  };
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (static_cast<unsigned char>(c) < 0x80) {
      IsAsciiWord(c) ? word->push_back(Small(c)) : finish();
      ++at;
      continue;
    }
    const std::string_view character =
        text.substr(at, CharacterBytes(static_cast<unsigned char>(c), text.size() - at));
    at += character.size();
    if (IsMark(character)) {
      finish();
    } else if (StandsAlone(character)) {
      finish();
      take(character);
    } else {
      word->append(character);
    }
  }
  finish();
}

}  // namespace

void HashWords(std::string_view text, std::vector<uint64_t>* out) {
  out->clear();
  std::string word;
  ForEachWord(text, &word, [&](std::string_view one) { out->push_back(HashBytes64(one)); });
}

void HashSpacedWords(std::string_view text, std::vector<uint64_t>* out,
                     std::vector<WordPlace>* places) {
  out->clear();
  if (places != nullptr) places->clear();
  std::string word;
  for (size_t at = 0; at < text.size();) {
    if (IsSpace(text[at])) {
      ++at;
      continue;
    }
    const size_t begin = at;
    word.clear();
    while (at < text.size() && !IsSpace(text[at])) word.push_back(Small(text[at++]));
    out->push_back(HashBytes64(word));
    if (places != nullptr)
      places->push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(at)});
  }
}

void HashRuns(const std::vector<uint64_t>& words, int n, std::vector<uint64_t>* out) {
  out->clear();
  if (words.empty()) return;
  const size_t length = std::min(words.size(), static_cast<size_t>(n));
  const uint64_t leaving = Power(kBase, static_cast<int>(length) - 1);
  uint64_t hash = 0;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i >= length) hash -= words[i - length] * leaving;
    hash = hash * kBase + words[i];
    // The last step spreads the polynomial's low bits over all of them.
    if (i + 1 >= length) out->push_back((hash ^ hash >> 29) * kBase);
  }
}

std::string NormalizedText(std::string_view text) {
  std::string out, word;
  ForEachWord(text, &word, [&](std::string_view one) {
    if (!out.empty()) out.push_back(' ');
    out.append(one);
  });
  return out;
}

double RepeatedShare(std::string_view text, int n) {
  std::vector<uint64_t> words, runs;
  HashWords(text, &words);
  if (words.size() < static_cast<size_t>(n)) return 0;
  HashRuns(words, n, &runs);
  const auto all = static_cast<double>(runs.size());
  std::sort(runs.begin(), runs.end());
  const auto distinct = std::unique(runs.begin(), runs.end()) - runs.begin();
  return 1 - static_cast<double>(distinct) / all;
}

}  // namespace assay
