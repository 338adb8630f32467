// Whether the machine's memory holds a training run. Reads /proc and /sys; Linux only.
#pragma once

#include <cstdint>

#include "core/result.h"

namespace assay {

// What the kernel says it could still give this process; -1 where it does not say.
double AvailableBytes();
// Before the first step takes it: gradients and Adam's moments in float32, 12 bytes a parameter beside the weights. Negative:
// unknown, which passes. Errors: kUnavailable with both figures.
Status CheckMemory(int64_t parameters, double available_bytes);

}  // namespace assay
