// Reads runs of a store into a Pool: one pass a run, texts looked at by several threads and dropped again. Uses the store of its
// caller's thread.
#pragma once

#include <memory>
#include <vector>

#include "core/result.h"
#include "datagen/select/pool.h"
#include "datagen/select/sample_filter.h"
#include "datagen/select/select_options.h"
#include "datagen/store/store.h"

namespace assay {

// Errors: the store's, and kUnavailable "interrupted".
Status ReadPool(Store* store, const std::vector<RunRecord>& runs, const SelectOptions& options,
                const SampleFilter& filter, Pool* pool);

}  // namespace assay
