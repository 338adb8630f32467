// assay curve: what training runs logged over their steps. Single-threaded, as all commands.
#pragma once

#include "cli/command.h"

namespace assay {

void AddCurveCommand(CLI::App* app, Context* context);

}  // namespace assay
