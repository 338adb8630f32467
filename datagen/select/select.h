// Rejection sampling: which samples of a run are worth training on. Writes a data set into the store, each row with the
// decision that kept it, and counts what was dropped and why. Deterministic for a seed. A sample without a reward (a fault
// of ours, or nothing applied) is never selected. Uses the store of its caller's thread; memory: a few words for each
// sample that could be kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "datagen/store/store.h"

namespace assay {

struct SelectOptions {
  std::string strategy;  // one of SelectStrategies()
  std::string run;
  std::string dataset;
  bool replace = false;
  int64_t max_per_problem =
      0;  // all-correct: at most so many of one problem, drawn by `seed`; 0: all
  bool keep_duplicates = false;  // all-correct: keep samples of one problem with identical text
  // best-of-n: the least reward worth keeping; none: anything above 0.
  std::optional<double> min_reward;
  bool keep_failed = false;     // best-of-n: also where what decides did not pass (partial credit)
  bool drop_truncated = false;  // leave out replies that were cut off (finish_reason "length")
  uint64_t seed = 0;
  std::string tool_version;
};

struct SelectResult {
  DatasetId dataset = 0;
  bool run_finished = false;  // false: the run was still being written, or was interrupted
  int64_t problems = 0;       // in the run
  int64_t problems_kept = 0;  // with at least one kept sample
  int64_t samples = 0;
  int64_t kept = 0;
  // Every sample of the run is counted once: "kept", then why the others were not ("failed", "not_scored", ...).
  std::vector<std::pair<std::string, int64_t>> decisions;

  Json ToJson() const;
  std::string ToText() const;
};

// "all-correct": every sample that passes (no verdict but pass and abstain, at least one pass).
// "best-of-n": of each problem's samples that pass what decides, the one with the highest reward; ties go to the one that was not cut
// off, then to the shorter text, then to the earlier one. A term for form alone may earn a reward, it does not make an answer right: what
// decides is PassesWhatDecides.
// Samples belong to one problem if id, prompt, answer and verification_info are the same, over the whole run.
const std::vector<std::string>& SelectStrategies();

// Errors: kUsage for unknown names, options that do not fit the strategy, and a data set that exists (without `replace`).
Result<SelectResult> SelectSamples(Store* store, const SelectOptions& options);

// True if the sample counts as correct.
bool IsCorrect(const SampleScore& score);

// True if the terms that carry the reward pass: of those that did not abstain the ones of the greatest weight, and every gate; under the
// rule "product" all of them. `rubric` is a RubricSpec::ToJson(); a term that it does not list weighs 1.
bool PassesWhatDecides(const Json& rubric, const std::vector<std::string>& labels,
                       const SampleScore& score);

}  // namespace assay
