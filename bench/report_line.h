// How a benchmark ends: its one JSON line on stdout, or its error with the hint on stderr.
#pragma once

#include <cstdio>

#include "core/json.h"
#include "core/result.h"

namespace assay {

// The exit status of main: 0, or 2 for an error.
inline int ReportLine(const Result<Json>& line) {
  if (!line.ok()) {
    std::fprintf(stderr, "error: %s\n\nhint: %s\n", line.error().message.c_str(),
                 line.error().hint.c_str());
    return 2;
  }
  std::printf("%s\n", line->Dump().c_str());
  return 0;
}

}  // namespace assay
