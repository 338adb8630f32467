// Evaluation on held-out problems: samples, scores and counts what passes. One thread beside the pool's.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "core/types.h"
#include "grpo/config/run_spec.h"
#include "grpo/rollout/reward_pool.h"
#include "grpo/run/run_log.h"
#include "grpo/run/run_setup.h"
#include "verifiers/rubric.h"

namespace assay {

// Of so many held-out problems the answers are kept, always the same ones.
inline constexpr size_t kKeptAnswers = 16;

// Samples and scores held-out problems with `model`, the policy in the dtype of the computation: {"eval/pass@1": .., "eval/pass@4": .., "eval/reward": .., "eval/mean_length": ..}.
// A sample passes if every verdict that applied is a pass (of terms that weigh nothing, none is asked); pass@k is the unbiased estimator (2107.03374).
// `answers`: a file for what the first kKeptAnswers problems were answered, a group a line with `rewards` and `passed`; "" for none.
Result<NamedValues> Evaluate(const Model& model, const PolicySetup& setup, const TrainSpec& spec,
                             const std::vector<Problem>& problems, const RubricSpec& rubric,
                             RewardPool* pool, const TrainEnv& env, const std::string& answers);

}  // namespace assay
