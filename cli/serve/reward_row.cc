#include "cli/serve/reward_row.h"

#include <utility>

#include "cli/serve/vet.h"
#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "core/text.h"

namespace assay {

Result<Group> RewardGroup(const ServeContext& context, Json row) {
  if (Status status = ToAssayRow("", &row); !status.ok()) return status.error();
  Result<Group> group = GroupFromJson(row);
  if (!group.ok()) return group;
  if (group->samples.size() != 1)
    return Error{ErrorCode::kInput, "the row has other completions of its own", ""};
  Problem& problem = group->problem;
  if (problem.task.empty() && context.default_rubric().terms.empty())
    problem.task = problem.verification_info.IsObject() ? "code" : "math";
  if (Status status = VetGroup(context.bounds(), context.default_rubric(), &*group); !status.ok())
    return status.error();
  return group;
}

Result<std::shared_ptr<const Rubric>> RewardRubric(const ServeContext& context) {
  return context.RubricFor(context.default_rubric());
}

std::string WhyNull(const GroupScore& score, bool* blames_row) {
  *blames_row = true;
  std::string why = "no verifier of the rubric is for this row";
  for (size_t t = 0; t < score.labels.size(); ++t) {
    const Verdict& verdict = score.samples[0].verdicts[t];
    if (verdict.outcome != Outcome::kFault && verdict.outcome != Outcome::kAbstain) continue;
    why = StrCat(score.labels[t], ": ", verdict.reason, verdict.detail.empty() ? "" : ": ",
                 verdict.detail);
    if (verdict.outcome != Outcome::kFault) continue;
    *blames_row = StartsWith(verdict.reason, "gold_");
    break;
  }
  return why;
}

}  // namespace assay
