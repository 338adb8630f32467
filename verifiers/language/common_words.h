// The commonest words of languages that share a script with others: what tells a single foreign word from the text around it where
// letters do not. Pure; thread-safe; constant time a word.
#pragma once

#include <cstdint>
#include <string_view>

namespace assay {

// Which languages have `word` (in small letters) among their commonest: bit i for the language of index i. 0: none.
uint64_t LanguagesOfWord(std::string_view word);

// By code ("en"); -1: no list of that language.
int CommonWordsIndex(std::string_view code);
std::string_view CommonWordsCode(int index);
int CommonWordsLanguages();  // at most 64

}  // namespace assay
