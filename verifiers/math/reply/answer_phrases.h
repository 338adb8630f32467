// The phrases that matter to answer extraction (boxes, "answer" in many languages, `####`, think tags, chat tokens) and the
// languages they belong to: a new phrase, or one of another language, is a row of the table in answer_phrases.cc. What a
// phrase means where it stands is for the rules to decide (rules.h).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace assay::math {

enum class Phrase : uint8_t {
  kBox,         // \boxed, \fbox, ...
  kAnswer,      // "answer" and its like
  kFinal,       // "final answer" and its like
  kLetterA,     // "A:"
  kPick,        // "choose", which announces a choice letter and nothing else
  kLabel,       // "result:", which announces an answer only as the last line
  kMeant,       // "I meant", which announces the value right behind it
  kHash,        // "####"
  kThinkOpen,   // "<think" and its like, without what follows the name
  kThinkClose,  // "</think" and its like
  kChatEnd,     // "<|im_end|>" and its like
};

struct PhraseEntry {
  const char* text;  // lower case where ASCII; found in any case of ASCII letters
  Phrase phrase;
  const char* language;  // "en", "fr", ... for anchors, else ""
};

std::span<const PhraseEntry> AnswerPhrases();

// The code of a language given by its English name or its code ("french", "fr": "fr"); "" if it is none that is known.
std::string_view LanguageCode(std::string_view name);

}  // namespace assay::math
