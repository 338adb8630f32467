#include "datagen/problems/solution.h"

#include <vector>

#include "core/text.h"

namespace assay {
namespace {

struct Words {
  std::string_view language, first, then, wait, end, gap, answer, easy;
};

// `gap` stands between two sentences; {answer} is filled in.
constexpr Words kWords[] = {
    {"en", "First {step}", "Then {step}", "Wait, that is wrong", ".", " ",
     "The answer is {answer}.", "That is easy."},
    {"zh", "先算{step}", "再算{step}", "不对", "。", "", "答案是{answer}。", "这很容易。"},
    {"de", "Zuerst {step}", "Dann {step}", "Halt, das ist falsch", ".", " ",
     "Die Antwort ist {answer}.", "Das ist leicht."},
    {"fr", "D'abord {step}", "Puis {step}", "Attends, c'est faux", ".", " ",
     "La réponse est {answer}.", "C'est facile."},
    {"es", "Primero {step}", "Luego {step}", "Espera, está mal", ".", " ",
     "La respuesta es {answer}.", "Es fácil."},
};

const Words& WordsOf(std::string_view language) {
  for (const Words& words : kWords) {
    if (words.language == language) return words;
  }
  return kWords[0];
}

// A step with another result: "27+8=34" for "27+8=35"; "" for a step that is no equation.
std::string Slipped(const std::string& step, Rng* rng) {
  const size_t equals = step.find('=');
  if (equals == std::string::npos || equals + 1 == step.size()) return "";
  std::string slipped = step;
  char& digit = slipped.back();
  if (digit < '0' || digit > '9') return "";
  digit = static_cast<char>('0' + (digit - '0' + 1 + static_cast<int>(rng->Below(9))) % 10);
  return slipped;
}

// `slips`: one solution in eight has a slip that its writer notices.
std::string Reasoning(const DrawnProblem& problem, std::string_view language, bool mixed,
                      bool slips, Rng* rng) {
  std::string text;
  std::string_view gap;
  const auto say = [&](std::string_view Words::*sentence, const std::string& step) {
    const Words& words =
        mixed ? WordsOf(rng->Below(2) == 0 ? "en" : (language == "en" ? "zh" : language))
              : WordsOf(language);
    if (!text.empty()) text += gap.empty() ? words.gap : gap;
    text += FillIn(words.*sentence, {{"step", step}});
    text += words.end;
    gap = words.gap;
  };
  const size_t slip_at = slips && !problem.steps.empty() && rng->Below(8) == 0
                             ? rng->Below(problem.steps.size())
                             : problem.steps.size();
  for (size_t i = 0; i < problem.steps.size(); ++i) {
    const std::string slipped = i == slip_at ? Slipped(problem.steps[i], rng) : "";
    if (!slipped.empty()) {
      say(i == 0 ? &Words::first : &Words::then, slipped);
      say(&Words::wait, "");
    }
    say(i == 0 && slipped.empty() ? &Words::first : &Words::then, problem.steps[i]);
  }
  return text;
}

std::string Terse(const DrawnProblem& problem) {
  std::string text;
  for (const std::string& step : problem.steps) StrAppend(&text, text.empty() ? "" : " ", step);
  return text;
}

// People answer at once nearly as often as they show their work, and those who show it write as they please, seldom without a word.
SolutionStyle DrawStyle(Rng* rng) {
  const uint64_t drawn = rng->Below(20);
  if (drawn < 9) return SolutionStyle::kDirect;
  if (drawn < 13) return SolutionStyle::kWorked;
  if (drawn < 14) return SolutionStyle::kTerse;
  return SolutionStyle::kMixed;
}

}  // namespace

std::string WriteSolution(const DrawnProblem& problem, std::string_view language,
                          SolutionStyle style, bool tags, Rng* rng) {
  const bool natural = style == SolutionStyle::kNatural;
  if (natural) {
    style = DrawStyle(rng);
    tags = rng->Below(5) < 3;
  }
  const Words& words = WordsOf(language);
  // Behind tags the answer stands alone; without them a sentence says that it is one.
  const std::string answer = !problem.program.empty()
                                 ? StrCat("```python\n", problem.program, "```")
                             : tags ? problem.answer
                                    : FillIn(words.answer, {{"answer", problem.answer}});
  std::string reasoning;
  if (style == SolutionStyle::kDirect)
    reasoning = tags ? std::string(words.easy) : "";
  else if (style == SolutionStyle::kTerse)
    reasoning = Terse(problem);
  else
    reasoning = Reasoning(problem, language, style == SolutionStyle::kMixed, natural, rng);
  if (tags) return StrCat("<think>", reasoning, "</think>\n", answer);
  return reasoning.empty() ? answer : StrCat(reasoning, "\n", answer);
}

}  // namespace assay
