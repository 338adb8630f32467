// What is known of a language beyond its words: its scripts and its letters (CLDR's, through ICU). Made once a language and kept.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "verifiers/language/word_evidence.h"

namespace assay {

struct LanguageProfile {
  LanguageId id = kNoLanguage;
  std::string code;
  std::vector<int> scripts;       // UScriptCode; Kana is Hiragana, Korean is Hangul alone
  std::vector<char32_t> letters;  // sorted; beyond ASCII; empty: unknown
  bool HasScript(int script) const;
  // `small`: a word in small letters. True also where the letters are not known.
  bool HasLetters(std::string_view small) const;
};

// Thread-safe; the reference stays valid.
const LanguageProfile& ProfileOf(LanguageId language);

// Several languages write with it: Latin, Cyrillic, Arabic, Devanagari.
bool IsSharedScript(int script);
// The language that a script stands for where nothing else is known: "el" for Greek. kNoLanguage for shared scripts and those unknown.
LanguageId LanguageOfScript(int script);
// "Latn".
std::string ScriptCode(int script);

// A Han letter that Japanese does not have: mostly simplified forms.
bool IsChineseOnly(char32_t letter);

}  // namespace assay
