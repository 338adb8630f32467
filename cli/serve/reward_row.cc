#include "cli/serve/reward_row.h"

#include <utility>

#include "cli/serve/vet.h"
#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr std::string_view kEndMarks[] = {"</s>",
                                          "<|im_end|>",
                                          "<|endoftext|>",
                                          "<|eot_id|>",
                                          "<|end_of_text|>",
                                          "<|eom_id|>",
                                          "<end_of_turn>",
                                          "<eos>",
                                          "<|end|>",
                                          "<|return|>",
                                          "<pad>",
                                          "<｜end▁of▁sentence｜>",
                                          "<|finetune_right_pad_id|>"};

}  // namespace

std::string_view WithoutEndMarks(std::string_view reply) {
  for (bool cut = true; cut;) {
    cut = false;
    for (std::string_view mark : kEndMarks) {
      const std::string_view trimmed = Trim(reply);
      if (!EndsWith(trimmed, mark)) continue;
      reply = trimmed.substr(0, trimmed.size() - mark.size());
      cut = true;
    }
  }
  return reply;
}

Json LabelledRow(Json prompt, std::string_view reply, const Json& label) {
  Json row = Json::MakeObject();
  const std::string* text = label.AsString();
  if (label.IsObject()) {
    row = label;
  } else if (text != nullptr && StartsWith(Trim(*text), "{")) {
    Result<Json> parsed = ParseJson(*text);
    if (parsed.ok() && parsed->IsObject()) row = std::move(*parsed);
  }
  if (row.AsObject()->empty() && !label.IsNull()) row.Set("answer", label);
  if (row.Find("prompt") == nullptr && !prompt.IsNull()) row.Set("prompt", std::move(prompt));
  row.Erase("completions");
  row.Set("completion", reply);
  return row;
}

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
