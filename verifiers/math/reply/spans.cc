#include "verifiers/math/reply/spans.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>

#include "core/text.h"
#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/formulas.h"
#include "verifiers/math/reply/language_words.h"
#include "verifiers/math/reply/sentences.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

// One walk of ReadDirect.
class DirectWalk {
 public:
  DirectWalk(std::string_view text, size_t at, size_t end)
      : text_(text), begin_(at), at_(at), end_(end), formulas_(text, end) {}

  DirectSpan Run() {
    while (at_ < end_ && Step()) {
    }
    span_.doubted = span_.doubted || (pending_sign_ && good_ != 0);
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
    if (c == '-' && DashFollows()) return false;
    if (c == '(' || c == '[') ++depth_;
    if (c == ')' || c == ']') {
      if (depth_ == 0 && good_ != 0 && good_ < at_) return false;  // ":)"
      if (depth_ == 0 && c == ')' && begin_ > 0 && text_[begin_ - 1] == '(') return false;
      depth_ = std::max(0, depth_ - 1);
    }
    if (IsDigit(c) || Operator(c)) return Take(1, true);
    if (c == ',' || c == ';' || c == ':') return Take(1, false);
    if (c == '.') return Take(1, at_ + 1 < end_ && IsDigit(text_[at_ + 1]));
    if (c == '!' && HasAt(text_, at_, "!!!")) return false;  // no factorial, but emphasis
    if (c == '\'' && begin_ > 0 && text_[begin_ - 1] == '\'') return false;  // the closing quote
    if (c == '\'' && SuffixFollows()) return false;
    if (c == '%' || c == '!' || c == '\'') return good_ != 0 && Take(1, true);
    if (c == '<' && HasAt(text_, at_, "<<")) return StepNote();
    if (c == '<' && IsTag()) return false;
    if (c == '<' || c == '>' || c == '?') return c != '?' && Take(1, true);
    return StepWordOrSign();
  }

  static bool Operator(char c) {
    return std::string_view("+-*/=^_()[]{}|&~#").find(c) != kNone && c != '#';
  }

  // "42 (forty-two)", "7 (Confidence: 95%)": a bracket that begins with prose.
  bool IsRemark() const {
    if (good_ != 0 && at_ + 1 < end_ && static_cast<unsigned char>(text_[at_ + 1]) >= 0xE3)
      return true;
    if (good_ == 0 || !IsSpace(text_[at_ - 1])) return false;
    size_t word_end = at_ + 1;
    const std::string word = WordAt(text_, at_ + 1, end_, &word_end);
    if (OneOf(word, "qed", "done", "answer", "final", "exact", "correct", "verified", "exactly",
              "total"))
      return true;
    return word.size() >= 3 && word_end < end_ && text_[word_end] != ')' && !IsFunctionWord(word) &&
           !OneOf(word, "mod", "wrong", "incorrect", "maybe", "perhaps", "possibly", "if");
  }

  // "<b>", "</p>"
  bool IsTag() const {
    size_t i = at_ + 1;
    if (i < end_ && text_[i] == '/') ++i;
    const size_t name = i;
    i = SkipLetters(text_, i, std::min(end_, i + 10));
    return i > name && i < end_ && text_[i] == '>';
  }

  // "72 -- done", "72 - as required": a dash that prose follows is no minus sign.
  bool DashFollows() const {
    if (good_ == 0 || !IsSpace(text_[at_ - 1])) return false;
    size_t next = at_;
    while (next < end_ && (text_[next] == '-' || IsSpace(text_[next]))) ++next;
    if (next > at_ + 1 && text_[at_ + 1] == '-' && next < end_ && !IsDigit(text_[next]))
      return true;
    size_t word_end = next;
    const std::string word = WordAt(text_, next, end_, &word_end);
    return word.size() >= 2 && IsSpace(text_[next - 1]) && !IsFunctionWord(word);
  }

  // Whether anything but blanks and emphasis stands between the value and `at_`.
  bool Separated() const {
    for (size_t i = good_; i < at_; ++i) {
      if (!IsSpace(text_[i]) && text_[i] != '*' && text_[i] != '`' && text_[i] != '~' &&
          text_[i] != '"')
        return true;
    }
    return false;
  }

  // "15'tir": letters glued to a value by an apostrophe; a prime is followed by at most one letter.
  bool SuffixFollows() const {
    size_t word_end = at_ + 1;
    return WordAt(text_, at_ + 1, end_, &word_end).size() >= 2 &&
           static_cast<unsigned char>(text_[at_ + 1]) < 0xE0;
  }

  bool Take(size_t size, bool good) {
    at_ += size;
    if (good) {
      span_.unit = 0;
      good_ = at_;
      unit_words_ = 0;
      pending_connector_ = pending_or_ = false;
      pending_sign_ = false;
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
    if (word == "rather" && WordIs(text_, SkipSpace(text_, word_end, end_), end_, "than"))
      return false;  // "19 rather than 20"
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
    if (IsConnector(word) && good_ != 0 && !glued && !IsVariable(word_end)) {
      at_ = word_end;
      pending_connector_ = true;
      pending_or_ = IsOr(word);
      if (pending_or_ && at_ < end_ && text_[at_] == ',')
        span_.doubted = true;  // "41 or, failing that, 40"
      if (const size_t part = PartEnd(at_)) return Take(part - at_, true);
      return true;
    }
    if (word.size() == 1 && IsLetter(text_[at_])) return StepLetter(word_end);
    if (IsFunctionWord(word)) {
      const size_t next = SkipSpace(text_, word_end, end_);
      // "the sum of these", "the sum, 57": prose about a value.
      if (WordIs(text_, next, end_, "of") || (word.size() > 2 && next < end_ && text_[next] == ','))
        return false;
      return Take(word_end - at_, true);
    }
    if (IsSignWord(word)) {
      pending_sign_ = true;
      return Take(word_end - at_, false);
    }
    if (IsMonth(word) && word_end < end_ && text_[word_end] == ' ')
      return Take(word_end - at_, true);
    if (good_ != 0 && OneOf(word, "maybe", "perhaps", "possibly", "if", "unless", "wrong",
                            "incorrect", "false")) {
      span_.doubted = true;
      return false;
    }
    if (good_ != 0 && IsAdversative(word)) {
      span_.turned = true;
      span_.resume = word_end;
      return false;
    }
    if (IsGreekLetter(word, word_end)) return Take(word_end - at_, true);
    // "8 to 11", "Rs. 45", "US$45"
    size_t next = SkipSpace(text_, word_end + (HasAt(text_, word_end, ".") ? 1 : 0), end_);
    if (next == word_end && HasAt(text_, next, "\\$")) next += 2;
    if (next == word_end && HasAt(text_, next, "$")) next += 1;
    const bool number = next > word_end && next < end_ && IsDigit(text_[next]);
    if (number && good_ != 0 && word == "to") return Take(word_end - at_, false);
    if (number && good_ == 0 && word.size() >= 2 &&
        CurrencyOf(text_.substr(at_, word_end - at_)) != 0)
      return Take(next - at_, false);
    return StepUnit(word, word_end);
  }

  // A single Greek letter that no word of prose follows: π/2.
  bool IsGreekLetter(const std::string& word, size_t word_end) const {
    if (word.size() != 2 || (static_cast<unsigned char>(word[0]) & 0xFE) != 0xCE) return false;
    const size_t next = SkipSpace(text_, word_end, end_);
    return next >= end_ || next == word_end ||
           (!IsLetter(text_[next]) && static_cast<unsigned char>(text_[next]) < 0x80);
  }

  // Behind "to": "the power", "the 8th", "the fourth power".
  bool IsPower(const std::string& next, size_t next_end) const {
    if (next != "the" && next != "a") return false;
    const size_t at = SkipSpace(text_, next_end, end_);
    if (at < end_ && IsDigit(text_[at])) return true;
    size_t ordinal_end = at;
    const std::string ordinal = WordAt(text_, at, end_, &ordinal_end);
    return ordinal == "power" || ordinal == "n" || EndsWith(ordinal, "th") ||
           WordIs(text_, SkipSpace(text_, ordinal_end, end_), end_, "power");
  }

  // Behind "and", the end of "a half", "a quarter", "one third": the rest of a number in words. 0: none.
  size_t PartEnd(size_t at) const {
    size_t one_end = at;
    size_t part_end = at;
    const std::string one = WordAt(text_, SkipSpace(text_, at, end_), end_, &one_end);
    const std::string part = WordAt(text_, SkipSpace(text_, one_end, end_), end_, &part_end);
    const bool named = OneOf(part, "half", "third", "quarter", "fourth", "fifth", "sixth",
                             "seventh", "eighth", "ninth", "tenth", "twelfth");
    if (OneOf(one, "medio", "media", "demi", "demie", "mezzo", "mezza", "meio", "meia", "halb",
              "pół", "yarım", "половина", "половиной"))
      return one_end;
    return OneOf(one, "a", "an", "one") && named ? part_end : 0;
  }

  // "8 or more", "8 at most", and the Japanese "or", behind which nothing is listed.
  bool IsBound(const std::string& word, size_t word_end) const {
    if (pending_connector_ && OneOf(word, "more", "less", "fewer", "greater", "higher", "so"))
      return true;
    if (pending_or_ && word == "not") return true;
    if (HasUnspacedOrAt(text_, at_)) return true;
    // "15 squared", "15 more than x"
    if (OneOf(word, "squared", "cubed", "factorial", "tens", "raised", "divided", "multiplied"))
      return true;
    const bool compares = OneOf(word, "more", "less", "fewer", "greater");
    if (word != "at" && !compares && !OneOf(word, "to", "over", "point")) return false;
    const size_t behind = SkipSpace(text_, word_end, end_);
    size_t next_end = word_end;
    const std::string next = WordAt(text_, behind, end_, &next_end);
    // "3 to the fourth", "3 to the power 8", "3 over 4", "3 point 5"
    if (word == "to") return IsPower(next, next_end);
    if (word == "over" || word == "point")
      return behind < end_ && (IsDigit(text_[behind]) || (word == "point" && next.size() >= 3));
    return compares ? next == "than" : next == "most" || next == "least";
  }

  // A letter that some language has as a word ("y", "o", "e", "a") is a variable where the text ends or a sign goes on.
  bool IsVariable(size_t word_end) const {
    if (word_end != at_ + 1) return false;
    const size_t next = SkipSpace(text_, word_end, end_);
    if (next >= end_ || text_[next] == '.') return true;
    if (next == word_end && static_cast<unsigned char>(text_[next]) >= 0x80) return true;
    if (text_[next] == '-' || text_[next] == '+')
      return next + 1 < end_ && (next == word_end || IsSpace(text_[next + 1]));
    return std::string_view("*/=^_)]}|,;!<>'").find(text_[next]) != kNone;
  }

  // A letter is a variable (or a choice), unless it is the article of a phrase.
  bool StepLetter(size_t word_end) {
    // "5:28 p.m."
    if (good_ != 0 && (text_[at_] == 'a' || text_[at_] == 'p') && HasAt(text_, word_end, ".m") &&
        !(word_end + 2 < end_ && IsLetter(text_[word_end + 2])))
      return Take(word_end + (HasAt(text_, word_end + 2, ".") ? 3 : 2) - at_, true);
    if (good_ != 0 && text_[at_] == 'a' && at_ >= 2 && text_[at_ - 1] == ' ' &&
        text_[at_ - 2] == '$')
      return false;  // "2,74 $ a .."
    if (word_end < end_ && text_[word_end] == ' ' &&
        (text_[at_] == 'a' || text_[at_] == 'A' || text_[at_] == 'I')) {
      size_t next_end = 0;
      const std::string next = WordAt(text_, word_end + 1, end_, &next_end);
      if (next.size() >= 2 && IsLetter(next[0]) && !IsStopWord(next) && !IsConnector(next) &&
          !IsFunctionWord(next))
        return false;
    }
    // "i.e.", "e.g."
    if (good_ != 0 && word_end + 1 < end_ && text_[word_end] == '.' &&
        IsLetter(text_[word_end + 1]))
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
           (next > word_end && IsLetter(text_[next]) && next + 1 < end_ &&
            IsLetter(text_[next + 1]));
  }

  // Up to three words right behind a value.
  bool StepUnit(const std::string& word, size_t word_end) {
    if (good_ == 0 || pending_connector_ || IsStopWord(word) || Separated() || ++unit_words_ > 3)
      return false;
    const bool foreign = static_cast<unsigned char>(word[0]) >= 0x80;
    if (EndsUnspacedUnit(word) || IsCopula(word) || IsNegation(word)) return false;
    const size_t verb = GluedVerbBytes(word);
    if (verb == word.size()) return false;
    if (foreign && unit_words_ == 1) span_.unit = at_;
    at_ = word_end;
    good_ = at_ - verb;
    return verb == 0;
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
  bool pending_or_ = false;
  bool pending_sign_ = false;  // "3 times" and then prose
  int depth_ = 0;              // of brackets
  DirectSpan span_;
};

}  // namespace

bool IsSpelledNumber(std::string_view text) {
  constexpr size_t kMost = 120;
  return text.size() <= kMost && ReadNumberPhrase(NormalizeWords(text)).has_value();
}

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
    if (first == begin || !(IsLetter(text[first - 1]) || text[first - 1] == '_')) return first;
    i = first;
  }
  return kNone;
}

}  // namespace assay::math
