// Stats: what is in a run or a data set, in numbers: how much passes, why the rest does not, how rewards spread, pass@k,
// lengths. Read-only, one pass, from one state of the store; memory: a few words a sample. As a struct, as JSON, as text.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "datagen/report/distribution.h"
#include "datagen/score/verdict_tally.h"
#include "datagen/store/store.h"

namespace assay {

struct PassAtK {
  int64_t k = 1;
  int64_t problems = 0;  // with at least k scored samples
  double value = 0;      // mean over them
};

// Of a run's samples, or of the samples that a data set keeps.
struct SampleStats {
  int64_t rows = 0;  // input rows with samples among these
  int64_t problems = 0;
  int64_t samples = 0;
  int64_t scored = 0;     // with a reward
  int64_t passed = 0;     // Deciders::Correct (datagen/select/correctness.h)
  int64_t faults = 0;     // with a fault among the verdicts
  int64_t truncated = 0;  // finish_reason "length"
  int64_t distinct_texts = 0;
  int64_t groups = 0;                // input rows with at least two scored samples
  int64_t zero_variance_groups = 0;  // of those, all rewards equal: no advantage to learn from
  std::map<std::string, VerdictTally> terms;  // by label
  Distribution reward;
  Distribution text_bytes;
  std::vector<PassAtK>
      pass_at_k;  // k = 1, 2, 4, .., 10, 100, .. up to the largest number of samples of one problem; runs only

  double pass_rate() const {
    return scored > 0 ? static_cast<double>(passed) / static_cast<double>(scored) : 0;
  }
};

struct RunStats {
  RunRecord run;
  int64_t bad_rows = 0;
  SampleStats samples;
  Json ToJson() const;
  std::string ToText() const;
};

struct DatasetStats {
  DatasetRecord dataset;
  std::string run;  // empty if made from none
  SampleStats samples;
  Json ToJson() const;
  std::string ToText() const;
};

// 1 - C(n - c, k) / C(n, k): the unbiased estimate of the chance that one of k samples is correct when c of n were (Chen et
// al. 2021, arXiv 2107.03374, equation 1), as the product 1 - prod_{i = n-c+1..n} (1 - k / i), which does not overflow.
// Needs 0 <= c <= n and 1 <= k <= n.
double PassAtKEstimate(int64_t n, int64_t c, int64_t k);

// Errors: kUsage for unknown names, and what the store reports.
Result<RunStats> StatsOfRun(Store* store, const std::string& name);
Result<DatasetStats> StatsOfDataset(Store* store, const std::string& name);

}  // namespace assay
