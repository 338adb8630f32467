// Care of a store as a file: is it whole, what nothing refers to any longer, its size. Each function opens the file itself; readers and
// writers of other processes are respected as Store respects them (docs/store.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace assay {

// What is wrong with the store, a sentence each; empty: nothing. Looks at pages and indexes, foreign keys, ranges of samples, counts of
// rows, positions and decisions of data sets, and reads every text against its hash. Reads only.
Result<std::vector<std::string>> CheckStore(const std::string& path);

struct StoreGarbage {
  int64_t problems = 0, texts = 0, bytes = 0;  // that nothing refers to
};
// Takes away problems and texts that nothing refers to, as dropped runs leave them.
Result<StoreGarbage> CollectGarbage(const std::string& path);

// Takes a data set, or a run, out of the store. Error: kUsage if there is none of that name, or a data set needs the run.
Status DropDataset(const std::string& path, const std::string& name);
Status DropRun(const std::string& path, const std::string& name);

struct StoreSize {
  int64_t before = 0, after = 0;  // bytes of the file with its log
};
// Writes the file anew without gaps. Needs as much free space again; error: kIo while others use the store.
Result<StoreSize> VacuumStore(const std::string& path);

}  // namespace assay
