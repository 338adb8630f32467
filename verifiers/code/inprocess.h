// Tests beside the program in one process, for test files that cannot be split from it (unittest, pytest-style functions,
// mock.patch inside of the candidate). Such a verdict can be forged by a program that sets out to: its evidence says
// "forgeable": true, and the verifier is not made with it unless told "accept_forgeable": true. Thread-safe.
#pragma once

#include "sandbox/sandbox.h"
#include "verifiers/code/code_task.h"

namespace assay {

Judged JudgeInProcess(const CodeTask& task, const CodeProgram& program, Sandbox* sandbox);

}  // namespace assay
