// Finds the phrases of answer_phrases.h in one pass over a text by one automaton (Aho and Corasick 1975), ASCII case folded.
// The automaton is built once, at first use, and is constant afterwards; thread-safe. It only locates.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "verifiers/math/reply/answer_phrases.h"

namespace assay::math {

struct PhraseHit {
  uint32_t begin = 0;
  uint32_t end = 0;
  Phrase phrase = Phrase::kBox;
  const char* language = "";  // "en", "fr", ... for anchors, else ""
};

// All hits in order of their ends; of phrases that end at the same byte only the longest. Texts over 4 GiB: none.
std::vector<PhraseHit> FindPhrases(std::string_view text);

}  // namespace assay::math
