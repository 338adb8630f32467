// Import: rows of any input form (core/rows/input_format.h) into a store as a run, without scoring them: sampled answers, answers that
// somebody else scored, problems alone. What is in the store already is skipped, so that an interrupted import goes on where it was. One
// thread; memory: one line, and the problems that are joined.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "datagen/store/store.h"

namespace assay {

struct ImportOptions {
  std::vector<std::string> files;  // "-" is standard input
  std::string run = "default";
  std::string dataset;       // not empty: all samples become this data set, too
  bool replace = false;      // the data set, if there is one of that name
  std::string input_format;  // "" = by each row's keys
  // Files with the problems of replies that say only an id (batches): rows of any form, or the requests that were sent.
  std::vector<std::string> problems;
  // RE2 with one group: what of a row's id names its problem ("p1" of "p1#3"). "": all of it.
  std::string id_pattern;
  // A column with one boolean a sample: becomes the verdict `label`, its reward 1 or 0. "": none.
  std::string labels;
  // A column with one number a sample: becomes its reward. "": none.
  std::string rewards;
  std::string tool_version;
  const std::atomic<bool>* interrupted = nullptr;
  bool progress = false;
};

struct ImportResult {
  int64_t rows = 0;     // added now
  int64_t skipped = 0;  // were there before
  int64_t repeats =
      0;  // left out: lm-eval's replies of another filter (core/rows/lm_eval_filters.h)
  int64_t bad_rows = 0;
  int64_t samples = 0;      // added now
  int64_t scored = 0;       // of these, with a reward
  std::string first_error;  // "FILE:17: ..."
  bool interrupted = false;

  Json ToJson() const;
  std::string ToText() const;
};

// Errors: kUsage for options that do not fit and for a run of that name that was made otherwise; kInput for problem files; kIo.
Result<ImportResult> ImportFiles(Store* store, const ImportOptions& options);

}  // namespace assay
