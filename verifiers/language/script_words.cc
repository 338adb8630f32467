#include "verifiers/language/script_words.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include <cstdint>

namespace assay {
namespace {

constexpr size_t kWordBytesMax = 60;  // a longer run of letters is several words

bool IsAsciiLetter(UChar32 c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Of a letter; marks and what several scripts share have that of the letter before them.
int ScriptOf(UChar32 c, int before) {
  if (c < 0x80) return USCRIPT_LATIN;
  if (c >= 0x4E00 && c <= 0x9FFF) return USCRIPT_HAN;
  UErrorCode error = U_ZERO_ERROR;
  const int script = uscript_getScript(c, &error);
  if (script == USCRIPT_KATAKANA || c == 0x30FC) return USCRIPT_HIRAGANA;
  return script == USCRIPT_INHERITED || script == USCRIPT_COMMON ? before : script;
}

// Marks by which program text goes on: a_b, a.b, f(, @x, a/b.
bool TouchesCode(std::string_view text, size_t begin, size_t end) {
  const auto is_word = [&](size_t at) {
    const auto c = static_cast<unsigned char>(text[at]);
    return IsAsciiLetter(c) || (c >= '0' && c <= '9') || c == '_';
  };
  if (begin > 0) {
    const char c = text[begin - 1];
    if (c == '_' || c == '@' || c == '#' || (c >= '0' && c <= '9')) return true;
    if ((c == '.' || c == '/' || c == ':') && begin > 1 && is_word(begin - 2) &&
        text[begin - 2] != '_')
      return true;
  }
  if (end < text.size()) {
    const char c = text[end];
    if (c == '_' || c == '@' || (c >= '0' && c <= '9')) return true;
    if (c == '(' && end > begin)
      return end + 1 < text.size() && text[end + 1] != ' ' && text[end - 1] != ' ';
    if ((c == '.' || c == '/') && end + 1 < text.size() && is_word(end + 1)) return true;
  }
  return false;
}

class Splitter {
 public:
  Splitter(std::string_view text, bool fresh, std::vector<ScriptWord>* out)
      : text_(text), out_(out), clause_(fresh), sentence_(fresh) {}

  void Split() {
    const char* bytes = text_.data();
    const auto size = static_cast<int64_t>(text_.size());
    for (int64_t i = 0; i < size;) {
      const auto at = static_cast<size_t>(i);
      UChar32 c = 0;
      U8_NEXT(bytes, i, size, c);
      if (IsAsciiLetter(c)) {
        Letter(c, USCRIPT_LATIN, at, static_cast<size_t>(i));
      } else if (c >= 0 && c < 0x80) {
        EndWord(at);
        Mark(c);
      } else {
        Wide(c, at, static_cast<size_t>(i));
      }
    }
    EndWord(text_.size());
  }

 private:
  void Wide(UChar32 c, size_t at, size_t end) {
    const uint32_t kind = c < 0 ? 0 : U_GET_GC_MASK(c);
    // Soft hyphens and joiners do not part words.
    if ((kind & U_GC_CF_MASK) != 0) return;
    if ((kind & (U_GC_L_MASK | U_GC_M_MASK)) == 0) {
      EndWord(at);
      Mark(c);
      return;
    }
    if (in_word_ && (kind & U_GC_M_MASK) != 0) {
      AppendSmall(c);
      end_ = end;
      return;
    }
    Letter(c, ScriptOf(c, word_.script), at, end);
  }

  void Letter(UChar32 c, int script, size_t at, size_t end) {
    const bool without_spaces = CharactersInWord(script) > 0;
    if (in_word_ && (script != word_.script || (!without_spaces && end_ - begin_ > kWordBytesMax)))
      EndWord(at);
    if (!in_word_) {
      word_ = ScriptWord();
      word_.script = script;
      word_.small.assign(1, ' ');
      begin_ = at;
      small_seen_ = false;
      capitals_ = 0;
      in_word_ = true;
    }
    if (c >= 'a' && c <= 'z') {
      small_seen_ = true;
      word_.small.push_back(static_cast<char>(c));
    } else if (c >= 'A' && c <= 'Z') {
      if (small_seen_) word_.identifier = true;  // a capital inside: countAll, iPhone
      ++capitals_;
      word_.small.push_back(static_cast<char>(c + ('a' - 'A')));
    } else {
      if (u_isUUppercase(c)) {
        ++capitals_;
      } else {
        small_seen_ = true;
      }
      word_.accents = true;
      if (!without_spaces) AppendSmall(c);
    }
    ++word_.letters;
    end_ = end;
  }

  void AppendSmall(UChar32 c) {
    char bytes[U8_MAX_LENGTH];
    int32_t size = 0;
    U8_APPEND_UNSAFE(bytes, size, u_tolower(c));
    word_.small.append(bytes, static_cast<size_t>(size));
  }

  void EndWord(size_t) {
    if (!in_word_) return;
    in_word_ = false;
    word_.text = text_.substr(begin_, end_ - begin_);
    word_.small.append(8, ' ');
    const double in_word = CharactersInWord(word_.script);
    if (in_word > 0) {
      word_.weight = word_.letters / in_word;
    } else {
      word_.capital = capitals_ == 1 && small_seen_;
      word_.capitals = capitals_ > 1 && !small_seen_;
      if (!word_.identifier) word_.identifier = TouchesCode(text_, begin_, end_);
    }
    word_.clause_start = clause_;
    word_.sentence_start = sentence_;
    clause_ = sentence_ = false;
    out_->push_back(std::move(word_));
  }

  // What stands between words.
  void Mark(UChar32 c) {
    switch (c) {
      case ' ':
      case '-':
      case '\'':
      case '*':
      case 0x2019:  // the apostrophe of print
        return;
      case '\n':
      case '.':
      case '!':
      case '?':
      case ':':
      case 0x3002:  // ideographic full stop
      case 0xFF01:
      case 0xFF1F:
      case 0x0964:  // danda
      case 0x061F:
      case 0x00BF:
      case 0x00A1:
        sentence_ = true;
        break;
      default:
        break;
    }
    // A quotation or a bracket begins a sentence of its own.
    if (c == '"' || c == 0x201C || c == 0x201E || c == 0xAB || c == '(' || c == '[')
      sentence_ = true;
    clause_ = true;
  }

  std::string_view text_;
  std::vector<ScriptWord>* out_;
  ScriptWord word_;
  bool in_word_ = false, small_seen_ = false, clause_, sentence_;
  int capitals_ = 0;
  size_t begin_ = 0, end_ = 0;
};

}  // namespace

double CharactersInWord(int script) {
  switch (script) {
    case USCRIPT_HAN:
      return 1.6;
    case USCRIPT_HIRAGANA:
      return 2.0;
    case USCRIPT_THAI:
    case USCRIPT_LAO:
    case USCRIPT_KHMER:
    case USCRIPT_MYANMAR:
      return 4.5;
    default:
      return 0;
  }
}

std::vector<ScriptWord> ScriptWordsOf(const std::vector<std::string_view>& pieces) {
  std::vector<ScriptWord> words;
  bool fresh = true;
  for (std::string_view piece : pieces) {
    Splitter(piece, fresh, &words).Split();
    fresh = false;
  }
  return words;
}

}  // namespace assay
