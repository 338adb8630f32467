// TrainingRun: what surrounds a trainer's loop, the same for both trainers: the folder and the checkpoint that a run goes on from, the
// policy, held-out problems and the threads that score, counters, log, evaluation, saving, time limit and interruption. Order of calls:
//   Join -> Open -> SetUpRewards -> Begin -> (GoesOn -> [LearningRate -> CountStep -> Log] -> BetweenSteps) ... -> Finish, or GiveUp
// With several processes the first one writes, evaluates and speaks; the others follow.
// It knows nothing of losses or of what a step is made of. One thread.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "core/types.h"
#include "grpo/config/run_spec.h"
#include "grpo/learn/learner.h"
#include "grpo/learn/optimizer.h"
#include "grpo/learn/processes.h"
#include "grpo/rollout/reward_pool.h"
#include "grpo/run/memory_plan.h"
#include "grpo/run/run_log.h"
#include "grpo/run/run_setup.h"
#include "verifiers/rubric.h"

namespace assay {

// What is counted through a run and kept in its checkpoints.
struct RunCounters {
  int64_t step = 0;               // optimiser steps
  int64_t drawn = 0;              // problems or rows drawn
  double tokens = 0;              // tokens trained on
  int64_t skipped = 0;            // steps that were not finite
  double best = -1;               // highest held-out pass@1 so far; -1: none
  std::deque<double> null_rates;  // GRPO: of the last ten steps
};

class TrainingRun {
 public:
  // The spec outlives the run.
  TrainingRun(const TrainSpec& spec, const TrainEnv& env) : spec_(spec), env_(env) {}
  TrainingRun(const TrainingRun&) = delete;
  TrainingRun& operator=(const TrainingRun&) = delete;

  // Meets the other processes of the run, if there are any. Errors: Processes::FromEnvironment's.
  Status Join();
  Processes* processes() { return processes_.get(); }
  // Between processes: ok if all are, else the error of the first that is not. Also tells all of an interrupt of one.
  Status Together(Status mine);

  // Makes the run's folder, or finds the checkpoint to go on from; loads or makes the policy. Errors: OpenRunFolder's, SetUpPolicy's.
  Status Open(const Json& recipe);
  // The rubric with threads that score, and held-out problems where the recipe evaluates.
  Status SetUpRewards();
  // Takes up the checkpoint, opens the log and evaluates where nothing is learned yet. `label` names the progress line; the optimiser and
  // the reference (or null) are the learner's and outlive the run.
  Status Begin(const std::string& label, int64_t total_steps, AdamW* optimizer,
               const Model* reference);

  // False at the end: all steps done, a held-out score or the time reached, or an interrupt. With a gradient `pending` time does not end it.
  bool GoesOn(bool pending = false);
  // Of the step that comes next.
  double LearningRate() const { return LearningRateAt(schedule_, at.step); }
  void CountStep(const StepOutcome& outcome, double tokens);
  // Writes the step's values when it is time to, and shows `note` in the progress line.
  Status Log(const NamedValues& values, const std::string& note);
  // With no gradient pending: evaluates and saves when it is time to.
  Status BetweenSteps();
  // A checkpoint to go on from and, unless interrupted, DIR/model. A gradient that waits for its step is dropped: the checkpoint is of
  // where it was zero, and its draws are made again.
  Result<TrainSummary> Finish();
  // The loop ended with an error: saves what was learned, and returns the error with where it is. Before the first step there is
  // nothing to save, and the folder is free again.
  Error GiveUp(Error error);

  bool done() const { return at.step >= total_; }
  int64_t steps_left() const { return total_ - at.step; }
  bool interrupted() const { return interrupted_ || Interrupted(env_); }
  // Three steps in a row were not finite: the trainer gives up.
  bool diverged() const { return skipped_in_row_ >= 3; }
  // Since the last step ended (or what came after it: evaluation, saving).
  double StepSeconds() const;
  // The values that every step has, in the log's order. `epoch_size`: draws of one epoch.
  NamedValues StepValues(const StepOutcome& outcome, double learning_rate,
                         int64_t epoch_size) const;

  const TrainSpec& spec() const { return spec_; }
  const TrainEnv& env() const { return env_; }
  // On a GPU: kUnavailable where the plan does not fit into what is free; a note where it fits by less than its error.
  Status CheckFits(const MemoryPlan& plan) const;
  PolicySetup& setup() { return setup_; }
  // The policy with whole weights, to be written: gathered onto the first process's CPU where they are shared out (all processes call
  // together, the others get nothing); with frozen weights in 8 bits, the adapter beside the weights that model.path has.
  Result<Model> WholePolicy() const;
  // After SetUpRewards.
  const RubricSpec& rubric() const { return rubric_->spec(); }
  RewardPool& pool() { return *pool_; }

  RunCounters at;  // `drawn` and `null_rates` are the trainer's to move

 private:
  using Clock = std::chrono::steady_clock;
  Result<std::string> OpenFolder(const Json& recipe);
  Status OpenLog(const std::string& label, int64_t metrics_bytes);
  Result<NamedValues> EvaluateTogether();
  Status TakeUp(AdamW* optimizer, const Model* reference, int64_t* metrics_bytes);
  Status CheckHeldOut();
  Status EvaluateNow();
  Status KeepBest();
  Status ReplaceBest(const Model& whole) const;
  bool HoldsWholeWeights() const { return setup_.policy.source == nullptr; }
  Status SaveResult(const Model& whole, const std::string& folder) const;
  Status SaveResultTogether(const std::string& folder) const;
  void TellDiskUse() const;
  void TellPath() const;
  Status Save();
  Status SaveModelAlone();
  Status SaveAll();
  bool Crossed(int64_t every, int64_t last) const {
    return every > 0 && at.step / every > last / every;
  }

  const TrainSpec& spec_;
  TrainEnv env_;
  std::unique_ptr<Processes> processes_;
  Json recipe_;
  std::string checkpoint_;  // to go on from; "" to start
  RunCounters
      settled_;  // where last no gradient was pending: what a checkpoint holds unless a step came after
  PolicySetup setup_;
  std::vector<Problem> held_out_;
  std::shared_ptr<const Rubric> rubric_;
  std::optional<RewardPool> pool_;
  std::unique_ptr<RunLog> log_;
  Schedule schedule_;
  AdamW* optimizer_ = nullptr;
  const Model* reference_ = nullptr;
  int64_t total_ = 0, saved_at_ = 0, evaluated_at_ = 0, skipped_in_row_ = 0;
  bool stopped_ = false;
  bool interrupted_ = false;  // another process was
  Clock::time_point begun_, step_started_;
  TrainSummary summary_;
};

}  // namespace assay
