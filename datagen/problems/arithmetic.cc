// arithmetic: sums of two-digit numbers, later longer ones and products, worked from left to right.
#include <algorithm>

#include "core/text.h"
#include "datagen/problems/kinds.h"

namespace assay {
namespace {

std::string Prompt(std::string_view language, const std::string& expression) {
  if (language == "zh") return StrCat("计算", expression, "。");
  const std::string_view word = language == "de"   ? "Berechne "
                                : language == "fr" ? "Calcule "
                                : language == "es" ? "Calcula "
                                                   : "Compute ";
  return StrCat(word, expression, ".");
}

}  // namespace

// Levels 1 to 4: so many operations on a number below 100, each with a number below 10. Levels 5 and 6: two and four with numbers
// below 100. Levels 7 and 8: a product and then sums, up to four digits. No value ever leaves 0 .. 99 (0 .. 9999 from level 7 on,
// but for the product).
DrawnProblem DrawArithmetic(int64_t level, std::string_view language, Rng* rng) {
  const bool large = level > 6;
  const int64_t operations = level <= 4 ? level : (level <= 6 ? 2 * (level - 4) : level - 4);
  const int64_t highest = large ? 9999 : 99, largest_step = large ? 4999 : (level > 4 ? 59 : 9);
  DrawnProblem problem;
  problem.task = "math";
  int64_t value = DrawBetween(large ? 100 : 10, large ? 999 : 89, rng);
  std::string expression = StrCat(value);
  for (int64_t i = 0; i < operations; ++i) {
    int64_t next = 0;
    if (large && i == 0) {
      const int64_t factor = DrawBetween(3, 29, rng);
      StrAppend(&expression, "*", factor);
      next = value * factor;
      problem.steps.push_back(StrCat(value, "*", factor, "=", next));
    } else {
      bool minus = rng->Below(2) == 0;
      if (value + largest_step > highest) minus = true;
      if (value < largest_step) minus = false;
      const int64_t room = minus ? value : std::max<int64_t>(2, highest - value);
      const int64_t step = DrawBetween(2, std::min(room, largest_step), rng);
      next = minus ? value - step : value + step;
      StrAppend(&expression, minus ? "-" : "+", step);
      problem.steps.push_back(StrCat(value, minus ? "-" : "+", step, "=", next));
    }
    value = next;
  }
  problem.content = expression;
  problem.answer = StrCat(value);
  problem.prompt = Prompt(language, expression);
  return problem;
}

}  // namespace assay
