// One program against one row's tests, in the sandbox: by a tester for tests that call functions, by its standard streams else. No
// cache, no look at the row's reference; those are the verifiers' (code_verifier.h, timing.h). Thread-safe.
#pragma once

#include "sandbox/sandbox.h"
#include "verifiers/code/code_task.h"

namespace assay {

// The verdict, and what the program used. Never throws; a fault of ours is a verdict "sandbox_fault".
Judged JudgeProgram(const CodeTask& task, const CodeProgram& program, Sandbox* sandbox);
// The same with the bytecodes of a Python program counted and room for what that costs. Only a pass with `bytecodes` from 0 on means
// something.
Judged CountBytecodes(const CodeTask& task, const CodeProgram& program, Sandbox* sandbox);

}  // namespace assay
