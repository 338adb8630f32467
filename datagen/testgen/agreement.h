// Agreement of samples about tests (after CodeT, Chen et al. 2022): programs that pass the same tests form a set, and a set is worth its
// samples times its tests. Where nobody knows a right program, the tests of the best set are believed. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace assay::testgen {

struct Agreement {
  std::vector<size_t>
      programs;              // of the best set, in their order; empty: no program passes any test
  std::vector<bool> passes;  // which tests they pass, one a test
  int64_t samples = 0;       // that stand behind them
  int64_t sets = 0;          // different sets of tests that programs pass
};

// `passes[p][t]`: program p passes test t. `samples[p]`: how many samples are that program. Of equal sets the one whose program came first.
Agreement Agree(const std::vector<std::vector<bool>>& passes, const std::vector<int64_t>& samples);

}  // namespace assay::testgen
