// samples.verdicts: what the verifiers said of one sample, as a JSON array of one array a term: label, outcome, score, reason, detail,
// evidence, ms, part. One column and no table of its own, since a row costs more to write than all that stands in it; the view
// `verdicts` gives it to SQL as a table. Pure functions; thread-safe. Part of Store.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "verifiers/rubric.h"

namespace assay {

// Appends nothing where there are no verdicts. `with_times` false: null for ms.
void AppendVerdictColumn(const std::vector<std::string>& labels, const SampleScore& score,
                         bool with_times, std::string* out);

// Fills in the verdicts and their parts, and `labels` where it is empty. kInput: not what AppendVerdictColumn writes, or of other terms
// than `labels`.
Status ReadVerdictColumn(std::string_view column, std::vector<std::string>* labels,
                         SampleScore* score);

}  // namespace assay
