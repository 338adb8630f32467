// Text as words with their scripts, for telling languages apart. Pure; thread-safe; linear time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay {

// A run of letters of one script. A run of Han or of Kana, of Thai, Lao, Khmer or Burmese is one however long it is.
struct ScriptWord {
  std::string_view text;  // in the piece that it stands in
  std::string small;      // in small letters, behind one space and before eight
  int script = 0;         // UScriptCode
  int letters = 0;
  double weight = 1;          // how many words it is
  bool clause_start = false;  // behind punctuation or a new line
  bool sentence_start = false;
  bool capital = false;   // its first letter alone is a capital
  bool capitals = false;  // all of them
  bool identifier =
      false;  // digits, an underscore or another mark of program text touch it, or capitals stand inside
  bool accents = false;  // letters beyond ASCII
};

// Words of each piece; a piece ends a sentence only if a new line or a mark does.
std::vector<ScriptWord> ScriptWordsOf(const std::vector<std::string_view>& pieces);

// How many characters of a script make a word, where it has no spaces; else 0.
double CharactersInWord(int script);

}  // namespace assay
