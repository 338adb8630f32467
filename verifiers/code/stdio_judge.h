// Judging a program by its standard streams: what it prints for each input, compared here; by a special judge (`checker`); or
// in a conversation with the row's interactor, which runs in a box of its own. Expected outputs never enter the program's
// box. Thread-safe.
#pragma once

#include "sandbox/sandbox.h"
#include "verifiers/code/code_task.h"

namespace assay {

Judged JudgeByStreams(const CodeTask& task, const CodeProgram& program, Sandbox* sandbox);

}  // namespace assay
