// What a verifier needs of a row (task, prompt, answer, tests), from wherever the known data sets keep it. Says nothing of completions.
// Pure; thread-safe.
#pragma once

#include "core/json.h"

namespace assay {

// Sets `task`, `prompt`, `answer` and `verification_info` where the row lacks them; takes nothing away.
void FillProblem(Json* row);

}  // namespace assay
