// What a client may not bring about by what it writes in a request: verifiers that start processes of the server's user, open
// connections or read files, and limits beyond the server's. A verifier that is not on the list here may be used only where whoever
// started the server named it (`--verifier`, `--rubric`), and with the options that stand there. Pure; thread-safe.
#pragma once

#include <string_view>

#include "cli/serve/serve_context.h"
#include "core/json.h"
#include "core/result.h"
#include "core/types.h"
#include "verifiers/rubric.h"

namespace assay {

// Verifiers that look at nothing but the row, or run what it says in the sandbox.
bool IsHarmless(std::string_view verifier);

// Limits in the terms' options are brought down to the server's. Errors: kUsage for a verifier that requests may not name.
Status VetRubric(const ServeBounds& bounds, RubricSpec* spec);
// Likewise for a row: its own limits, its task where no rubric says what judges, and options for verifiers that requests may not name. kInput
// for options of verifiers that do not exist.
Status VetGroup(const ServeBounds& bounds, const RubricSpec& spec, Group* group);

}  // namespace assay
