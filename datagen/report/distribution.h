// Distribution: how a list of numbers spreads. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"

namespace assay {

// Mean, sample deviation (n - 1), extremes and percentiles (nearest rank) of a list of numbers; zeros for an empty one.
struct Distribution {
  int64_t count = 0;
  double mean = 0, deviation = 0, min = 0, p10 = 0, p50 = 0, p90 = 0, max = 0;
  static Distribution Of(std::vector<double> values);
  Json ToJson() const;
  // "mean 0.512, deviation ..." with so many digits after the point.
  std::string ToText(int digits) const;
};

}  // namespace assay
