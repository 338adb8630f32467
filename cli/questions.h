// What the command line and the server ask of rubrics in the same words: one answer against one gold, and options that are given for
// verifiers by name. Pure functions; thread-safe.
#pragma once

#include <string>

#include "core/json.h"
#include "core/result.h"
#include "core/types.h"
#include "verifiers/rubric.h"

namespace assay {

// One term that asks `verifier`. Both sides of a check are answers, not whole replies: `math` reads them bare unless `options` say
// another mode.
RubricSpec CheckRubric(const std::string& verifier, Json options);
// The group of one answer. `gold`: a text, a list of answers any of which counts, or (for `code`, where text is read as JSON) the
// verification_info. Errors: kUsage.
Result<Group> CheckGroup(const std::string& verifier, const Json& gold, const std::string& answer);

// {"math": {"mode": "bare"}}: over the options of the terms of those verifiers. Errors: kUsage.
Status ApplyOptions(const Json& by_verifier, RubricSpec* spec);

}  // namespace assay
