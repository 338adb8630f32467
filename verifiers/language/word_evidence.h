// Which languages a word looks like, by CLD2's tables of four-letter pieces and short words and by our own lists of common words. Only
// CLD2's tables are used and not its scan over text, which needs some twenty pieces to say anything: here a single word counts.
// Thread-safe; time linear in the word.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace assay {

// A language, as CLD2 numbers them; kNoLanguage where there is none.
using LanguageId = uint16_t;
inline constexpr LanguageId kNoLanguage = 26;

// "en", "pt-BR", "zh_CN", "nb", "English": kNoLanguage if it is none that is known.
LanguageId LanguageFromName(std::string_view name);
// ISO 639 code, "zh" for both ways to write Chinese.
std::string_view LanguageCodeOf(LanguageId language);
// Too near to each other to be told apart by a word: Malay and Indonesian, Norwegian and Danish, Serbian, Croatian and Bosnian, Czech and
// Slovak, Galician and both of its neighbours.
std::vector<LanguageId> NearTo(LanguageId language);  // itself first

// Scores of a few languages, none twice. 0 is no sign at all, a piece that only one language has is about 10.
struct WordEvidence {
  struct Entry {
    LanguageId language;
    int16_t score;
  };
  static constexpr size_t kMax = 16;
  std::array<Entry, kMax> entries;
  size_t count = 0;

  void Add(LanguageId language, int score);
  int Of(LanguageId language) const;  // 0 where it does not stand
};

// `word`: letters of one script in their small form, `padded` to the left by one space and to the right by eight. `script` is ICU's
// number (UScriptCode). Scripts that one language has alone give nothing.
WordEvidence EvidenceOf(std::string_view padded, int script);

}  // namespace assay
