// Few shots: turns of an example conversation in front of a problem that a model is asked. Pure; thread-safe. Without LibTorch.
#pragma once

#include <vector>

#include "core/types.h"
#include "grpo/config/run_spec.h"

namespace assay {

// Puts `examples` (a question and its answer, in turn) in front of the problem's own turns, behind a system prompt; in front of a plain prompt
// as text, each question between the words that `spec` puts around prompts and a blank line behind each answer. For problems that
// DressPrompt has dressed.
void ShowExamples(const std::vector<Message>& examples, const DataSpec& spec, Problem* problem);

}  // namespace assay
