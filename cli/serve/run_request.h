// What the families of clients that send programs share: files in and out, names of signals, what a run's end is called. Pure but for
// LimitsFor.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/serve/serve_context.h"
#include "core/json.h"
#include "core/types.h"
#include "sandbox/sandbox.h"

namespace assay {

// True for a path that stays below the folder that it is relative to.
bool StaysInside(std::string_view path);

// Limits for so many seconds and MiB within the server's bounds. CPU time as much as wall clock; `memory_mib` below 1: the most there is.
Limits LimitsFor(const ServeBounds& bounds, double run_seconds, double compile_seconds,
                 int64_t memory_mib);

// A bare program and the tests for it, as a row of the task `code`; the program is fenced so that nothing in it ends it.
Group ProgramGroup(const std::string& program, Json verification_info);

// True where time ran out.
bool IsTimeout(Cause cause);
// The signal that ended the program, sent by us or not; 0: none did.
int SignalOf(const RunResult& result);
// "SIGKILL"; "SIG34" for one without a name.
std::string SignalName(int number);
// Empty, or a sentence that says what the sandbox did to the program: cut its output, ended it for its memory.
std::string Remark(const RunResult& result, const Limits& limits);

}  // namespace assay
