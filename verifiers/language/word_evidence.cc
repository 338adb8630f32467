#include "verifiers/language/word_evidence.h"

#include <unicode/uscript.h>

#include <algorithm>
#include <bit>
// CLD2's header names FILE without including it.
#include <cstdio>
#include <string>
#include <vector>

#include <cld2/internal/cld2tablesummary.h>
#include <cld2/internal/cldutil_shared.h>
#include <cld2/internal/lang_script.h>

#include "core/text.h"
#include "verifiers/language/common_words.h"

namespace CLD2 {
extern const CLD2TableSummary kQuad_obj;
extern const CLD2TableSummary kDeltaOcta_obj;
extern const CLD2TableSummary kDistinctOcta_obj;
}  // namespace CLD2

namespace assay {
namespace {

static_assert(kNoLanguage == CLD2::UNKNOWN_LANGUAGE);

// What standing in a list of common words counts. A longer word is seldom one of two languages by chance.
constexpr int kCommonWord = 10, kShortWord = 4, kLongWordMore = 6;

CLD2::ULScript CldScript(int script) {
  switch (script) {
    case USCRIPT_LATIN:
      return CLD2::ULScript_Latin;
    case USCRIPT_CYRILLIC:
      return CLD2::ULScript_Cyrillic;
    case USCRIPT_ARABIC:
      return CLD2::ULScript_Arabic;
    case USCRIPT_DEVANAGARI:
      return CLD2::ULScript_Devanagari;
    default:
      return CLD2::ULScript_Common;
  }
}

// Each entry of a table packs up to three languages of the script with the logarithms of their probabilities.
void AddPacked(uint32_t packed, CLD2::ULScript script, WordEvidence* out) {
  const uint8_t* scores = CLD2::LgProb2TblEntry(static_cast<int>(packed & 0xFF));
  for (int i = 0; i < 3; ++i) {
    const auto number = static_cast<uint8_t>(packed >> (8 * (i + 1)));
    if (number == 0) continue;
    out->Add(static_cast<LanguageId>(CLD2::FromPerScriptNumber(script, number)),
             CLD2::LgProb3(scores, i));
  }
}

void AddFound(const CLD2::CLD2TableSummary& table, uint32_t found, CLD2::ULScript script,
              WordEvidence* out) {
  if (found == 0) return;
  uint32_t at = found & ~table.kCLDTableKeyMask;
  if (at < table.kCLDTableSizeOne) {
    AddPacked(table.kCLDTableInd[at], script, out);
  } else {  // two entries side by side
    at += at - table.kCLDTableSizeOne;
    AddPacked(table.kCLDTableInd[at], script, out);
    AddPacked(table.kCLDTableInd[at + 1], script, out);
  }
}

const char* Advance(const char* at, int characters) {
  for (int i = 0; i < characters; ++i)
    at += CLD2::kAdvanceOneCharButSpace[static_cast<unsigned char>(*at)];
  return at;
}

// Pieces as CLD2's tables were made of: four letters every two, vowels skipped at the start.
void AddPieces(const char* word, const char* end, CLD2::ULScript script, WordEvidence* out) {
  while (word < end) {
    const char* middle = Advance(word, 2);
    const char* last = Advance(middle, 2);
    const uint32_t hash = CLD2::QuadHashV2(word, static_cast<int>(last - word));
    AddFound(CLD2::kQuad_obj, CLD2::QuadHashV3Lookup4(&CLD2::kQuad_obj, hash), script, out);
    word = *last == ' ' ? last : middle;
    if (word < end) word += CLD2::kAdvanceOneCharSpaceVowel[static_cast<unsigned char>(*word)];
  }
}

void AddWhole(const char* word, CLD2::ULScript script, WordEvidence* out) {
  const char* last = Advance(word, 8);
  const uint64_t hash = CLD2::OctaHash40(word, static_cast<int>(last - word));
  for (const CLD2::CLD2TableSummary* table : {&CLD2::kDeltaOcta_obj, &CLD2::kDistinctOcta_obj})
    AddFound(*table, CLD2::OctaHashV3Lookup4(table, hash), script, out);
}

// The languages of common_words.h by their index.
const std::vector<LanguageId>& ListedLanguages() {
  static const std::vector<LanguageId> ids = [] {
    std::vector<LanguageId> made;
    for (int i = 0; i < CommonWordsLanguages(); ++i)
      made.push_back(LanguageFromName(CommonWordsCode(i)));
    return made;
  }();
  return ids;
}

}  // namespace

LanguageId LanguageFromName(std::string_view name) {
  std::string base(AsciiLower(name.substr(0, name.find_first_of("-_"))));
  // ISO 639's newer codes, where CLD2 has the old ones.
  static constexpr std::pair<std::string_view, std::string_view> kNewer[] = {
      {"he", "iw"}, {"nb", "no"}, {"jv", "jw"}, {"fil", "tl"}, {"zho", "zh"}, {"cmn", "zh"}};
  for (const auto& [newer, older] : kNewer) {
    if (base == newer) base = older;
  }
  CLD2::Language language = CLD2::GetLanguageFromName(base.c_str());
  if (language == CLD2::UNKNOWN_LANGUAGE) {  // CLD2 writes names in capitals
    std::string name_in_capitals(name);
    for (char& c : name_in_capitals)
      c = c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
    language = CLD2::GetLanguageFromName(name_in_capitals.c_str());
  }
  if (language == CLD2::CHINESE_T) language = CLD2::CHINESE;
  return static_cast<LanguageId>(language);
}

std::string_view LanguageCodeOf(LanguageId language) {
  if (language == kNoLanguage) return "";
  const std::string_view code = CLD2::LanguageCode(static_cast<CLD2::Language>(language));
  if (code == "iw") return "he";
  if (code == "jw") return "jv";
  return StartsWith(code, "zh") ? "zh" : code;
}

std::vector<LanguageId> NearTo(LanguageId language) {
  static constexpr LanguageId kNear[][2] = {
      {CLD2::INDONESIAN, CLD2::MALAY},      {CLD2::NORWEGIAN, CLD2::DANISH},
      {CLD2::NORWEGIAN, CLD2::NORWEGIAN_N}, {CLD2::DANISH, CLD2::NORWEGIAN_N},
      {CLD2::SERBIAN, CLD2::CROATIAN},      {CLD2::SERBIAN, CLD2::BOSNIAN},
      {CLD2::CROATIAN, CLD2::BOSNIAN},      {CLD2::CZECH, CLD2::SLOVAK},
      {CLD2::GALICIAN, CLD2::PORTUGUESE},   {CLD2::GALICIAN, CLD2::SPANISH},
      {CLD2::CHINESE, CLD2::CHINESE_T},     {CLD2::HINDI, CLD2::BIHARI}};
  std::vector<LanguageId> near = {language};
  for (const auto& [a, b] : kNear) {
    if (a == language) near.push_back(b);
    if (b == language) near.push_back(a);
  }
  return near;
}

void WordEvidence::Add(LanguageId language, int score) {
  for (size_t i = 0; i < count; ++i) {
    if (entries[i].language == language) {
      entries[i].score = static_cast<int16_t>(entries[i].score + score);
      return;
    }
  }
  if (count < kMax) entries[count++] = {language, static_cast<int16_t>(score)};
}

int WordEvidence::Of(LanguageId language) const {
  for (size_t i = 0; i < count; ++i) {
    if (entries[i].language == language) return entries[i].score;
  }
  return 0;
}

WordEvidence EvidenceOf(std::string_view padded, int script) {
  WordEvidence out;
  const CLD2::ULScript cld = CldScript(script);
  if (cld == CLD2::ULScript_Common) return out;
  const std::string_view word = padded.substr(1, padded.size() - 9);
  uint64_t lists = LanguagesOfWord(word);
  const int longer = static_cast<int>(word.size()) - kShortWord;
  const int common = kCommonWord + std::clamp(longer, 0, kLongWordMore);
  for (; lists != 0; lists &= lists - 1)
    out.Add(ListedLanguages()[static_cast<size_t>(std::countr_zero(lists))], common);
  const char* begin = padded.data() + 1;
  AddPieces(begin, begin + word.size(), cld, &out);
  AddWhole(begin, cld, &out);
  return out;
}

}  // namespace assay
