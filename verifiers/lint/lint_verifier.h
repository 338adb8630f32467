// The `lint` verifier: what linters find in the program of a reply, whether or not it is right. Python by ruff, C and C++ by the
// compiler's warnings and cppcheck, JavaScript by node's parser; nothing is run. Findings in what the row put before the reply's own
// part do not count. Thread-safe.
#pragma once

#include <memory>

#include "verifiers/verifier.h"

namespace assay {

std::vector<OptionInfo> LintOptionInfos();

// Reasons: ok; lint_findings, no_code, syntax_error, lint_limit (fail); lint_language (abstain: no linter for it); lint_unavailable
// (fault: this machine lacks it). Evidence: "tool", "lines", "weight", "findings".
Result<std::unique_ptr<Verifier>> MakeLintVerifier(const Json& options, const VerifierEnv& env);

}  // namespace assay
