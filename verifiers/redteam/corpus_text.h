// The text of datasets/redteam/*.jsonl, written by CMake.
#pragma once

namespace assay::redteam {
extern const char kCorpusText[];
}
