#include "datagen/testgen/agreement.h"

#include <algorithm>
#include <map>

namespace assay::testgen {

Agreement Agree(const std::vector<std::vector<bool>>& passes, const std::vector<int64_t>& samples) {
  std::map<std::vector<bool>, Agreement> sets;
  for (size_t p = 0; p < passes.size(); ++p) {
    Agreement& set = sets[passes[p]];
    set.programs.push_back(p);
    set.samples += samples[p];
  }
  const auto worth = [](const Agreement& set, const std::vector<bool>& tests) {
    return set.samples * std::count(tests.begin(), tests.end(), true);
  };
  Agreement best;
  int64_t most = 0;
  for (auto& [tests, set] : sets) {
    const int64_t value = worth(set, tests);
    const bool earlier =
        value == most && !best.programs.empty() && set.programs[0] < best.programs[0];
    if (value == 0 || (value <= most && !earlier)) continue;
    most = value;
    best = set;
    best.passes = tests;
  }
  best.sets = static_cast<int64_t>(sets.size());
  if (best.passes.empty() && !passes.empty()) best.passes.resize(passes[0].size());
  return best;
}

}  // namespace assay::testgen
