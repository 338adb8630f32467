#include "core/check.h"

#include <cstdio>
#include <cstdlib>

namespace assay {

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "assay: internal check failed: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace assay
