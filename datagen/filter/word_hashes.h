// A text as the hashes of its words, for everything that compares texts by runs of words: near duplicates, distances, repetition,
// contamination. Pure; thread-safe; linear time; one allocation a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// Where a word stands in its text, in bytes.
struct WordPlace {
  uint32_t begin = 0, end = 0;
};

// Words as people count them: runs of letters and digits in small form; of scripts without spaces (Han, Kana) each character.
// Punctuation parts words and is dropped. Letters outside ASCII are not folded. `out` is cleared first.
void HashWords(std::string_view text, std::vector<uint64_t>* out);

// Words as decontamination counts them (open-r1, GPT-3's appendix C): what white space parts, in small ASCII letters, punctuation and
// all. `places` (may be null) gets where each stands.
void HashSpacedWords(std::string_view text, std::vector<uint64_t>* out,
                     std::vector<WordPlace>* places = nullptr);

// Hashes of all runs of `n` words, by a rolling polynomial; of fewer words one hash of all of them, of none nothing.
void HashRuns(const std::vector<uint64_t>& words, int n, std::vector<uint64_t>* out);

// The text for comparison as a whole: small letters, everything but letters and digits as single spaces.
std::string NormalizedText(std::string_view text);

// The share of runs of `n` words that stand in the text before; 0 for texts of fewer words.
double RepeatedShare(std::string_view text, int n);

}  // namespace assay
