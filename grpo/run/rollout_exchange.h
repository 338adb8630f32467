// A scored group as it goes from one process of a run to the others: its text, verdicts, tokens and rewards. Pure; thread-safe.
#pragma once

#include "core/json.h"
#include "core/result.h"
#include "grpo/learn/learner.h"
#include "grpo/run/scored_group.h"

namespace assay {

Json ExchangeForm(const ScoredGroup& text, const RolloutGroup& tokens);
// Gives back what ExchangeForm was given, but for advantages, which come later. Errors: kInput.
Status FromExchangeForm(const Json& json, ScoredGroup* text, RolloutGroup* tokens);

}  // namespace assay
