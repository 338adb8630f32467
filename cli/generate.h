// assay generate into a store. Single-threaded, as all commands.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace assay {

// True if these words of `assay generate` name an endpoint or a command, rather than a model for assay-train.
bool GeneratesIntoStore(const std::vector<std::string>& words);
// Parses them, global options among them, and runs it; returns the exit code.
int RunGenerate(Context* context, std::vector<std::string> words);

}  // namespace assay
