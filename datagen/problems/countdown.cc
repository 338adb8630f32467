// countdown: numbers and a target that some arithmetic over all of them reaches.
#include <algorithm>

#include "core/text.h"
#include "datagen/problems/kinds.h"

namespace assay {

// Level L: L + 2 numbers. The target comes out of a random way through them, so that there always is one.
DrawnProblem DrawCountdown(int64_t level, std::string_view language, Rng* rng) {
  DrawnProblem problem;
  problem.task = "countdown";
  const int64_t count = level + 2;
  const int64_t highest = level < 3 ? 20 : 99;
  std::vector<int64_t> numbers;
  int64_t value = 0;
  std::string expression;
  do {
    numbers.clear();
    problem.steps.clear();
    value = DrawBetween(1, highest, rng);
    numbers.push_back(value);
    expression = StrCat(value);
    for (int64_t i = 1; i < count; ++i) {
      const int64_t number = DrawBetween(1, highest, rng);
      numbers.push_back(number);
      const uint64_t way = rng->Below(value * number <= 300 ? 5 : 4);
      const int64_t next = way == 4
                               ? value * number
                               : (way < 2 || value <= number ? value + number : value - number);
      const char sign = next == value + number ? '+' : (next == value - number ? '-' : '*');
      expression = sign == '*' && i > 1 ? StrCat("(", expression, ")*", number)
                                        : StrCat(expression, sign, number);
      problem.steps.push_back(StrCat(value, sign, number, "=", next));
      value = next;
    }
  } while (value < 2 || value > 999);
  problem.answer = expression;
  std::vector<int64_t> sorted = numbers;
  std::sort(sorted.begin(), sorted.end());
  Json list = Json::MakeArray();
  std::string shown;
  for (int64_t number : sorted) {
    list.Append(number);
    StrAppend(&shown, shown.empty() ? "" : ", ", number);
  }
  problem.content = StrCat(shown, "=", value);
  problem.verification_info.Set("numbers", std::move(list)).Set("target", value);
  const char* text =
      language == "zh"
          ? "用{numbers}这些数，每个恰好用一次，通过+、-、*、/和括号得到{target}。请写出算式。"
          : "Use each of the numbers {numbers} exactly once, with +, -, *, / and brackets, to make "
            "{target}. Write the expression.";
  problem.prompt = FillIn(text, {{"numbers", shown}, {"target", StrCat(value)}});
  return problem;
}

}  // namespace assay
