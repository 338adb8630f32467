// Where an answer that begins here ends, and where the last number begins. Private to reply/; pure; it knows formulas and
// sentences (formulas.h, sentences.h), but neither rules nor values.
#pragma once

#include <cstddef>
#include <string_view>

namespace assay::math {

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
// "sixty-two thousand four hundred and fifty", "one and three quarters": a number in English words and nothing else.
bool IsSpelledNumber(std::string_view text);

DirectSpan ReadDirect(std::string_view text, size_t at, size_t end);

// Begin of the last number in text[begin, end) that is not glued to a letter before it, its sign and currency included; npos if none.
size_t LastNumberBegin(std::string_view text, size_t begin, size_t end);

}  // namespace assay::math
