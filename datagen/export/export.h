// Export: a data set of the store as a file for somebody else. One line a row, in the data set's order; the same data set
// gives the same bytes. A file is written beside its place and renamed, so that it is whole or not there.
//
//   trl-sft   TRL's prompt-completion type: {"prompt", "completion", then the row's other columns}; both are chat messages
//             where the problem's prompt was (conversational), else strings. A data set must be all one or all the other.
//   jsonl     our own group line (formats.md's superset, docs/schemas/dataset.schema.json): flat, or with --group one line a
//             problem, with reward, advantage, verdicts and where the row came from; `assay score` reads it back.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "datagen/store/store.h"

namespace assay {

struct ExportOptions {
  std::string dataset;
  std::string format;  // one of ExportFormats()
  std::string output;  // "-" or "": standard output
  bool group = false;  // jsonl: one line a problem, with parallel arrays
  const std::atomic<bool>* interrupted = nullptr;  // set by a signal handler: an error, and no file
};

struct ExportResult {
  int64_t rows = 0;   // of the data set
  int64_t lines = 0;  // written
  int64_t bytes = 0;  // of the file, packed
  std::string hash;   // SHA-256 of the file
  std::string file;   // its name, links resolved; empty: it went to a pipe or device
  DatasetId dataset = 0;
  int64_t renamed_columns = 0;  // extra columns whose names TRL reserves, written as "extra_NAME"
  // Chat messages have keys that first appear so late that `datasets` does not expect them (trl-sft).
  bool late_parts = false;
};

const std::vector<std::string>& ExportFormats();

// Errors: kUsage for unknown names; kInput for a data set that mixes chat and plain prompts (trl-sft); kIo.
Result<ExportResult> ExportDataset(Store* store, const ExportOptions& options);

}  // namespace assay
