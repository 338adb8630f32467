// The phrases that matter to answer extraction (boxes, "answer" in many languages, `####`, think tags, chat tokens), all
// found in one pass over the text by one automaton (Aho and Corasick 1975), ASCII case folded. The automaton is built
// once, at first use, and is constant afterwards; thread-safe. It only locates: what a phrase means where it stands is for
// extract.cc to decide.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace assay::math {

enum class Phrase : uint8_t {
  kBox,         // \boxed, \fbox, ...
  kAnswer,      // "answer" and its like
  kFinal,       // "final answer" and its like
  kLetterA,     // "A:"
  kLabel,       // "result:", which announces an answer only as the last line
  kHash,        // "####"
  kThinkOpen,   // "<think" and its like, without what follows the name
  kThinkClose,  // "</think" and its like
  kChatEnd,     // "<|im_end|>" and its like
};

struct PhraseHit {
  uint32_t begin = 0;
  uint32_t end = 0;
  Phrase phrase = Phrase::kBox;
  const char* language = "";  // "en", "fr", ... for anchors, else ""
};

// All hits in order of their ends; of phrases that end at the same byte only the longest. Texts over 4 GiB: none.
std::vector<PhraseHit> FindPhrases(std::string_view text);

}  // namespace assay::math
