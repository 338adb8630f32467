// What stands beside an exported file: a data card (Markdown with a head of YAML, as data set hubs read it) that says what the file
// holds, where it came from, how it was chosen and under which licences; and for LLaMA-Factory its entry in dataset_info.json. The same
// store, data set and options give the same bytes: no clock is read.
#pragma once

#include <string>

#include "core/json.h"
#include "core/result.h"
#include "datagen/export/export.h"
#include "datagen/store/store.h"

namespace assay {

// "OUT.card.md".
std::string CardPath(const std::string& output);
Result<std::string> DataCard(Store* store, const DatasetRecord& dataset,
                             const ExportOptions& options, const ExportResult& result);

// Adds or replaces this file's entry in dataset_info.json in its folder, which may hold others. Error: kInput if that is no JSON object.
Status WriteDatasetInfo(const ExportOptions& options, const ExportResult& result);

}  // namespace assay
