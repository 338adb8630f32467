// Tests of whole programs for testgen: what stands on standard input and what must come out. A test is JSON text, {"input", "output"}.
// All text of models is looked at in boxes. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "core/types.h"
#include "datagen/testgen/proposals.h"
#include "sandbox/sandbox.h"
#include "verifiers/code/code_task.h"

namespace assay::testgen {

// Whether a row asks for a whole program: its tests say so (their kind alone is looked at), or it names no function and its prompt speaks of
// standard input, or shows input and output.
bool AsksForProgram(const Problem& problem);

std::string StreamSource(const std::string& input, const std::string& output);
// As an entry of verification_info's test_cases; null where it is none.
Json StreamCase(const std::string& source);

// As Propose; `calls` are inputs, made up next to the prompt's examples and the replies'. Errors: kInternal where the box has a fault.
Result<Proposals> ProposeStreams(const Problem& problem, const std::vector<std::string>& replies,
                                 int64_t inputs, Sandbox* sandbox);

// What a program prints for each input, without white space at line ends; nothing where it printed nothing, failed or ran over a limit.
// `task` says its language and limits.
std::vector<std::optional<std::string>> ObserveStreams(const CodeTask& task,
                                                       const std::string& program,
                                                       const std::vector<std::string>& inputs,
                                                       Sandbox* sandbox);

}  // namespace assay::testgen
