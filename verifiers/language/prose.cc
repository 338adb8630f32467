#include "verifiers/language/prose.h"

#include <algorithm>
#include <string>

#include "core/text.h"

namespace assay {
namespace {

constexpr size_t kFormulaMax = 4000;  // bytes between two dollars
constexpr size_t kTagMax = 60;        // <tool_call name="search">

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsHighByte(char c) { return static_cast<unsigned char>(c) >= 0x80; }
// Bytes that begin letters of scripts without spaces: three bytes of UTF-8, from U+0E00 on.
bool BeginsWideLetter(std::string_view text, size_t at) {
  const auto c = static_cast<unsigned char>(text[at]);
  if (c < 0xE0 || c > 0xEF || at + 1 >= text.size()) return false;
  return c >= 0xE3 || (c == 0xE0 && static_cast<unsigned char>(text[at + 1]) >= 0xB8) ||
         (c == 0xE1 && static_cast<unsigned char>(text[at + 1]) >= 0x80);
}

// How many bytes of a line are letters, and how many of these stand in runs that read as a sentence: five words parted by single spaces,
// or six letters of a script without spaces.
struct Letters {
  size_t all = 0, in_sentences = 0;
};

Letters LettersOf(std::string_view line) {
  Letters out;
  size_t words = 0, run = 0, wide = 0;  // of the run that goes on
  const auto end_run = [&] {
    if (words >= 5 || wide >= 6) out.in_sentences += run;
    words = run = wide = 0;
  };
  for (size_t i = 0; i < line.size();) {
    size_t end = i, letters = 0;
    while (end < line.size() &&
           (IsLetter(line[end]) || IsHighByte(line[end]) || line[end] == '\'')) {
      if (BeginsWideLetter(line, end)) ++wide;
      ++letters;
      ++end;
    }
    if (letters > 0) {
      out.all += letters;
      run += letters;
      if (letters > 1) ++words;
      i = end;
      // A comma or a full stop and one space do not end a sentence's run.
      if (i < line.size() && (line[i] == ',' || line[i] == '.')) ++i;
      if (i < line.size() && line[i] == ' ') {
        ++i;
      } else {
        end_run();
      }
    } else {
      end_run();
      ++i;
    }
  }
  end_run();
  return out;
}

// Most of its letters stand in sentences.
bool ReadsAsProse(std::string_view region) {
  Letters sum;
  for (std::string_view line : SplitChar(region, '\n')) {
    const Letters one = LettersOf(line);
    sum.all += one.all;
    sum.in_sentences += one.in_sentences;
  }
  return sum.in_sentences * 10 > sum.all * 7;
}

class Cutter {
 public:
  explicit Cutter(std::string_view text) : text_(text), budget_(16 * text.size() + 100000) {}

  std::vector<std::string_view> Cut() {
    while (at_ < text_.size() && budget_ > 0) {
      const size_t found = text_.find_first_of("`~$\\<h", at_);
      if (found == npos) break;
      at_ = found;
      if (!Region()) ++at_;
    }
    at_ = text_.size();
    Keep(at_);
    return std::move(pieces_);
  }

 private:
  // Whatever begins at at_: false if nothing does.
  bool Region() {
    switch (text_[at_]) {
      case '`':
        return Fence('`') || Quoted();
      case '~':
        return Fence('~');
      case '$':
        return Starts("$$") ? Until("$$", "$$", 2 * kFormulaMax) : Dollars();
      case '\\':
        return Until("\\(", "\\)", kFormulaMax) || Until("\\[", "\\]", 2 * kFormulaMax) ||
               Environment() || Command();
      case '<':
        return Tag();
      default:
        return Address();
    }
  }

  bool Starts(std::string_view mark) const { return text_.substr(at_, mark.size()) == mark; }

  // The next `mark` from `from` on, before `limit`. What is looked through is bounded over the whole text: when that is spent, the rest
  // is prose.
  size_t Next(std::string_view mark, size_t from, size_t limit) {
    limit = std::min(limit, text_.size());
    const size_t found = from < limit ? text_.substr(0, limit).find(mark, from) : npos;
    const size_t looked = (found == npos ? limit : found) - std::min(from, limit);
    budget_ -= std::min(budget_, looked);
    return found;
  }

  void Keep(size_t end) {
    if (end > kept_) pieces_.push_back(text_.substr(kept_, end - kept_));
  }

  // Takes out [at_, end) unless what lies inside reads as prose.
  bool Take(size_t end, size_t open, size_t close) {
    const std::string_view inside = text_.substr(at_ + open, end - close - at_ - open);
    if (!ReadsAsProse(inside)) {
      Keep(at_);
      kept_ = end;
    }
    at_ = end;
    return true;
  }

  // A block between lines that begin with three marks or more; without a last one, all that follows.
  bool Fence(char mark) {
    const std::string marks(3, mark);
    if (!Starts(marks)) return false;
    // Nothing but marks of lists and quotes stands before it on its line.
    size_t before = at_;
    while (before > 0 && std::string_view(" \t>*-").find(text_[before - 1]) != npos) --before;
    if (before > 0 && text_[before - 1] != '\n') return false;
    const size_t first_line = std::min(text_.find('\n', at_), text_.size());
    for (size_t line = first_line; line < text_.size();) {
      const size_t next = line + 1;
      const size_t end = std::min(text_.find('\n', next), text_.size());
      if (StartsWith(Trim(text_.substr(next, end - next)), marks))
        return Take(end, first_line - at_, end - next);
      line = end;
    }
    return Take(text_.size(), first_line - at_, 0);
  }

  // `code` on one line.
  bool Quoted() {
    size_t marks = 0;
    while (at_ + marks < text_.size() && text_[at_ + marks] == '`') ++marks;
    const size_t line_end = std::min(Next("\n", at_, at_ + kFormulaMax), text_.size());
    const size_t close = Next(std::string(marks, '`'), at_ + marks, line_end);
    if (close == npos) return false;
    return Take(close + marks, marks, marks);
  }

  bool Until(std::string_view open, std::string_view close, size_t longest) {
    if (!Starts(open)) return false;
    const size_t end = Next(close, at_ + open.size(), at_ + longest);
    if (end == npos) return false;
    return Take(end + close.size(), open.size(), close.size());
  }

  // $..$ on one paragraph; $5 and $10 are prices: no space stands inside of the marks, no digit behind them.
  bool Dollars() {
    if (at_ + 1 >= text_.size() || text_[at_ + 1] == ' ' || text_[at_ + 1] == '\n') return false;
    const size_t limit = at_ + kFormulaMax;
    size_t end = Next("$", at_ + 1, limit);
    while (end != npos && text_[end - 1] == '\\') end = Next("$", end + 1, limit);
    if (end == npos || text_[end - 1] == ' ') return false;
    if (end + 1 < text_.size() && text_[end + 1] >= '0' && text_[end + 1] <= '9') return false;
    if (text_.substr(at_, end - at_).find("\n\n") != npos) return false;
    return Take(end + 1, 1, 1);
  }

  // \begin{align} .. \end{align}; lists and boxes of text stay.
  bool Environment() {
    static constexpr std::string_view kBegin = "\\begin{";
    if (!Starts(kBegin)) return false;
    const size_t name = at_ + kBegin.size();
    const size_t close = Next("}", name, name + 30);
    if (close == npos) return false;
    const std::string end_mark = StrCat("\\end{", text_.substr(name, close - name), "}");
    const size_t end = Next(end_mark, close, at_ + 4 * kFormulaMax);
    if (end == npos) return false;
    return Take(end + end_mark.size(), close + 1 - at_, end_mark.size());
  }

  // \frac{a}{b} without dollars: the command and its arguments, but a text's argument stays.
  bool Command() {
    size_t end = at_ + 1;
    while (end < text_.size() && IsLetter(text_[end])) ++end;
    if (end == at_ + 1) return false;
    const std::string_view name = text_.substr(at_ + 1, end - at_ - 1);
    while (!StartsWith(name, "text") && end < text_.size() &&
           (text_[end] == '{' || text_[end] == '[')) {
      const char close = text_[end] == '{' ? '}' : ']';
      const size_t last = Closing(end, close);
      if (last == npos) break;
      end = last + 1;
    }
    return Take(end, name.size() + 1, 0);
  }

  // Where the bracket at `open` ends, near by.
  size_t Closing(size_t open, char close) {
    int depth = 0;
    const size_t limit = std::min(text_.size(), open + 500);
    budget_ -= std::min(budget_, limit - open);
    for (size_t i = open; i < limit; ++i) {
      if (text_[i] == text_[open]) ++depth;
      if (text_[i] == close && --depth == 0) return i;
    }
    return npos;
  }

  bool Tag() {
    const size_t name = at_ + (Starts("</") ? 2 : 1);
    if (name >= text_.size() || !(IsLetter(text_[name]) || text_[name] == '|')) return false;
    const size_t end = text_.substr(0, at_ + kTagMax).find_first_of(">\n", name);
    if (end == npos || text_[end] != '>') return false;
    return Take(end + 1, 1, 1);
  }

  bool Address() {
    if (!Starts("http://") && !Starts("https://")) return false;
    size_t end = at_;
    while (end < text_.size() && text_[end] > ' ' && !IsHighByte(text_[end]) && text_[end] != ')')
      ++end;
    Keep(at_);
    kept_ = at_ = end;
    return true;
  }

  static constexpr size_t npos = std::string_view::npos;

  std::string_view text_;
  size_t budget_;
  size_t at_ = 0, kept_ = 0;
  std::vector<std::string_view> pieces_;
};

}  // namespace

std::vector<std::string_view> ProseOf(std::string_view text) { return Cutter(text).Cut(); }

}  // namespace assay
