// Rows of sampled groups as JSON: what `assay score` and the trainers read. Knows the two native shapes (a group
// with "completions", a flat sample with "completion") and the problem keys of the common code sets (HumanEval's
// "test" and "entry_point", MBPP's "test_list"), which become verification_info. Keys not understood are kept in
// Problem::extra. Pure; thread-safe. Rows of other layouts are made into these by core/rows/input_format.h.
#pragma once

#include "core/json.h"
#include "core/result.h"
#include "core/types.h"

namespace assay {

// Errors: kInput with a hint ("the row has neither 'completions' nor 'completion'", arrays of unequal length).
Result<Group> GroupFromJson(const Json& row);
// A problem without samples: the same keys less the completions.
Result<Problem> ProblemFromJson(const Json& row);
// Of all that decides a verdict on one of its samples: task, prompt, answers, verification_info, options. Not the id.
uint64_t JudgementHash(const Problem& problem);
// The row's id as it was written, text or number; null if there is none.
Json IdToJson(const Problem& problem);
// The superset line of our own ("Recommended group line"), from which GroupFromJson gives the same Group back.
Json GroupToJson(const Group& group);

}  // namespace assay
