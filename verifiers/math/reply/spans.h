// Where answers end: the lexical layer below extract.cc. It knows formulas (`$..$`, `\(..\)`, `\[..\]`, environments),
// sentences, markup and words, but neither rules nor values. All functions are pure and thread-safe; each looks at most
// at a bounded window behind its start, so callers that walk a text stay linear.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace assay::math {

// A formula longer than this is none.
inline constexpr size_t kMaxFormulaBytes = 4096;
// A sentence is cut after so many bytes.
inline constexpr size_t kMaxClauseBytes = 1024;

struct Formula {
  size_t begin = 0;  // of the opening delimiter
  size_t inner_begin = 0;
  size_t inner_end = 0;
  size_t end = 0;  // behind the closing delimiter
};

// Finds formulas from left to right. It remembers for which delimiters no closing one follows, so that a walk over a text
// full of opening ones stays linear.
class FormulaReader {
 public:
  explicit FormulaReader(std::string_view text, size_t end) : text_(text), end_(end) {}
  // True if a formula begins exactly at `at`. A `$` that is rather a currency sign ("$5 and $7") begins none.
  bool ReadAt(size_t at, Formula* formula);

 private:
  bool ReadDelimited(size_t at, size_t open_size, std::string_view close, int memo,
                     Formula* formula);
  bool ReadInlineDollar(size_t at, Formula* formula);
  bool ReadEnvironment(size_t at, Formula* formula);

  std::string_view text_;
  size_t end_;
  size_t none_from_[4] = {std::string_view::npos, std::string_view::npos, std::string_view::npos,
                          std::string_view::npos};
};

// The number of runs of at least three letters outside commands and \text-like groups: what tells prose from formulas.
int CountWords(std::string_view text);

// Behind spaces, and behind markup that opens or closes emphasis or code (`**`, `_`, backticks, quotes).
size_t SkipSpace(std::string_view text, size_t at, size_t end);
size_t SkipMarkup(std::string_view text, size_t at, size_t end);

// The end of the sentence that `at` is in: at a newline, a full stop that is no decimal point, `!`, `?`, their CJK forms, or
// a chat token; formulas and brackets are jumped over. At most kMaxClauseBytes away.
size_t ClauseEnd(std::string_view text, size_t at, size_t end);
// The begin of the sentence that `at` is in, at most kMaxClauseBytes before.
size_t ClauseBegin(std::string_view text, size_t at, size_t begin);

// What one walk over an answer without prose around it found.
struct DirectSpan {
  size_t end = 0;          // 0: there is no answer at the start
  bool corrected = false;  // "4, no wait, .." follows: what was found does not stand
  bool turned = false;     // ", but .." follows: what was found stands unless another answer comes
  bool doubted =
      false;          // ", or maybe ..", "if ..", "(wrong)" follows: what was found is not asserted
  size_t resume = 0;  // where the correction goes on, if corrected
  size_t unit = 0;    // where a unit begins that only prose makes one (\"79 g\"); 0: none
};
// From `at`: formulas, numbers, operators, single letters and function names, joined by commas, "and" or "or", up to three words of
// a unit behind them; ends before prose or at `end`.
DirectSpan ReadDirect(std::string_view text, size_t at, size_t end);

// Begin of the last number in text[begin, end) that is not glued to a letter before it, its sign and currency included; npos if none.
size_t LastNumberBegin(std::string_view text, size_t begin, size_t end);

// Removes `<<..>>` calculator notes, emphasis and trailing punctuation; trims.
std::string CleanAnswer(std::string_view text);

// True if the word at `at` (letters, any case) is `word` (lower case ASCII).
bool WordIs(std::string_view text, size_t at, size_t end, std::string_view word);
// The word of letters and apostrophes at `at`, ASCII letters in lower case; empty if no letter stands there.
std::string WordAt(std::string_view text, size_t at, size_t end, size_t* word_end);

}  // namespace assay::math
