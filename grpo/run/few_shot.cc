#include "grpo/run/few_shot.h"

#include <string>

#include "core/text.h"

namespace assay {

void ShowExamples(const std::vector<Message>& examples, const DataSpec& spec, Problem* problem) {
  if (!problem->messages.empty()) {
    const bool system = problem->messages[0].role == "system";
    problem->messages.insert(problem->messages.begin() + (system ? 1 : 0), examples.begin(),
                             examples.end());
    return;
  }
  std::string shown;
  for (const Message& turn : examples) {
    if (turn.role == "assistant")
      StrAppend(&shown, turn.content, "\n\n");
    else
      StrAppend(&shown, spec.prompt_prefix, turn.content, spec.prompt_suffix);
  }
  problem->prompt.insert(0, shown);
}

}  // namespace assay
