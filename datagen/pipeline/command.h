// Runs one command of a pipeline: this program or its sibling assay-train, its output appended to a log. The child dies with us, so
// that a killed pipeline leaves nobody writing behind it. One thread; single-threaded callers only, for it forks.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "core/result.h"

namespace assay {

struct CommandResult {
  int exit_code = -1;
  std::string tail;  // the last lines that it said
};

// `interrupted`: set by a signal handler; the child is told by SIGTERM and waited for. Errors: kIo, kUnavailable.
Result<CommandResult> RunCommand(const std::vector<std::string>& argv, const std::string& log,
                                 const std::atomic<bool>* interrupted);

}  // namespace assay
