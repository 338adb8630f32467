// The columns of an input row as columns of one of its samples, or of those of its samples that a data set keeps: arrays that stand
// beside the completions ("labels") are cut to size, everything else is passed on. What an earlier run said of the row (`reward`,
// `verdicts`, `provenance`, ..) is called input_NAME: it must not pose as this one's. Pure functions; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "datagen/store/store.h"

namespace assay {

// Of the one sample in `group`: the row's columns that are not the sample's own; of arrays beside the completions, the sample's entry,
// under its own name ("label"). An object.
Json SampleColumns(const StoredGroup& group);
// The id of the sample's line, as it was written; null if there is none.
Json SampleId(const StoredGroup& group);
// Where the row came from: data set, decision, run, file, line, place of the sample.
Json SourceOf(const std::string& dataset, const DatasetRow& row);
// What each term brought to the reward of the one sample in `group`, by label, null where it was left out; null if the store does not know.
Json PartsOf(const StoredGroup& group);

// Of all of `rows`, which are of one input row: cuts those arrays in `extra` to the kept samples' entries.
void KeepEntries(const std::vector<DatasetRow>& rows, Json* extra);

}  // namespace assay
