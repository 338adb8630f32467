// What a verifier needs of a row (task, prompt, answer, tests), from wherever the known data sets keep it. Says nothing of completions.
// Pure; thread-safe.
#pragma once

#include "core/json.h"
#include "core/result.h"

namespace assay {

// Sets `id`, `task`, `prompt`, `answer`, `options` and `verification_info` where the row lacks them. Takes nothing away but `messages`
// that became the prompt.
void FillProblem(Json* row);
// kInput for tests that are there and cannot be read: pickles, which run what they hold.
Status CheckTests(const Json& row);

}  // namespace assay
