// What OpenRLHF's, slime's and NeMo Gym's clients ask alike: one reward for one reply, by the server's own rubric. Rows are read as `assay score`
// reads them; where neither rubric nor row says what judges, rows with tests are `code`, all others `math`.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cli/serve/serve_context.h"
#include "core/json.h"
#include "core/result.h"

namespace assay {

// A reply without the marks of a text's end that trainers keep.
std::string_view WithoutEndMarks(std::string_view reply);
// The row of a reply and its label: the reference answer, or an object (or one as JSON text) with a row's keys.
Json LabelledRow(Json prompt, std::string_view reply, const Json& label);
// The row as a group of one sample, vetted.
Result<Group> RewardGroup(const ServeContext& context, Json row);
// The rubric to score such groups with.
Result<std::shared_ptr<const Rubric>> RewardRubric(const ServeContext& context);
// Why there is no reward: the first verdict that is no judgement. `blames_row`: the row is wrong, and asking again is no use.
std::string WhyNull(const GroupScore& score, bool* blames_row);

}  // namespace assay
