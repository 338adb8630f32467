// `assay-train .. --processes N`: the program started N times beside itself, as torchrun would, one process a GPU.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace assay {

// Starts `count` processes of this program with these words and an environment that makes them one run (grpo/learn/processes.h), waits
// for them and gives the exit code of the first that failed, or kExitOk. When one fails the others are ended; an interrupt goes to
// all, and they end in good order.
int RunProcesses(Context* context, int count, const std::vector<std::string>& words);

}  // namespace assay
