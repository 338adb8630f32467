// Input formats: rows of sampled answers as other tools write them (open-r1, NeMo-Skills, OpenAI and vLLM batches, lm-eval,
// LiveCodeBench, EvalPlus, TRL, ShareGPT, ...) turned into rows of ours (core/rows/group_json.h), by their keys or by a name. What a row
// says beyond that is kept; only the key that held the completions goes. Pure functions, thread-safe. Not a reader of files: Parquet
// and JSON arrays are for others to unpack.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace assay {

// "auto", "assay" (ours, taken as it is) and the names of the others.
const std::vector<std::string>& InputFormats();

// Rewrites `row` in place. `format`: "" or "auto" goes by the keys (a row of no known format stays as it is). Errors: kUsage for an
// unknown name, kInput for a row that is not of the format named or whose request failed.
Status ToAssayRow(std::string_view format, Json* row);

}  // namespace assay
