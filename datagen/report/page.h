// One page about a store: runs, data sets and samples as HTML that needs no network (data, style, program and the chart library are in
// it). Texts of models stand in it as data and are shown as text, never as HTML. Read-only, from one state of the store; the same
// store and options give the same bytes. Memory: a few words a sample.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "datagen/store/store.h"

namespace assay {

struct PageOptions {
  std::string title = "Assay";
  std::vector<std::string> runs, datasets;  // empty: all
  int64_t samples = 200;                    // to page through, drawn by `seed`
  uint64_t seed = 0;
  std::string tool_version;
};

// What the page shows, as the JSON that is in it.
Result<Json> PageData(Store* store, const PageOptions& options);

// Errors: as the store's; kUsage for unknown names.
Result<std::string> ReportPage(Store* store, const PageOptions& options);

}  // namespace assay
