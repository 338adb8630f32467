// The `math` verifier: finds the final answer in each sample (extract.h), reads it and the gold (math.h), and decides
// whether they are the same. Gold answers are read once per group. Immutable after it was made, safe from many
// threads, no global state, no signals. Options and what counts as equal: docs/math.md.
#pragma once

#include <memory>

#include "core/json.h"
#include "core/result.h"
#include "verifiers/verifier.h"

namespace assay {

std::vector<OptionInfo> MathOptionInfos();

// Reasons: ok; wrong_value, undecided, no_answer, unparseable, limit_reached (fail); gold_missing, gold_unparseable, gold_limit,
// gold_bad_options (fault: the data set's error). Evidence: "extracted", "rule", "begin", "end" (bytes of the sample), "gold",
// "answer" (both as understood), "method" (exact | field | ball(P) | text), "note" where there is one.
Result<std::unique_ptr<Verifier>> MakeMathVerifier(const Json& options, const VerifierEnv& env);

}  // namespace assay
