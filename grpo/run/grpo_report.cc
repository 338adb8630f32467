#include "grpo/run/grpo_report.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/text.h"
#include "grpo/learn/advantages.h"

namespace assay {
namespace {

constexpr size_t kNullRateSteps = 10;
constexpr int64_t kEqualRewardSteps = 20;

// completions/{mean,min,max}_length, of all rows and of those that ended by themselves.
void AddLengths(const GenerationBatch& batch, NamedValues* values) {
  double sum = 0, least = INFINITY, most = 0, rows = 0, cut = 0;
  double ended_sum = 0, ended_least = INFINITY, ended_most = 0;
  for (const RolloutGroup& group : batch.groups) {
    for (const RolloutRow& row : group.rows) {
      const auto length = static_cast<double>(row.completion.size());
      rows += 1, sum += length, least = std::min(least, length), most = std::max(most, length);
      cut += row.truncated;
      if (row.truncated) continue;
      ended_sum += length, ended_least = std::min(ended_least, length),
                           ended_most = std::max(ended_most, length);
    }
  }
  const double ended = rows - cut;
  values->emplace_back("completions/mean_length", sum / rows);
  values->emplace_back("completions/min_length", least);
  values->emplace_back("completions/max_length", most);
  values->emplace_back("completions/clipped_ratio", cut / rows);
  values->emplace_back("completions/mean_terminated_length", ended > 0 ? ended_sum / ended : 0);
  values->emplace_back("completions/min_terminated_length", ended > 0 ? ended_least : 0);
  values->emplace_back("completions/max_terminated_length", ended_most);
}

// sampling/age/{mean,max}: optimiser steps since the weights that sampled, over the groups of which they are known.
void AddAges(const GenerationBatch& batch, int64_t step, NamedValues* values) {
  double sum = 0, most = 0, known = 0;
  for (const RolloutGroup& group : batch.groups) {
    if (group.sampled_at < 0) continue;
    const auto age = static_cast<double>(step - group.sampled_at);
    sum += age, most = std::max(most, age), known += 1;
  }
  if (known == 0) return;
  values->emplace_back("sampling/age/mean", sum / known);
  values->emplace_back("sampling/age/max", most);
}

// rewards/<term>/{mean,std}: each verifier's own score, over the samples that it said something of. Groups may have terms of their
// own (their tasks decide).
void AddTermStats(const std::vector<ScoredGroup>& groups, NamedValues* values) {
  std::vector<std::pair<std::string, std::vector<Reward>>> columns;  // in the order of the terms
  for (const ScoredGroup& group : groups) {
    const std::vector<std::string>& labels = group.score.labels;
    for (size_t k = 0; k < labels.size(); ++k) {
      auto column = std::find_if(columns.begin(), columns.end(),
                                 [&](const auto& entry) { return entry.first == labels[k]; });
      if (column == columns.end()) column = columns.insert(columns.end(), {labels[k], {}});
      for (const SampleScore& sample : group.score.samples) {
        const Verdict& verdict = sample.verdicts[k];
        const bool said = verdict.outcome == Outcome::kPass || verdict.outcome == Outcome::kFail;
        column->second.push_back(said ? Reward(verdict.score) : Reward());
      }
    }
  }
  for (const auto& [label, column] : columns) {
    const RewardStats stats = StatsOf(column);
    values->emplace_back(StrCat("rewards/", label, "/mean"), stats.mean);
    values->emplace_back(StrCat("rewards/", label, "/std"), stats.std);
  }
}

// Why the first sample without a reward has none: " (problem 'p1': math gold_missing, the row has no reference answer)".
std::string FirstFault(const std::vector<ScoredGroup>& groups) {
  for (const ScoredGroup& group : groups) {
    for (const SampleScore& sample : group.score.samples) {
      if (sample.reward) continue;
      for (size_t k = 0; k < sample.verdicts.size(); ++k) {
        const Verdict& verdict = sample.verdicts[k];
        if (verdict.outcome == Outcome::kPass || verdict.outcome == Outcome::kFail) continue;
        const std::string term = k < group.score.labels.size() ? group.score.labels[k] + " " : "";
        return StrCat(" (problem '", Shorten(group.group.problem.id, 80), "': ", term,
                      verdict.reason, verdict.detail.empty() ? "" : ", ",
                      Shorten(verdict.detail, 200), ")");
      }
    }
  }
  return "";
}

// The batch that could not be learned from, for people: DIR/nonfinite_batch.jsonl.
Status DumpBatch(const std::string& folder, const Rollouts& rollouts) {
  std::string text;
  for (size_t g = 0; g < rollouts.groups.size(); ++g) {
    Json line = GroupToJson(rollouts.groups[g].group);
    Json rewards = Json::MakeArray(), advantages = Json::MakeArray(), ids = Json::MakeArray();
    for (const RolloutRow& row : rollouts.batch.groups[g].rows) {
      rewards.Append(row.reward ? Json(*row.reward) : Json());
      advantages.Append(row.advantage.value);
      Json tokens = Json::MakeArray();
      for (int64_t id : row.completion) tokens.Append(id);
      ids.Append(tokens);
    }
    line.Set("rewards", rewards).Set("advantages", advantages).Set("completion_ids", ids);
    text += line.Dump() + "\n";
  }
  return WriteFileAtomic((std::filesystem::path(folder) / "nonfinite_batch.jsonl").string(), text);
}

}  // namespace

double CountTokens(const GenerationBatch& batch) {
  double tokens = 0;
  for (const RolloutGroup& group : batch.groups) {
    for (const RolloutRow& row : group.rows)
      tokens += static_cast<double>(group.prompt.size() + row.completion.size());
  }
  return tokens;
}

Status GrpoReport::Open() {
  if (!recipe_.log_completions || !run_->processes()->first()) return {};
  Result<std::unique_ptr<SampleLog>> made =
      SampleLog::Open(run_->env().out, run_->rubric(), run_->env().tool_version);
  if (!made.ok()) return made.error();
  samples_ = std::move(*made);
  return {};
}

Status GrpoReport::Batch(const Rollouts& rollouts) {
  return samples_ == nullptr ? Status() : samples_->Add(run_->at.step + 1, rollouts);
}

Status GrpoReport::Step(const Rollouts& rollouts, const StepOutcome& outcome,
                        double learning_rate) {
  const GenerationBatch& batch = rollouts.batch;
  NamedValues values = run_->StepValues(outcome, learning_rate, epoch_size_);
  values.insert(values.end(), {{"reward", batch.stats.reward.mean},
                               {"reward_std", batch.stats.reward.std},
                               {"frac_reward_zero_std", batch.stats.frac_reward_zero_std},
                               {"null_rate", batch.null_rate}});
  AddTermStats(rollouts.groups, &values);
  AddLengths(batch, &values);
  if (recipe_.async_steps > 0 || !recipe_.train.server.url.empty())
    AddAges(batch, run_->at.step - 1, &values);
  values.insert(values.end(), outcome.metrics.begin(), outcome.metrics.end());
  if (recipe_.dynamic_sampling)
    values.emplace_back("dynamic_sampling/refused_groups", rollouts.refused);
  const double step_s = run_->StepSeconds();
  const double tokens_per_second = CountTokens(batch) / std::max(1e-9, step_s);
  values.insert(values.end(), {{"skipped_steps", static_cast<double>(run_->at.skipped)},
                               {"generation_time", rollouts.seconds},
                               {"step_time", step_s},
                               {"tokens_per_second", tokens_per_second}});
  const std::string note =
      StrCat("reward ", FixedDigits(batch.stats.reward.mean, 3), ", length ",
             FixedDigits(ValueOf(values, "completions/mean_length", 0), 1), ", kl ",
             FixedDigits(ValueOf(values, "kl", 0), 4), ", ",
             WithThousands(static_cast<int64_t>(tokens_per_second)), " tokens/s");
  if (Status status = run_->Log(values, note); !status.ok()) return status;
  if (Status status = CheckFinite(rollouts); !status.ok()) return status;
  RemarkEqualRewards(batch.stats.frac_reward_zero_std);
  return CheckNullRate(rollouts);
}

Status GrpoReport::CheckFinite(const Rollouts& rollouts) const {
  if (!run_->diverged()) return {};
  const std::string& folder = run_->env().out;
  if (run_->processes()->first()) {
    if (Status status = DumpBatch(folder, rollouts); !status.ok()) return status;
  }
  return Error{ErrorCode::kLimit,
               StrCat("three steps in a row were not finite (step ", run_->at.step,
                      "); the batch is in '", folder, "/nonfinite_batch.jsonl'"),
               "lower learning_rate"};
}

void GrpoReport::RemarkEqualRewards(double share) {
  equal_steps_ = share >= 1.0 ? equal_steps_ + 1 : 0;
  if (equal_steps_ != kEqualRewardSteps || !run_->env().note) return;
  run_->env().note(StrCat(
      "step ", run_->at.step, ": for ", kEqualRewardSteps,
      " steps the samples of every group have earned the same: nothing is learned. Are the "
      "problems too hard or too easy, is the reward right (log_completions = true shows it)?"));
}

Status GrpoReport::CheckNullRate(const Rollouts& rollouts) {
  std::deque<double>& rates = run_->at.null_rates;
  rates.push_back(rollouts.batch.null_rate);
  if (rates.size() > kNullRateSteps) rates.pop_front();
  double sum = 0;
  for (double rate : rates) sum += rate;
  if (rates.size() < kNullRateSteps || sum / kNullRateSteps <= recipe_.null_rate_stop) return {};
  return Error{ErrorCode::kLimit,
               StrCat("null_rate is ", FixedDigits(100 * sum / kNullRateSteps, 1),
                      " % over the last 10 steps: too many samples could not be scored",
                      FirstFault(rollouts.groups)),
               "look at the faults with log_completions = true, or raise null_rate_stop"};
}

}  // namespace assay
