// The `timing` verifier: what a program that passes the row's tests costs beside the row's `reference`, or beside the cheapest of its
// group: CPU time, memory, or the bytecodes that Python executes. Scores come in levels (contest.h). Thread-safe; the sandbox must
// outlive it.
#pragma once

#include <memory>

#include "verifiers/verifier.h"

namespace assay {

std::vector<OptionInfo> TimingOptionInfos();

// Reasons: ok (any score: it passes the tests); not_counted, and all of the verifier `code` (fail); gold_* and sandbox_fault (fault).
// Evidence: "ratio", "level", "rounds", "cpu_ms" (or "memory_kib", "bytecodes") beyond what an empty program uses, and the
// anchor's, "reference_cpu_ms" or "fastest_cpu_ms".
Result<std::unique_ptr<Verifier>> MakeTimingVerifier(const Json& options, const VerifierEnv& env);

}  // namespace assay
