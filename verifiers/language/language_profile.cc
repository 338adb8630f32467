#include "verifiers/language/language_profile.h"

#include <unicode/ucnv.h>
#include <unicode/uloc.h>
#include <unicode/ulocdata.h>
#include <unicode/uscript.h>
#include <unicode/uset.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>

namespace assay {
namespace {

std::vector<int> ScriptsOf(const std::string& code) {
  std::array<UScriptCode, 16> found{};
  UErrorCode error = U_ZERO_ERROR;
  const int32_t count =
      uscript_getCode(code.c_str(), found.data(), static_cast<int32_t>(found.size()), &error);
  std::vector<int> scripts;
  if (U_FAILURE(error)) return scripts;
  for (int32_t i = 0; i < count; ++i) {
    int script = found[static_cast<size_t>(i)];
    if (script == USCRIPT_KATAKANA || script == USCRIPT_KATAKANA_OR_HIRAGANA)
      script = USCRIPT_HIRAGANA;
    if (script == USCRIPT_SIMPLIFIED_HAN || script == USCRIPT_TRADITIONAL_HAN) script = USCRIPT_HAN;
    if (code == "ko" && script != USCRIPT_HANGUL) continue;
    if (std::find(scripts.begin(), scripts.end(), script) == scripts.end())
      scripts.push_back(script);
  }
  if (code == "sr") scripts = {USCRIPT_CYRILLIC, USCRIPT_LATIN};
  return scripts;
}

std::vector<char32_t> LettersOf(const std::string& code) {
  std::vector<char32_t> letters;
  UErrorCode error = U_ZERO_ERROR;
  std::unique_ptr<ULocaleData, decltype(&ulocdata_close)> data(ulocdata_open(code.c_str(), &error),
                                                               &ulocdata_close);
  // ICU falls back to the root's letters for a language that it does not have.
  if (U_FAILURE(error) || error == U_USING_DEFAULT_WARNING) return letters;
  std::unique_ptr<USet, decltype(&uset_close)> set(
      ulocdata_getExemplarSet(data.get(), nullptr, 0, ULOCDATA_ES_STANDARD, &error), &uset_close);
  if (U_FAILURE(error) || set == nullptr) return letters;
  const int32_t ranges = uset_getItemCount(set.get());
  for (int32_t i = 0; i < ranges; ++i) {
    UChar32 first = 0, last = 0;
    if (uset_getItem(set.get(), i, &first, &last, nullptr, 0, &error) != 0) continue;
    for (UChar32 c = std::max<UChar32>(first, 0x80); c <= last && c < 0x3000; ++c)
      letters.push_back(static_cast<char32_t>(c));
  }
  std::sort(letters.begin(), letters.end());
  return letters;
}

// Which letters a character set of old has.
std::vector<bool> LettersInCharset(const char* name) {
  std::vector<bool> has(0x5200);  // from U+4E00 on
  UErrorCode error = U_ZERO_ERROR;
  std::unique_ptr<UConverter, decltype(&ucnv_close)> converter(ucnv_open(name, &error),
                                                               &ucnv_close);
  std::unique_ptr<USet, decltype(&uset_close)> set(uset_openEmpty(), &uset_close);
  if (U_FAILURE(error)) return has;
  ucnv_getUnicodeSet(converter.get(), set.get(), UCNV_ROUNDTRIP_SET, &error);
  for (size_t i = 0; i < has.size(); ++i)
    has[i] = uset_contains(set.get(), static_cast<UChar32>(0x4E00 + i)) != 0;
  return has;
}

LanguageProfile Make(LanguageId language) {
  LanguageProfile profile;
  profile.id = language;
  profile.code = LanguageCodeOf(language);
  profile.scripts = ScriptsOf(profile.code);
  profile.letters = LettersOf(profile.code);
  return profile;
}

}  // namespace

bool LanguageProfile::HasScript(int script) const {
  return std::find(scripts.begin(), scripts.end(), script) != scripts.end();
}

bool LanguageProfile::HasLetters(std::string_view small) const {
  if (letters.empty()) return true;
  const char* bytes = small.data();
  const auto size = static_cast<int64_t>(small.size());
  for (int64_t i = 0; i < size;) {
    UChar32 c = 0;
    U8_NEXT(bytes, i, size, c);
    if (c >= 0x80 && !std::binary_search(letters.begin(), letters.end(), static_cast<char32_t>(c)))
      return false;
  }
  return true;
}

const LanguageProfile& ProfileOf(LanguageId language) {
  static std::mutex mutex;
  static std::map<LanguageId, LanguageProfile> profiles;  // some hundred languages at most
  const std::lock_guard lock(mutex);
  const auto found = profiles.find(language);
  return found != profiles.end() ? found->second
                                 : profiles.emplace(language, Make(language)).first->second;
}

bool IsSharedScript(int script) {
  return script == USCRIPT_LATIN || script == USCRIPT_CYRILLIC || script == USCRIPT_ARABIC ||
         script == USCRIPT_DEVANAGARI;
}

LanguageId LanguageOfScript(int script) {
  if (script == USCRIPT_HAN) return LanguageFromName("zh");
  if (script == USCRIPT_HIRAGANA) return LanguageFromName("ja");
  if (IsSharedScript(script)) return kNoLanguage;
  const std::string tag = "und_" + ScriptCode(script);
  std::array<char, 64> full{};
  UErrorCode error = U_ZERO_ERROR;
  uloc_addLikelySubtags(tag.c_str(), full.data(), static_cast<int32_t>(full.size()), &error);
  return U_FAILURE(error) ? kNoLanguage : LanguageFromName(full.data());
}

std::string ScriptCode(int script) {
  const char* name = uscript_getShortName(static_cast<UScriptCode>(script));
  return name == nullptr ? "" : name;
}

bool IsChineseOnly(char32_t letter) {
  static const std::vector<bool> japanese = LettersInCharset("Shift_JIS");
  return letter >= 0x4E00 && letter < 0x4E00 + japanese.size() && !japanese[letter - 0x4E00];
}

}  // namespace assay
