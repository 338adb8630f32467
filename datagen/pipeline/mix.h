// Rows of several JSON Lines files as one, by shares, in an order that the seed draws. Nothing is repeated: where a file is too short
// for its share, the mixture is as small as it has to be. The rows wait in a temporary file; memory: some 50 bytes a row. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace assay {

struct MixSpec {
  std::vector<std::string> files;
  std::vector<double> shares;  // one a file, or none: all rows of each
  int64_t count = 0;           // 0: as many as the shares allow
  uint64_t seed = 0;
};

// How many rows of each file. Errors: kUsage (shares that do not fit the files), kIo.
Result<std::vector<int64_t>> MixRows(const MixSpec& spec, const std::string& output);

}  // namespace assay
