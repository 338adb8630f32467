// Which words of a text are in the language that it should be in, and which stretches are in another. Scripts decide where they can; where
// languages share a script, each word's evidence (word_evidence.h) and the words beside it: the cheapest way through the words, where
// changing the language costs. Thread-safe; linear time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "verifiers/language/word_evidence.h"

namespace assay {

// A stretch in another language.
struct ForeignSpan {
  std::string text;
  std::string language;  // its code, or the name of its script where that says no more
  double words = 0;
};

struct LanguageShare {
  double words = 0;                // that were looked at
  double foreign = 0;              // of these
  std::vector<ForeignSpan> spans;  // the first ones; kSpansMax at most
};
inline constexpr size_t kSpansMax = 20;

// `prose`: what is left of a text without code and formulas (prose.h). Names, abbreviations, identifiers, units, numbers and single
// letters are no words. In scripts without spaces words are counted by their characters (1.6 of Chinese make a word, 1.9 of Japanese).
LanguageShare ShareOf(const std::vector<std::string_view>& prose, LanguageId expected);

// The language that most words are in; kNoLanguage if there are no words or none is known.
LanguageId MainLanguage(const std::vector<std::string_view>& prose);

}  // namespace assay
