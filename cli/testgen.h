// The command `assay testgen`, for main.cc.
#pragma once

#include "cli/command.h"

namespace assay {

void AddTestgenCommand(CLI::App* app, Context* context);

}  // namespace assay
