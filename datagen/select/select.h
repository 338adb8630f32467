// Rejection sampling: which samples of one or several runs are worth training on. Writes a data set into the store: each row with the
// decision that kept it, each sample that was left out with the reason. Deterministic for a seed. A sample without a reward (a fault of
// ours, or nothing applied) is never selected unless that is asked for. Uses the store of its caller's thread; memory: some 100 bytes a
// sample, 230 more where near duplicates are looked for.
//
// The stages, in this order, each over what the ones before it left:
//   filters       reward, verdicts, how the reply ended, length, patterns, language, repetition (sample_filter.h)
//   problems      the band of pass rates, votes
//   duplicates    identical texts, contamination, near duplicates
//   choice        the strategy's own: the best, the shortest, the most diverse, pairs, ...
//   bounds        of one problem, by balance, in all; then splits
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "datagen/select/correctness.h"
#include "datagen/select/select_options.h"
#include "datagen/store/store.h"

namespace assay {

struct SelectResult {
  DatasetId dataset = 0;
  std::vector<std::string> unfinished;  // runs that were still being written, or were interrupted
  int64_t problems = 0;                 // in the runs
  int64_t problems_kept = 0;            // with at least one kept row
  int64_t samples = 0;
  int64_t kept = 0;                                     // rows: samples, or pairs
  std::vector<std::pair<std::string, int64_t>> splits;  // rows of each, in the order given
  // Every sample is counted once: "kept" (both of a pair), then why the others were not ("failed", "not_scored", ...), in the order
  // in which that was decided.
  std::vector<std::pair<std::string, int64_t>> decisions;

  Json ToJson() const;
  std::string ToText() const;
  // The funnel: how many samples each stage took and left.
  std::string Explain() const;
};

// Errors: kUsage for unknown names, options that do not fit the strategy, and a data set that exists (without `replace`); what the
// filters need and cannot read.
Result<SelectResult> SelectSamples(Store* store, const SelectOptions& options);

}  // namespace assay
