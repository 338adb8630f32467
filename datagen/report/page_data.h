// The numbers and samples behind the report's page (page.h), collected in one pass over each run and data set. Not for anyone else.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "datagen/report/page.h"
#include "datagen/store/store.h"

namespace assay {

// Bars of equal width from the least to the greatest value, for the samples that pass and those that do not.
class SplitHistogram {
 public:
  void Add(double value, bool passed) { values_[passed ? 1 : 0].push_back(value); }
  // {"edges": [..], "passed": [..], "failed": [..]}; the last bar holds everything beyond the 99th percentile.
  Json ToJson() const;

 private:
  std::vector<double> values_[2];
};

// What a run says beside its RunStats: histograms, problems by pass rate, tasks, terms' scores, duplicates.
Result<Json> RunDetails(Store* store, const RunRecord& run);
// What a data set says beside its DatasetStats: splits, contamination, near duplicates, exports.
Result<Json> DatasetDetails(Store* store, const DatasetRecord& dataset);
// Samples of the runs, drawn by the seed, each with everything that is known of it.
Result<Json> DrawnSamples(Store* store, const std::vector<RunRecord>& runs,
                          const std::vector<DatasetRecord>& datasets, const PageOptions& options);

}  // namespace assay
