// A rubric in words: what it does, what three made-up replies would earn, and where a sample's reward came from. For people; the
// texts may change. Pure; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "verifiers/rubric.h"

namespace assay {

// One sentence for each term, then for how they are joined; ends with a newline.
std::string RubricInWords(const RubricSpec& spec);

// Verdicts made up for `assay rubric check` on a row that the heaviest term without a gate is for: all pass; all pass but those of
// that term's verifier; none passes. Nothing is relative: a reply that passes counts as the shortest and the fastest.
struct MadeUpSample {
  std::string what;  // "fails 'math', passes the rest (a row where task is "math")"
  std::vector<Verdict> verdicts;
  Reward reward;
};
std::vector<MadeUpSample> MadeUpSamples(const RubricSpec& spec);

// What somebody who wrote this rubric should know: a reply that fails a gate earns more than one that passes it, a term that
// cannot change anything.
std::vector<std::string> RubricWarnings(const RubricSpec& spec);

// "reward 1.1", then a line for each term: its verdict and its part.
std::string RewardInWords(const RubricSpec& spec, const std::vector<std::string>& labels,
                          const SampleScore& sample);

}  // namespace assay
