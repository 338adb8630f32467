// ASSAY_CHECK: for bugs of ours only. A condition that input, a model's text or the machine can make
// false is never checked with it; such errors are Result<T> or data. Thread-safe; aborts the process.
#pragma once

namespace assay {

[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace assay

#define ASSAY_CHECK(condition)                                              \
  do {                                                                      \
    if (!(condition)) ::assay::CheckFailed(#condition, __FILE__, __LINE__); \
  } while (false)
