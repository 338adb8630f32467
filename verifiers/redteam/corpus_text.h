// The text of datasets/redteam/*.jsonl, written by CMake.
#pragma once

#include <string_view>

namespace assay::redteam {
extern const std::string_view kCorpusText;
}
