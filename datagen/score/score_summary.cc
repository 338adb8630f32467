#include "datagen/score/score_summary.h"

namespace assay {

void ScoreRunSummary::Add(const ScoreRow& row) {
  rows += static_cast<int64_t>(row.lines.size());
  repairs.Add(row.repairs);
  if (row.bad) {
    ++bad_rows;
    return;
  }
  ++groups;
  bool varies = false;
  const Reward* first = nullptr;
  for (const SampleScore& sample : row.score.samples) {
    AddSample(row.score, sample);
    if (!sample.reward) continue;
    if (first == nullptr) first = &sample.reward;
    varies = varies || *sample.reward != **first;
  }
  if (!varies) ++zero_variance_groups;
}

void ScoreRunSummary::AddSample(const GroupScore& group, const SampleScore& sample) {
  ++samples;
  bool passes = true, fault = false;
  for (size_t t = 0; t < group.labels.size(); ++t) {
    const Verdict& verdict = sample.verdicts[t];
    terms[group.labels[t]].Add(verdict);
    passes = passes && (verdict.outcome == Outcome::kPass || verdict.outcome == Outcome::kAbstain);
    fault = fault || verdict.outcome == Outcome::kFault;
  }
  if (fault) ++faults;
  if (!sample.reward) {
    ++nulls;
    return;
  }
  ++scored;
  reward_sum += *sample.reward;
  if (passes) ++all_pass;
}

double ScoreRunSummary::PassShare() const {
  return scored > 0 ? static_cast<double>(all_pass) / static_cast<double>(scored) : 0;
}

Json ScoreRunSummary::ToJson() const {
  Json out = Json::MakeObject();
  out.Set("rows", rows)
      .Set("resumed", resumed)
      .Set("bad_rows", bad_rows)
      .Set("groups", groups)
      .Set("samples", samples);
  out.Set("scored", scored).Set("nulls", nulls).Set("faults", faults).Set("all_pass", all_pass);
  out.Set("reward_mean", scored > 0 ? Json(reward_sum / static_cast<double>(scored)) : Json());
  out.Set("zero_variance_groups", zero_variance_groups)
      .Set("seconds", seconds)
      .Set("interrupted", interrupted);
  out.Set("repairs", Json()
                         .Set("lone_surrogates", repairs.lone_surrogates)
                         .Set("nonfinite", repairs.nonfinite)
                         .Set("big_numbers", repairs.big_numbers)
                         .Set("invalid_utf8", repairs.invalid_utf8));
  Json list = Json::MakeObject();
  for (const auto& [label, tally] : terms) list.Set(label, tally.ToJson());
  out.Set("verifiers", std::move(list));
  for (const std::string& note : notes) {
    if (out.Find("notes") == nullptr) out.Set("notes", Json::MakeArray());
    out.Find("notes")->Append(note);
  }
  return out;
}

}  // namespace assay
