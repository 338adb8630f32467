// Formulas in a text (`$..$`, `\(..\)`, `\[..\]`, environments) and what tells them from prose. Private to reply/; pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace assay::math {

// A formula longer than this is none.
inline constexpr size_t kMaxFormulaBytes = 4096;

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

// "sin", "floor", "pi": letters that are mathematics.
bool IsFunctionWord(std::string_view word);
// The name of a command whose group is words: \text, \mathrm, ..
bool IsTextCommand(std::string_view name);
// The text with the contents of \text and its like in place of these.
std::string WithoutTextCommands(std::string_view text);
// Behind a balanced {..} group at `at`; `at` itself if none closes before `end`.
size_t SkipGroup(std::string_view text, size_t at, size_t end);
size_t SkipLetters(std::string_view text, size_t at, size_t end);

}  // namespace assay::math
