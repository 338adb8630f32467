// Export: a data set of the store as a file for somebody else. One line a row (or a problem), in the data set's order; the same data set
// and options give the same bytes. A file is written beside its place and renamed, so that it is whole or not there; ".gz" and ".zst"
// pack it, ".parquet" is written by the sibling program assay-parquet. docs/datasets.md lists the forms.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
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
  std::string split{};                             // only rows of this split
  std::vector<std::string> columns{};              // only these, in this order; empty: all
  std::string system{};                            // a system prompt for rows without one
  bool strip_reasoning = false;                    // replies without what stands in think tags
  // Each reply with one block of reasoning in this form: "{reasoning}" and "{summary}" are put into it; empty: as it came.
  std::string reply_template{};
  std::optional<uint64_t> shuffle{};  // the seed of the rows' order; none: the data set's own order
  bool card = false;                  // a data card beside the file
  std::string tool_version{};

  // What decides the file's bytes beside the data set. JSON.
  std::string Params() const;
};

// What stands for a reply's parts in ExportOptions::reply_template.
inline constexpr std::string_view kReasoningMark = "{reasoning}", kSummaryMark = "{summary}";

struct ExportResult {
  int64_t rows = 0;   // of the data set
  int64_t lines = 0;  // written
  int64_t bytes = 0;  // of the file, packed
  std::string hash;   // SHA-256 of the file
  std::string file;   // its name, links resolved; empty: it went to a pipe or device
  DatasetId dataset = 0;
  int64_t renamed_columns =
      0;  // extra columns whose names trainers reserve, written as "extra_NAME"
  // Chat messages have keys that first appear so late that `datasets` does not expect them.
  bool late_parts = false;
  std::vector<std::string> column_names;  // of the lines; empty: unknown
  std::string schema_json = "{}";         // their types (scripts/assay_parquet.py)
  // How many rows carry which licence, by the column `license` or `licence`; "": none.
  std::map<std::string, int64_t> licences;
  std::vector<std::string> also_written;  // the card, dataset_info.json
};

const std::vector<std::string>& ExportFormats();
// "trl-sft    prompt and completion" a line.
std::string ExportFormatLines();

// Errors: kUsage for unknown names, columns and splits and for pairs where there are none; kInput for a data set that mixes chat and plain
// prompts (trl-sft and its like); kIo; kUnavailable where Parquet cannot be written.
Result<ExportResult> ExportDataset(Store* store, const ExportOptions& options);

}  // namespace assay
