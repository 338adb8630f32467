#include "datagen/score/score_summary.h"

#include <algorithm>

#include "core/text.h"

namespace assay {
namespace {

constexpr size_t kSuspectsKept = 20;
// One completion may fail for any reason; a row's own errors are faults already.
constexpr size_t kSuspectSamplesMin = 2;

// What a verdict says that may be the row's fault; empty if nothing.
std::string SuspicionOf(const Verdict& verdict) {
  if (verdict.outcome == Outcome::kFault && StartsWith(verdict.reason, "gold_"))
    return verdict.detail;
  if (verdict.outcome != Outcome::kFail) return "";
  return std::string(verdict.evidence.StringOr("suspect", ""));
}

// Of a line that was written with --keep-input; others do not say.
int64_t CutOffIn(const Json& line) {
  if (const Json* reasons = line.Find("finish_reasons"); reasons != nullptr && reasons->IsArray()) {
    return std::count(reasons->AsArray()->begin(), reasons->AsArray()->end(), Json("length"));
  }
  return line.StringOr("finish_reason", "") == "length" ? 1 : 0;
}

}  // namespace

void ScoreRunSummary::Suspect(const std::string& id, const std::string& label,
                              const std::vector<const Verdict*>& verdicts) {
  if (verdicts.empty()) return;
  const std::string reason = SuspicionOf(*verdicts[0]);
  const bool fault = verdicts[0]->outcome == Outcome::kFault;
  if (reason.empty() || (!fault && verdicts.size() < kSuspectSamplesMin)) return;
  if (!std::all_of(verdicts.begin(), verdicts.end(),
                   [&](const Verdict* verdict) { return SuspicionOf(*verdict) == reason; }))
    return;
  ++suspects;
  if (first_suspects.size() < kSuspectsKept)
    first_suspects.push_back({id, label, reason, static_cast<int64_t>(verdicts.size())});
}

void ScoreRunSummary::Add(const ScoreRow& row) {
  rows += static_cast<int64_t>(row.lines.size());
  repairs.Add(row.repairs);
  if (row.bad) {
    ++bad_rows;
    return;
  }
  ++groups;
  cut_off += row.cut_off;
  bool varies = false;
  const Reward* first = nullptr;
  for (const SampleScore& sample : row.score.samples) {
    AddSample(row.score, sample);
    if (!sample.reward) continue;
    if (first == nullptr) first = &sample.reward;
    varies = varies || *sample.reward != **first;
  }
  if (!varies) ++zero_variance_groups;
  for (size_t t = 0; t < row.score.labels.size(); ++t) {
    std::vector<const Verdict*> verdicts;
    for (const SampleScore& sample : row.score.samples) verdicts.push_back(&sample.verdicts[t]);
    Suspect(row.group.problem.id, row.score.labels[t], verdicts);
  }
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

void ScoreRunSummary::AddWrittenSample(const Json* verdicts, const Json* reward) {
  ++samples;
  ++resumed_samples;
  bool passes = true, fault = false;
  if (verdicts != nullptr && verdicts->IsObject()) {
    for (const Json::Member& member : *verdicts->AsObject()) {
      Verdict verdict;
      verdict.outcome =
          OutcomeFromName(member.value.StringOr("outcome", "")).value_or(Outcome::kFault);
      verdict.reason = member.value.StringOr("reason", "");
      terms[member.key].Add(verdict);
      passes =
          passes && (verdict.outcome == Outcome::kPass || verdict.outcome == Outcome::kAbstain);
      fault = fault || verdict.outcome == Outcome::kFault;
    }
  }
  if (fault) ++faults;
  if (reward == nullptr || !reward->IsNumber()) {
    ++nulls;
    return;
  }
  const double value = reward->NumberOr(0);
  ++scored;
  reward_sum += value;
  if (passes) ++all_pass;
  written_varies_ = written_varies_ || (written_reward_ && *written_reward_ != value);
  written_reward_ = value;
}

void ScoreRunSummary::SuspectWritten(const std::string& id, const Json::Array& samples) {
  std::map<std::string, std::vector<Verdict>> by_label;
  for (const Json& sample : samples) {
    if (!sample.IsObject()) continue;
    for (const Json::Member& member : *sample.AsObject()) {
      Verdict verdict;
      verdict.outcome =
          OutcomeFromName(member.value.StringOr("outcome", "")).value_or(Outcome::kAbstain);
      verdict.reason = member.value.StringOr("reason", "");
      verdict.detail = member.value.StringOr("detail", "");
      if (const Json* evidence = member.value.Find("evidence")) verdict.evidence = *evidence;
      by_label[member.key].push_back(std::move(verdict));
    }
  }
  for (const auto& [label, verdicts] : by_label) {
    std::vector<const Verdict*> all;
    for (const Verdict& verdict : verdicts) all.push_back(&verdict);
    Suspect(id, label, all);
  }
}

void ScoreRunSummary::AddWritten(const Json& line, bool begins) {
  if (line.Find("error") != nullptr || !line.IsObject()) {
    if (begins) ++bad_rows;
    return;
  }
  const Json* verdicts = line.Find("verdicts");
  const Json* rewards = line.Find("rewards");
  const bool flat = rewards == nullptr;
  const Json* id = line.Find("id");
  if (begins) {
    ++groups;
    ++zero_variance_groups;  // until two rewards differ
    written_reward_.reset();
    written_varies_ = false;
  }
  const bool varied = written_varies_;
  cut_off += CutOffIn(line);
  if (flat) {
    AddWrittenSample(verdicts, line.Find("reward"));
  } else if (rewards->IsArray()) {
    const Json::Array& all = *rewards->AsArray();
    const Json::Array* said = verdicts == nullptr ? nullptr : verdicts->AsArray();
    if (said != nullptr) SuspectWritten(id == nullptr ? "" : id->ScalarText(), *said);
    for (size_t i = 0; i < all.size(); ++i)
      AddWrittenSample(said != nullptr && i < said->size() ? &(*said)[i] : nullptr, &all[i]);
  }
  if (written_varies_ && !varied) --zero_variance_groups;
}

void ScoreRunSummary::AddStored(const ScoreRow& row) {
  const int64_t before = samples;
  Add(row);  // it has no lines, so that `rows` stays
  resumed_samples += samples - before;
}

double ScoreRunSummary::PassShare() const {
  return scored > 0 ? static_cast<double>(all_pass) / static_cast<double>(scored) : 0;
}

Json ScoreRunSummary::ToJson() const {
  Json out = Json::MakeObject();
  out.Set("rows", rows)
      .Set("resumed", resumed)
      .Set("resumed_samples", resumed_samples)
      .Set("bad_rows", bad_rows)
      .Set("groups", groups)
      .Set("samples", samples);
  out.Set("scored", scored).Set("nulls", nulls).Set("faults", faults).Set("all_pass", all_pass);
  out.Set("reward_mean", scored > 0 ? Json(reward_sum / static_cast<double>(scored)) : Json());
  out.Set("zero_variance_groups", zero_variance_groups)
      .Set("truncated", cut_off)
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
  if (suspects > 0) {
    Json rows_named = Json::MakeArray();
    for (const SuspectRow& row : first_suspects) {
      rows_named.Append(Json::MakeObject()
                            .Set("id", row.id)
                            .Set("verifier", row.label)
                            .Set("samples", row.samples)
                            .Set("reason", row.reason));
    }
    out.Set("suspects",
            Json::MakeObject().Set("rows", suspects).Set("first", std::move(rows_named)));
  }
  for (const std::string& note : notes) {
    if (out.Find("notes") == nullptr) out.Set("notes", Json::MakeArray());
    out.Find("notes")->Append(note);
  }
  return out;
}

}  // namespace assay
