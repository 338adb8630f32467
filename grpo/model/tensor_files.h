// Named tensors in one safetensors file: optimiser states, references, adapters. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "grpo/model/model.h"

namespace assay {

// As float32, wherever and whatever they are; synced and renamed into place. Errors: kIo.
Status WriteTensors(const std::string& path, const std::vector<NamedTensor>& tensors);
// On the CPU in float32, to be read only; F32, F64, F16 and BF16 are read. Errors: SafetensorsFile::Open's; kInput for another dtype.
Result<std::vector<NamedTensor>> ReadTensors(const std::string& path);

}  // namespace assay
