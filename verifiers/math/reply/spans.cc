#include "verifiers/math/reply/spans.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>

namespace assay::math {
namespace {

constexpr size_t kNone = std::string_view::npos;

bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool HasAt(std::string_view text, size_t at, std::string_view piece) {
  return text.size() >= at && text.substr(at, piece.size()) == piece;
}

bool OneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The code point at `at` and the bytes it takes; ill-formed bytes are U+FFFD, one byte.
UChar32 CodePointAt(std::string_view text, size_t at, size_t* size) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const int32_t length = static_cast<int32_t>(std::min(text.size() - at, size_t{4}));
  int32_t i = 0;
  UChar32 c = 0;
  U8_NEXT(bytes + at, i, length, c);
  *size = static_cast<size_t>(std::max(i, 1));
  return c < 0 ? 0xFFFD : c;
}

bool IsFunctionWord(std::string_view word) {
  return OneOf(word,
               {"sin",   "cos",  "tan",   "cot", "sec",   "csc", "arcsin", "arccos", "arctan",
                "sinh",  "cosh", "tanh",  "log", "ln",    "exp", "sqrt",   "cbrt",   "abs",
                "floor", "ceil", "gcd",   "lcm", "max",   "min", "mod",    "pi",     "infinity",
                "inf",   "oo",   "union", "cup", "binom", "det", "sum",    "int",    "frac"});
}

// Signs that are written as words; an answer goes on behind them.
bool IsSignWord(std::string_view word) {
  return OneOf(word, {"minus", "negative", "plus", "times"});
}

// A date begins with its month.
bool IsMonth(std::string_view word) {
  return OneOf(word, {"january", "february", "march", "april", "may", "june", "july", "august",
                      "september", "october", "november", "december"});
}

bool IsConnector(std::string_view word) {
  return OneOf(word, {"and", "or", "y", "o", "et", "ou", "und", "oder", "или", "и", "e"});
}

bool IsCorrection(std::string_view word) {
  return OneOf(word, {"wait", "no", "nope", "actually", "sorry", "oops", "correction", "rather"});
}

// Words behind which an answer's unit has ended and prose goes on.
bool IsStopWord(std::string_view word) {
  return OneOf(
      word, {"because", "since",  "for",   "when",  "where", "which", "that",  "so",        "as",
             "if",      "in",     "at",    "on",    "by",    "with",  "from",  "after",     "is",
             "are",     "was",    "were",  "has",   "have",  "had",   "but",   "not",       "then",
             "to",      "using",  "given", "until", "while", "thus",  "hence", "therefore", "i",
             "we",      "it",     "he",    "she",   "they",  "the",   "this",  "every",     "each",
             "will",    "more",   "left",  "who",   "whose", "of",    "into",  "than",      "parce",
             "car",     "porque", "weil",  "donc",  "à",     "pour",  "de",    "で",        "と",
             "だ",      "的"});
}

// Behind a balanced {..} group at `at`; `at` itself if none closes before `end`.
size_t SkipGroup(std::string_view text, size_t at, size_t end) {
  int depth = 0;
  const size_t stop = std::min(end, at + kMaxFormulaBytes);
  for (size_t i = at; i < stop; ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return at;
}

size_t SkipLetters(std::string_view text, size_t at, size_t end) {
  while (at < end && IsAsciiLetter(text[at])) ++at;
  return at;
}

bool IsTextCommand(std::string_view name) {
  return OneOf(name, {"text", "mathrm", "textbf", "textit", "mbox", "operatorname", "textrm",
                      "mathbf", "textnormal", "mathit"});
}

}  // namespace

bool FormulaReader::ReadAt(size_t at, Formula* formula) {
  if (at + 1 >= end_) return false;
  if (text_[at] == '$') {
    if (text_[at + 1] == '$') return ReadDelimited(at, 2, "$$", 0, formula);
    return ReadInlineDollar(at, formula);
  }
  if (text_[at] != '\\') return false;
  if (text_[at + 1] == '(') return ReadDelimited(at, 2, "\\)", 1, formula);
  if (text_[at + 1] == '[') return ReadDelimited(at, 2, "\\]", 2, formula);
  if (HasAt(text_, at, "\\begin{")) return ReadEnvironment(at, formula);
  return false;
}

bool FormulaReader::ReadDelimited(size_t at, size_t open_size, std::string_view close, int memo,
                                  Formula* formula) {
  if (at >= none_from_[memo]) return false;
  const size_t inner = at + open_size;
  const size_t found = text_.substr(0, end_).find(close, inner);
  if (found == kNone) {
    none_from_[memo] = at;
    return false;
  }
  if (found - inner > kMaxFormulaBytes) return false;
  // An inline formula does not span lines.
  if (memo == 1 && text_.substr(inner, found - inner).find('\n') != kNone) return false;
  *formula = {at, inner, found, found + close.size()};
  return true;
}

bool FormulaReader::ReadInlineDollar(size_t at, Formula* formula) {
  const size_t stop = std::min(end_, at + 1 + kMaxFormulaBytes);
  size_t i = at + 1;
  for (; i < stop && text_[i] != '$' && text_[i] != '\n'; ++i) {
    if (text_[i] == '\\') ++i;
  }
  if (i >= stop || text_[i] != '$' || i == at + 1) return false;
  // "$5 and $7": the second sign belongs to what follows it. Prose between two signs: both are currency.
  if (i + 1 < end_ && IsDigit(text_[i + 1])) return false;
  const std::string_view inner = text_.substr(at + 1, i - at - 1);
  if (CountWords(inner) >= 2 && inner.find('\\') == kNone) return false;
  *formula = {at, at + 1, i, i + 1};
  return true;
}

bool FormulaReader::ReadEnvironment(size_t at, Formula* formula) {
  const size_t name_end = SkipGroup(text_, at + 6, end_);
  if (name_end == at + 6 || at >= none_from_[3]) return false;
  const std::string close = "\\end" + std::string(text_.substr(at + 6, name_end - at - 6));
  const size_t found =
      text_.substr(0, std::min(end_, name_end + kMaxFormulaBytes)).find(close, name_end);
  if (found == kNone) {
    if (text_.substr(0, end_).find("\\end{", name_end) == kNone) none_from_[3] = at;
    return false;
  }
  *formula = {at, at, found + close.size(), found + close.size()};
  return true;
}

int CountWords(std::string_view text) {
  int words = 0;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '\\') {
      const size_t name_end = SkipLetters(text, i + 1, text.size());
      const bool quoted = IsTextCommand(text.substr(i + 1, name_end - i - 1)) &&
                          name_end < text.size() && text[name_end] == '{';
      i = quoted ? std::max(SkipGroup(text, name_end, text.size()), name_end + 1)
                 : std::max(name_end, i + 2);
    } else if (IsAsciiLetter(text[i])) {
      const size_t word_end = SkipLetters(text, i, text.size());
      std::string word(text.substr(i, word_end - i));
      std::transform(word.begin(), word.end(), word.begin(),
                     [](char c) { return static_cast<char>(c | 0x20); });
      if (word.size() >= 3 && !IsFunctionWord(word)) ++words;
      i = word_end;
    } else {
      ++i;
    }
  }
  return words;
}

size_t SkipSpace(std::string_view text, size_t at, size_t end) {
  while (at < end && IsSpace(text[at])) ++at;
  return at;
}

size_t SkipMarkup(std::string_view text, size_t at, size_t end) {
  static constexpr std::array<std::string_view, 7> kMarks = {"“", "”", "«", "»", "「", "」", "∴"};
  for (;;) {
    while (at < end && (text[at] == ' ' || text[at] == '\t' || text[at] == '*' || text[at] == '`' ||
                        text[at] == '"' || text[at] == '\'' ||
                        (text[at] == '\\' && at + 1 < end && text[at + 1] == '"'))) {
      ++at;
    }
    if (at + 1 < end && text[at] == '_' && text[at + 1] == '_') {
      at += 2;
      continue;
    }
    const auto mark = std::find_if(kMarks.begin(), kMarks.end(),
                                   [&](std::string_view m) { return HasAt(text, at, m); });
    if (mark == kMarks.end() || at + mark->size() > end) return at;
    at += mark->size();
  }
}

size_t ClauseEnd(std::string_view text, size_t at, size_t end) {
  const size_t stop = std::min(end, at + kMaxClauseBytes);
  FormulaReader formulas(text, stop);
  Formula formula;
  for (size_t i = at; i < stop; ++i) {
    const char c = text[i];
    if ((c == '$' || c == '\\') && formulas.ReadAt(i, &formula)) {
      i = formula.end - 1;
    } else if (c == '\\') {
      ++i;
    } else if (c == '\n' || (c == '<' && HasAt(text, i, "<|"))) {
      return i;
    } else if (c == '.' || c == '!' || c == '?') {
      size_t after = i + 1;
      while (after < stop && (text[after] == '*' || text[after] == '"' || text[after] == '\'' ||
                              text[after] == ')'))
        ++after;
      const bool factorial = c == '!' && i > at && (IsDigit(text[i - 1]) || text[i - 1] == ')');
      if ((after >= end || IsSpace(text[after]) || text[after] == '<') &&
          !(factorial && after < end))
        return i;
    } else if (static_cast<unsigned char>(c) >= 0xE3 &&
               (HasAt(text, i, "。") || HasAt(text, i, "！") || HasAt(text, i, "？"))) {
      return i;
    }
  }
  return stop;
}

size_t ClauseBegin(std::string_view text, size_t at, size_t begin) {
  const size_t stop = at > begin + kMaxClauseBytes ? at - kMaxClauseBytes : begin;
  for (size_t i = at; i > stop; --i) {
    const char c = text[i - 1];
    if (c == '\n') return i;
    if ((c == '.' || c == '!' || c == '?') && i < text.size() && IsSpace(text[i])) return i;
    if (i >= 3 && HasAt(text, i - 3, "。")) return i;
  }
  return stop;
}

bool WordIs(std::string_view text, size_t at, size_t end, std::string_view word) {
  size_t word_end = at;
  return WordAt(text, at, end, &word_end) == word;
}

std::string WordAt(std::string_view text, size_t at, size_t end, size_t* word_end) {
  std::string word;
  size_t i = at;
  while (i < end && word.size() < 64) {
    const char c = text[i];
    if (IsAsciiLetter(c)) {
      word.push_back(static_cast<char>(c | 0x20));
      ++i;
    } else if ((c == '\'' && !word.empty() && i + 1 < end && IsAsciiLetter(text[i + 1]))) {
      word.push_back(c);
      ++i;
    } else if (!word.empty() && HasAt(text, i, "’")) {
      word.push_back('\'');
      i += 3;
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      size_t size = 1;
      const UChar32 point = CodePointAt(text, i, &size);
      const bool mark = !word.empty() && (U_GET_GC_MASK(point) & U_GC_M_MASK) != 0;
      if (!u_isalpha(point) && !mark) break;
      uint8_t lower[U8_MAX_LENGTH];
      int32_t length = 0;
      U8_APPEND_UNSAFE(lower, length, u_tolower(point));
      word.append(reinterpret_cast<const char*>(lower), static_cast<size_t>(length));
      i += size;
      // A script without spaces: every sign is a word of its own.
      if (point >= 0x3040 && point <= 0x9FFF) break;
    } else {
      break;
    }
  }
  *word_end = i;
  return word;
}

namespace {

// One walk of ReadDirect.
class DirectWalk {
 public:
  DirectWalk(std::string_view text, size_t at, size_t end)
      : text_(text), begin_(at), at_(at), end_(end), formulas_(text, end) {}

  DirectSpan Run() {
    while (at_ < end_ && Step()) {
    }
    span_.end = good_ == 0 ? 0 : Balanced(good_);
    return span_;
  }

 private:
  // Where the first bracket opens that does not close before `end` ("3 (that is, .."), or `end`.
  size_t Balanced(size_t end) const {
    size_t open[16];
    size_t depth = 0;
    for (size_t i = begin_; i < end; ++i) {
      const char c = text_[i];
      if (c == '(' || c == '[') {
        if (depth == std::size(open)) return end;
        open[depth++] = i;
      } else if ((c == ')' || c == ']') && depth > 0) {
        --depth;
      }
    }
    if (depth == 0 || open[0] == begin_ || text_[open[0] - 1] != ' ') return end;
    size_t cut = open[0];
    while (cut > begin_ && IsSpace(text_[cut - 1])) --cut;
    return cut;
  }

  // Takes one token; false: the answer is over.
  bool Step() {
    const char c = text_[at_];
    if (IsSpace(c)) {
      ++at_;
      return true;
    }
    if (c == '$' || c == '\\') return StepFormulaOrCommand();
    if (c == '(' && IsRemark()) return false;
    if (IsDigit(c) || Operator(c)) return Take(1, true);
    if (c == ',' || c == ';' || c == ':') return Take(1, false);
    if (c == '.') return Take(1, at_ + 1 < end_ && IsDigit(text_[at_ + 1]));
    if (c == '!' && HasAt(text_, at_, "!!!")) return false;  // no factorial, but emphasis
    if (c == '\'' && begin_ > 0 && text_[begin_ - 1] == '\'') return false;  // the closing quote
    if (c == '%' || c == '!' || c == '\'') return good_ != 0 && Take(1, true);
    if (c == '<' && HasAt(text_, at_, "<<")) return StepNote();
    if (c == '<' || c == '>' || c == '?') return c != '?' && Take(1, true);
    return StepWordOrSign();
  }

  static bool Operator(char c) {
    return std::string_view("+-*/=^_()[]{}|&~#").find(c) != kNone && c != '#';
  }

  // "42 (forty-two)", "7 (Confidence: 95%)": a bracket that begins with prose.
  bool IsRemark() const {
    if (good_ == 0 || !IsSpace(text_[at_ - 1])) return false;
    size_t word_end = at_ + 1;
    const std::string word = WordAt(text_, at_ + 1, end_, &word_end);
    return word.size() >= 3 && word_end < end_ && text_[word_end] != ')' && !IsFunctionWord(word) &&
           !OneOf(word, {"mod", "wrong", "incorrect", "maybe", "perhaps", "possibly", "if"});
  }

  bool Take(size_t size, bool good) {
    at_ += size;
    if (good) {
      span_.unit = 0;
      good_ = at_;
      unit_words_ = 0;
      pending_connector_ = false;
    }
    return true;
  }

  // `<<3*4=12>>`: skipped, and no part of the answer.
  bool StepNote() {
    const size_t close = text_.substr(0, std::min(end_, at_ + 256)).find(">>", at_);
    if (close == kNone) return Take(2, false);
    at_ = close + 2;
    return true;
  }

  bool StepFormulaOrCommand() {
    Formula formula;
    if (formulas_.ReadAt(at_, &formula)) return Take(formula.end - at_, true);
    if (text_[at_] == '$') {  // currency
      ++at_;
      if (good_ != 0 && good_ + 1 >= at_) good_ = at_;
      return true;
    }
    const size_t name_end = std::min(end_, std::max(SkipLetters(text_, at_ + 1, end_), at_ + 2));
    size_t after = name_end;
    if (IsTextCommand(text_.substr(at_ + 1, name_end - at_ - 1)))
      after = SkipGroup(text_, name_end, end_);
    return Take(after - at_, true);
  }

  bool StepWordOrSign() {
    size_t word_end = at_;
    const std::string word = WordAt(text_, at_, end_, &word_end);
    if (word.empty()) return StepSign();
    if (IsCorrection(word) && good_ != 0) {
      span_.corrected = true;
      span_.resume = word_end;
      return false;
    }
    if (word == "i" && good_ != 0) {
      size_t mean_end = word_end;
      if (WordAt(text_, SkipSpace(text_, word_end, end_), end_, &mean_end) == "mean") {
        span_.corrected = true;
        span_.resume = mean_end;
        return false;
      }
    }
    if (good_ != 0 && IsBound(word, word_end)) {
      span_.doubted = true;
      return false;
    }
    const bool glued = at_ > 0 && IsDigit(text_[at_ - 1]);
    if (IsConnector(word) && good_ != 0 && !glued) {
      at_ = word_end;
      pending_connector_ = true;
      return true;
    }
    if (word.size() == 1 && IsAsciiLetter(text_[at_])) return StepLetter(word_end);
    if (IsFunctionWord(word)) return Take(word_end - at_, true);
    if (IsSignWord(word)) return Take(word_end - at_, false);
    if (IsMonth(word) && word_end < end_ && text_[word_end] == ' ')
      return Take(word_end - at_, true);
    if (good_ != 0 && OneOf(word, {"maybe", "perhaps", "possibly", "if", "unless", "wrong",
                                   "incorrect", "false"})) {
      span_.doubted = true;
      return false;
    }
    if (good_ != 0 && word == "but") {
      span_.turned = true;
      span_.resume = word_end;
      return false;
    }
    return StepUnit(word, word_end);
  }

  // "8 or more", "8 at most", and the Japanese "or", behind which nothing is listed.
  bool IsBound(const std::string& word, size_t word_end) const {
    if (pending_connector_ && OneOf(word, {"more", "less", "fewer", "greater", "higher", "so"}))
      return true;
    for (const std::string_view either : {"または", "あるいは", "もしくは"}) {
      if (HasAt(text_, at_, either)) return true;
    }
    // "15 squared", "15 more than x"
    if (word == "squared" || word == "cubed") return true;
    const bool compares = OneOf(word, {"more", "less", "fewer", "greater"});
    if (word != "at" && !compares) return false;
    size_t next_end = word_end;
    const std::string next = WordAt(text_, SkipSpace(text_, word_end, end_), end_, &next_end);
    return compares ? next == "than" : next == "most" || next == "least";
  }

  // A letter is a variable (or a choice), unless it is the article of a phrase.
  bool StepLetter(size_t word_end) {
    if (good_ != 0 && text_[at_] == 'a' && IsSpace(text_[at_ - 1]) &&
        (word_end == end_ || text_[word_end] == '.' || text_[word_end] == ' ')) {
      return false;
    }
    if (word_end < end_ && text_[word_end] == ' ' &&
        (text_[at_] == 'a' || text_[at_] == 'A' || text_[at_] == 'I')) {
      size_t next_end = 0;
      const std::string next = WordAt(text_, word_end + 1, end_, &next_end);
      if (next.size() >= 2 && !IsStopWord(next) && !IsConnector(next)) return false;
    }
    // "i.e.", "e.g."
    if (good_ != 0 && word_end + 1 < end_ && text_[word_end] == '.' &&
        IsAsciiLetter(text_[word_end + 1]))
      return false;
    if (IsUnitLetter(word_end)) {
      const size_t unit = at_;
      const bool raised = HasAt(text_, word_end, "²") || HasAt(text_, word_end, "³") ||
                          HasAt(text_, word_end, "^2") || HasAt(text_, word_end, "^3");
      Take((raised ? word_end + 2 : word_end) - at_, true);
      span_.unit = unit;
      return true;
    }
    return Take(word_end - at_, true);
  }

  // "79 g", "5 m²", "5m²": a letter behind a number that prose, not algebra, has set there.
  bool IsUnitLetter(size_t word_end) const {
    if (at_ < 2 || std::string_view("gmsLhNJWV").find(text_[at_]) == kNone) return false;
    const bool raised =
        text_[at_] == 'm' && (HasAt(text_, word_end, "²") || HasAt(text_, word_end, "³") ||
                              HasAt(text_, word_end, "^2") || HasAt(text_, word_end, "^3"));
    if (IsDigit(text_[at_ - 1])) return raised;
    if (text_[at_ - 1] != ' ' || !IsDigit(text_[at_ - 2])) return false;
    size_t next = word_end;
    while (next < end_ && text_[next] == ' ') ++next;
    const bool over = next >= end_ || text_[next] == '.' || text_[next] == ',' ||
                      text_[next] == ';' || text_[next] == ')';
    return raised || over ||
           (next > word_end && IsAsciiLetter(text_[next]) && next + 1 < end_ &&
            IsAsciiLetter(text_[next + 1]));
  }

  // Up to three words right behind a value.
  bool StepUnit(const std::string& word, size_t word_end) {
    if (good_ == 0 || pending_connector_ || IsStopWord(word) || ++unit_words_ > 3) return false;
    const bool foreign = static_cast<unsigned char>(word[0]) >= 0x80;
    if (word == "不" || word == "而" || word == "并") return false;
    if (foreign && unit_words_ == 1) span_.unit = at_;
    at_ = word_end;
    good_ = at_;
    return true;
  }

  bool StepSign() {
    size_t size = 1;
    const UChar32 point = CodePointAt(text_, at_, &size);
    const int8_t type = u_charType(point);
    if (u_isdigit(point) || type == U_MATH_SYMBOL || type == U_CURRENCY_SYMBOL ||
        type == U_OTHER_NUMBER)
      return Take(size, true);
    if (type == U_SPACE_SEPARATOR || type == U_FORMAT_CHAR || type == U_DASH_PUNCTUATION ||
        point == 0xB0) {
      at_ += size;
      if (point == 0xB0) good_ = at_;
      return true;
    }
    if (HasAt(text_, at_, "，") || HasAt(text_, at_, "、") || HasAt(text_, at_, "；"))
      return Take(size, false);
    if (HasAt(text_, at_, "（") || HasAt(text_, at_, "）")) return Take(size, true);
    return false;
  }

  std::string_view text_;
  size_t begin_;
  size_t at_;
  size_t end_;
  FormulaReader formulas_;
  size_t good_ = 0;
  int unit_words_ = 0;
  bool pending_connector_ = false;
  DirectSpan span_;
};

}  // namespace

DirectSpan ReadDirect(std::string_view text, size_t at, size_t end) {
  return DirectWalk(text, at, end).Run();
}

size_t LastNumberBegin(std::string_view text, size_t begin, size_t end) {
  size_t i = end;
  while (i > begin) {
    while (i > begin && !IsDigit(text[i - 1])) --i;
    if (i == begin) return kNone;
    size_t first = i - 1;
    while (first > begin) {
      const char c = text[first - 1];
      const bool inside = (c == '.' || c == ',' || c == '/' || c == ':') && first >= 2 &&
                          first - 2 >= begin && IsDigit(text[first - 2]);
      const bool group = c == ' ' && first >= 2 && first - 2 >= begin && IsDigit(text[first - 2]) &&
                         first + 3 <= end && IsDigit(text[first]) && IsDigit(text[first + 1]) &&
                         IsDigit(text[first + 2]) &&
                         (first + 3 == end || !IsDigit(text[first + 3]));
      if (!IsDigit(c) && !inside && !group) break;
      --first;
    }
    if (first > begin && text[first - 1] == '.') --first;
    if (first > begin && (text[first - 1] == '$')) --first;
    if (first > begin && (text[first - 1] == '-' || text[first - 1] == '+') &&
        (first - 1 == begin || IsSpace(text[first - 2]) || text[first - 2] == '=' ||
         text[first - 2] == '(' || text[first - 2] == '$')) {
      --first;
    } else if (first >= begin + 3 && HasAt(text, first - 3, "−")) {
      first -= 3;
    }
    if (first == begin || !(IsAsciiLetter(text[first - 1]) || text[first - 1] == '_')) return first;
    i = first;
  }
  return kNone;
}

namespace {

// True if a digit stands before `begin` or at `end`, spaces aside.
bool TouchesDigit(std::string_view text, size_t begin, size_t end) {
  while (begin > 0 && text[begin - 1] == ' ') --begin;
  while (end < text.size() && text[end] == ' ') ++end;
  return (begin > 0 && IsDigit(text[begin - 1])) ||
         (end < text.size() && (IsDigit(text[end]) || text[end] == '.'));
}

}  // namespace

std::string CleanAnswer(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '<' && HasAt(text, i, "<<")) {
      const size_t close = text.substr(0, std::min(text.size(), i + 256)).find(">>", i);
      if (close != kNone) {
        i = close + 1;
        continue;
      }
    }
    if (text[i] == '*' && HasAt(text, i, "**")) {
      const bool power = i > 0 && i + 2 < text.size() && !IsSpace(text[i - 1]) &&
                         !IsSpace(text[i + 2]) && text[i + 2] != '*' && text[i - 1] != '*';
      if (!power) {
        ++i;
        continue;
      }
      out += "**";
      ++i;
      continue;
    }
    if (text[i] == '`') continue;
    if (HasAt(text, i, "\\$") && !TouchesDigit(text, i, i + 2)) {
      // Behind a value it is a unit, elsewhere a stray sign.
      const size_t before = out.find_last_not_of(' ');
      if (before != kNone && (out[before] == '}' || out[before] == ')')) out += "\\text{ dollars}";
      ++i;
      continue;
    }
    out.push_back(text[i]);
  }
  size_t begin = 0;
  size_t end = out.size();
  while (begin < end && (IsSpace(out[begin]) || out[begin] == ':')) ++begin;
  if (end >= 1 && out[end - 1] == '"') {
    --end;
    if (end >= 1 && out[end - 1] == '\\') --end;
  }
  while (end > begin && (IsSpace(out[end - 1]) || out[end - 1] == ',' || out[end - 1] == ';' ||
                         out[end - 1] == ':' ||
                         (out[end - 1] == '.' && !(end >= begin + 2 && out[end - 2] == '\\')))) {
    --end;
  }
  return out.substr(begin, end - begin);
}

}  // namespace assay::math
