// What both trainers do before and beside their loops: the policy and its tokenizer, the rubric, sampling settings, the output
// folder and its resuming, the schedule. One thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "grpo/config/run_spec.h"
#include "grpo/learn/learner.h"
#include "grpo/learn/processes.h"
#include "grpo/model/model.h"
#include "grpo/rollout/generate.h"
#include "grpo/rollout/reward_pool.h"
#include "grpo/run/run_log.h"
#include "grpo/tokenizer/tokenizer.h"
#include "verifiers/verifier.h"

namespace assay {

// How a run meets the world.
struct TrainEnv {
  std::string out;  // folder of the run
  bool resume = false;
  bool progress = false;
  std::function<void(const std::string&)> note;  // sentences for the user; may be empty
  const std::atomic<bool>* interrupted =
      nullptr;  // set by a signal handler: the run saves and ends
  VerifierEnv verifiers;
  std::string tool_version;
};

struct TrainSummary {
  int64_t steps = 0;
  bool interrupted = false;
  bool speaks = true;      // false: another process of the run tells how it went
  std::string stopped_by;  // "steps", "max_seconds", "eval.stop_at", "interrupt"
  NamedValues last_eval;
};

struct PolicySetup {
  Model policy;  // float32 master weights on the device
  std::shared_ptr<const Tokenizer> tokenizer;
  Compute compute;
  int64_t eos_id = -1;
};
// From files or random. Errors: kInput, kUsage, kUnavailable naming what is wrong.
// `processes`, if not null and not alone, outlive the policy: each takes a GPU of its own of those that "cuda" means, and its share of
// the weights where the recipe shares them out.
Result<PolicySetup> SetUpPolicy(const TrainSpec& spec, Processes* processes = nullptr);
Result<std::shared_ptr<const Rubric>> SetUpRubric(const RewardConfig& config,
                                                  const VerifierEnv& env);
RewardPool::Options PoolOptions(const RewardConfig& config);
// The most tokens that a prompt may have: max_prompt_length, or what max_completion_length leaves of the model's positions. Errors: kUsage
// where it leaves none.
Result<int64_t> LongestPrompt(const TrainSpec& spec, const ModelConfig& config);
// What keeps problems from a reward, for people to hear before the first step: "8 of 40 problems have no reference (..)", no task where
// nothing else says who judges. "" if nothing does. Which verifiers read a reference goes by the recipe's rubric.
std::string UnjudgedNote(const RewardConfig& config, const std::vector<Problem>& problems,
                         const std::string& what);
// How the recipe draws completions, and the same with rows and interruption for our own sampler.
SamplingParams SamplingOf(const TrainSpec& spec);
GenerateOptions RolloutOptions(const TrainSpec& spec, const TrainEnv& env);

// Makes DIR, or finds the checkpoint to go on from ("" to start). Errors: kUsage when DIR holds a run and `resume` is off, or
// the recipe differs from DIR/recipe.json in what a resumed run may not change.
Result<std::string> OpenRunFolder(const TrainEnv& env, const Json& recipe);
// From then on DIR holds a run: writes DIR/recipe.json. Called when all that the recipe names could be read, so that a start that
// failed leaves a folder in which the mended recipe starts.
Status ClaimRunFolder(const TrainEnv& env, const Json& recipe);
// The run ended before its first step: DIR holds no run again.
void UnclaimRunFolder(const TrainEnv& env);

Schedule MakeSchedule(const OptimSpec& optim, int64_t total_steps);
double ValueOf(const NamedValues& values, const std::string& name, double fallback);
bool Interrupted(const TrainEnv& env);
}  // namespace assay
