// The `code` verifier: finds the program in each reply, runs it in the sandbox, and lets the row's tests decide. Tests that
// call functions go through the judge (sandbox/sandbox.h, Judge), standard streams are compared here. Equal programs of one
// group are judged once. Safe from many threads; the sandbox must outlive it. The row's keys: contracts in docs/code.md.
#pragma once

#include <memory>

#include "core/json.h"
#include "core/result.h"
#include "verifiers/verifier.h"

namespace assay {

std::vector<OptionInfo> CodeOptionInfos();

// Reasons: ok; no_code, syntax_error, compile_error, entry_point_missing, wrong_answer, exception, early_exit, protocol_error,
// output_limit, cpu_limit, wall_limit, memory_limit, process_limit, disk_limit, policy, signal, nonzero_exit, worker_lost
// (fail); gold_* (fault: the row's tests are wrong); sandbox_fault (fault: ours). Evidence: "failing" (the first test that
// failed: test, input, expected, got), "passed", "total", "program_line", "exception".
Result<std::unique_ptr<Verifier>> MakeCodeVerifier(const Json& options, const VerifierEnv& env);

}  // namespace assay
