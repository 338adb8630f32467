// Flags out of a table of options (core/options.h): an option `min_reward` is the flag --min-reward. The values are collected as the
// JSON object that Options::Read takes, so that types, ranges and errors are the table's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/options.h"

namespace CLI {
class App;
}

namespace assay {

// Lists may be given several times. `values` lives as long as the command.
void AddTableFlags(const std::vector<OptionInfo>& infos, const std::shared_ptr<Json>& values,
                   CLI::App* command);

}  // namespace assay
