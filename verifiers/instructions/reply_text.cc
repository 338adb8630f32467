#include "verifiers/instructions/reply_text.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include <algorithm>

#include "core/text.h"
#include "verifiers/words.h"

namespace assay {
namespace {

constexpr std::string_view kAsciiPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
constexpr int kInflectionMax = 3;

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool IsAsciiWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The character that begins at `at`, which moves behind it; below 0 for what is no UTF-8.
UChar32 NextCharacter(std::string_view text, size_t* at) {
  auto i = static_cast<int64_t>(*at);
  UChar32 c = 0;
  const char* bytes = text.data();
  U8_NEXT(bytes, i, static_cast<int64_t>(text.size()), c);
  *at = static_cast<size_t>(i);
  return c;
}

// The character that ends before `at`; 0 at the start.
UChar32 CharacterBefore(std::string_view text, size_t at) {
  if (at == 0) return 0;
  auto i = static_cast<int32_t>(at);
  UChar32 c = 0;
  const char* bytes = text.data();
  U8_PREV(bytes, 0, i, c);
  return c;
}

bool IsWordCharacter(UChar32 c) {
  if (c < 0) return false;
  if (c < 0x80) return IsAsciiWord(static_cast<char>(c));
  return (U_GET_GC_MASK(c) & (U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK)) != 0;
}

// Han, Kana, Thai and their like: a character is a word there.
bool StandsAlone(UChar32 c) {
  if (c < 0x0E00) return false;
  UErrorCode error = U_ZERO_ERROR;
  switch (uscript_getScript(c, &error)) {
    case USCRIPT_HAN:
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
    case USCRIPT_THAI:
    case USCRIPT_LAO:
    case USCRIPT_KHMER:
    case USCRIPT_MYANMAR:
      return true;
    default:
      return false;
  }
}

bool IsWideEnd(UChar32 c) {
  return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0x0964 || c == 0x061F || c == 0x06D4;
}

// A point behind these words ends no sentence.
bool IsAbbreviation(std::string_view word) {
  static constexpr std::string_view kAbbreviations[] = {
      "al",  "approx", "cf",  "co",   "corp", "dept", "dr",  "ed",   "eds", "eg",
      "est", "etc",    "fig", "figs", "gen",  "gov",  "ie",  "inc",  "jr",  "lt",
      "ltd", "mr",     "mrs", "ms",   "mt",   "no",   "op",  "p",    "pp",  "prof",
      "rep", "rev",    "sen", "sr",   "st",   "u",    "vol", "vols", "vs"};
  const std::string small = AsciiLower(word);
  return std::binary_search(std::begin(kAbbreviations), std::end(kAbbreviations), small);
}

class SentenceCutter {
 public:
  explicit SentenceCutter(std::string_view text) : text_(text) {}

  std::vector<std::string_view> Cut() {
    size_t at = 0;
    while (at < text_.size()) {
      const size_t begin = at;
      const UChar32 c = NextCharacter(text_, &at);
      if (IsWideEnd(c)) {
        while (at < text_.size() && Closes(at)) NextCharacter(text_, &at);
        End(at);
      } else if (c == '.' || c == '!' || c == '?') {
        at = EndMarks(begin);
      }
    }
    End(text_.size());
    return std::move(sentences_);
  }

 private:
  // Marks that begin at `begin` and what closes behind them; gives where they end.
  size_t EndMarks(size_t begin) {
    size_t end = begin;
    bool strong = false;
    while (end < text_.size() && (text_[end] == '.' || text_[end] == '!' || text_[end] == '?')) {
      strong = strong || text_[end] != '.';
      ++end;
    }
    const size_t marks = end - begin;
    while (end < text_.size() && Closes(end)) NextCharacter(text_, &end);
    if (end < text_.size() && !IsSpace(text_[end])) return end;
    if (!strong && !PointEnds(begin, marks, end)) return end;
    End(end);
    return end;
  }

  // Whether points before white space or the end are a sentence's.
  bool PointEnds(size_t begin, size_t marks, size_t end) const {
    size_t next = end;
    while (next < text_.size() && IsSpace(text_[next])) ++next;
    if (next == text_.size()) return true;
    size_t after = next;
    const UChar32 c = NextCharacter(text_, &after);
    const bool small_follows = c >= 0 && u_islower(c) != 0;
    if (marks > 1) return !small_follows;
    size_t word = begin;
    while (word > 0 && (IsAsciiWord(text_[word - 1]) || text_[word - 1] == '.')) --word;
    const std::string_view before = text_.substr(word, begin - word);
    if (before.empty()) return true;
    if (IsAbbreviation(before)) return false;
    // e.g., a.m., U.S. go on where a small letter follows.
    if (small_follows && before.find('.') != std::string_view::npos) return false;
    const bool digits = before.find_first_not_of("0123456789") == std::string_view::npos;
    // "1." at a line's start numbers an item.
    if (digits) return !(word == 0 || OnlySpaceBefore(word));
    // An initial: J. Smith.
    if (before.size() == 1 && before[0] >= 'A' && before[0] <= 'Z' && before[0] != 'I')
      return false;
    return true;
  }

  bool OnlySpaceBefore(size_t at) const {
    while (at > 0 && (text_[at - 1] == ' ' || text_[at - 1] == '*' || text_[at - 1] == '#')) --at;
    return at == 0 || text_[at - 1] == '\n';
  }

  bool Closes(size_t at) const {
    const char c = text_[at];
    if (c == '"' || c == '\'' || c == ')' || c == ']' || c == '*' || c == '_') return true;
    const std::string_view rest = text_.substr(at, 3);
    return rest == "\u201D" || rest == "\u2019" || rest == "\u300D" || rest == "\u300F" ||
           rest.substr(0, 2) == "\u00BB";
  }

  void End(size_t end) {
    const std::string_view sentence = Trim(text_.substr(begin_, end - begin_));
    // Marks alone belong to nothing.
    if (std::any_of(sentence.begin(), sentence.end(),
                    [](char c) { return IsAsciiWord(c) || static_cast<unsigned char>(c) >= 0x80; }))
      sentences_.push_back(sentence);
    begin_ = end;
  }

  std::string_view text_;
  size_t begin_ = 0;
  std::vector<std::string_view> sentences_;
};

}  // namespace

bool IsAsciiPunctuation(char c) { return kAsciiPunctuation.find(c) != std::string_view::npos; }

std::vector<std::string_view> TokensOf(std::string_view text) {
  std::vector<std::string_view> tokens;
  for (size_t at = 0; at < text.size();) {
    while (at < text.size() && IsSpace(text[at])) ++at;
    const size_t begin = at;
    while (at < text.size() && !IsSpace(text[at])) ++at;
    if (at > begin) tokens.push_back(text.substr(begin, at - begin));
  }
  return tokens;
}

std::vector<std::string> BareTokensOf(std::string_view text) {
  std::vector<std::string> bare;
  for (std::string_view token : TokensOf(text)) {
    std::string kept;
    bool wide = false;
    for (char c : token) {
      if (IsAsciiPunctuation(c)) continue;
      wide = wide || static_cast<unsigned char>(c) >= 0x80;
      kept.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c);
    }
    if (!kept.empty()) bare.push_back(wide ? LowerCase(kept) : std::move(kept));
  }
  return bare;
}

std::vector<std::string_view> WordRunsOf(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (IsAsciiWord(text[at])) {
      ++at;
    } else {
      const UChar32 c = NextCharacter(text, &at);
      if (!IsWordCharacter(c)) continue;
      if (StandsAlone(c)) {
        // Marks over it are its own.
        for (size_t next = at; next < text.size(); at = next) {
          const UChar32 mark = NextCharacter(text, &next);
          if (mark < 0x80 || (U_GET_GC_MASK(mark) & U_GC_M_MASK) == 0) break;
        }
        words.push_back(text.substr(begin, at - begin));
        continue;
      }
    }
    for (size_t next = at; next < text.size(); at = next) {
      if (IsAsciiWord(text[next])) {
        ++next;
        continue;
      }
      if (static_cast<unsigned char>(text[next]) < 0x80) break;
      const UChar32 c = NextCharacter(text, &next);
      if (!IsWordCharacter(c) || StandsAlone(c)) break;
    }
    words.push_back(text.substr(begin, at - begin));
  }
  return words;
}

const std::string& ReplyText::Small() const {
  if (!small_) small_ = LowerCase(text_);
  return *small_;
}

const std::vector<std::string_view>& ReplyText::Words() const {
  if (!words_) words_ = WordRunsOf(text_);
  return *words_;
}

const std::vector<std::string_view>& ReplyText::Tokens() const {
  if (!tokens_) tokens_ = TokensOf(text_);
  return *tokens_;
}

const std::vector<std::string>& ReplyText::BareTokens() const {
  if (!bare_) bare_ = BareTokensOf(text_);
  return *bare_;
}

const std::vector<std::string_view>& ReplyText::Lines() const {
  if (!lines_) lines_ = SplitChar(text_, '\n');
  return *lines_;
}

const std::vector<std::string_view>& ReplyText::Paragraphs() const {
  if (paragraphs_) return *paragraphs_;
  paragraphs_.emplace();
  size_t begin = std::string_view::npos, end = 0;
  const auto end_paragraph = [&] {
    if (begin != std::string_view::npos)
      paragraphs_->push_back(Trim(text_.substr(begin, end - begin)));
    begin = std::string_view::npos;
  };
  for (std::string_view line : Lines()) {
    if (Trim(line).empty()) {
      end_paragraph();
      continue;
    }
    const auto at = static_cast<size_t>(line.data() - text_.data());
    if (begin == std::string_view::npos) begin = at;
    end = at + line.size();
  }
  end_paragraph();
  return *paragraphs_;
}

const std::vector<std::string_view>& ReplyText::Sentences() const {
  if (!sentences_) sentences_ = SentenceCutter(text_).Cut();
  return *sentences_;
}

std::string_view StripPunctuation(std::string_view text) {
  const auto stripped = [](char c) { return IsAsciiPunctuation(c) || IsSpace(c); };
  while (!text.empty() && stripped(text.front())) text.remove_prefix(1);
  while (!text.empty() && stripped(text.back())) text.remove_suffix(1);
  return text;
}

namespace {
bool AllOfCase(std::string_view text, bool capitals) {
  bool any = false;
  for (size_t at = 0; at < text.size();) {
    const UChar32 c = NextCharacter(text, &at);
    if (c < 0) continue;
    if (u_isULowercase(c) || u_istitle(c)) {
      if (capitals) return false;
      any = true;
    } else if (u_isUUppercase(c)) {
      if (!capitals) return false;
      any = true;
    }
  }
  return any;
}
}  // namespace

bool AllCapitals(std::string_view text) { return AllOfCase(text, true); }
bool AllSmall(std::string_view text) { return AllOfCase(text, false); }

int64_t CountPhrase(std::string_view small_text, std::string_view phrase, bool inflected) {
  const std::string small = LowerCase(Trim(phrase));
  if (small.empty()) return 0;
  size_t first_end = 0;
  const UChar32 first = NextCharacter(small, &first_end);
  const UChar32 last = CharacterBefore(small, small.size());
  int64_t count = 0;
  for (size_t at = small_text.find(small); at != std::string_view::npos;) {
    const size_t end = at + small.size();
    const UChar32 before = CharacterBefore(small_text, at);
    bool whole = !IsWordCharacter(first) || StandsAlone(first) || !IsWordCharacter(before) ||
                 StandsAlone(before);
    if (IsWordCharacter(last) && !StandsAlone(last)) {
      int more = 0;
      for (size_t next = end; next < small_text.size() && more <= kInflectionMax; ++more) {
        const UChar32 c = NextCharacter(small_text, &next);
        if (!IsWordCharacter(c) || StandsAlone(c)) break;
      }
      whole = whole && more <= (inflected ? kInflectionMax : 0);
    }
    if (whole) ++count;
    at = small_text.find(small, whole ? end : at + 1);
  }
  return count;
}

}  // namespace assay
