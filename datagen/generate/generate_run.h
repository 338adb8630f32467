// A generation run: problems of files in, groups of samples into a store, in the order of the input. Problems that the run has already are
// not asked again: an interrupted run goes on where it was, and a problem whose request failed is asked again by the next. The run has no
// rewards: `assay select --keep-unscored`, `export --format jsonl` and `score` give it some.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "datagen/generate/generator.h"
#include "datagen/store/store.h"

namespace assay {

struct GenerateRunOptions {
  GeneratorOptions generator;
  std::vector<std::string> files;
  std::string input_format;
  std::string run = "default";
  int64_t workers = 8;  // requests at once
  std::string tool_version;
  bool progress = false;
};

struct GenerateSummary {
  int64_t problems = 0;  // answered now
  int64_t skipped = 0;   // answered before
  int64_t bad_rows = 0;
  int64_t failed = 0;  // requests that were given up
  std::string first_failure;
  int64_t samples = 0, prompt_tokens = 0, completion_tokens = 0;
  int64_t uncounted = 0;  // answers of an endpoint that counts no tokens
  bool gave_up = false;   // so many requests failed one after the other that the rest was not asked
  bool interrupted = false;

  Json ToJson() const;
  std::string ToText() const;
};

// Few shots: the prompt and the first completion of each row of a file, as turns of a chat. Errors: kInput for rows without either, kIo.
Result<std::vector<Message>> ReadExamples(const std::string& file);

// Errors: kUsage for a run of that name that was made otherwise; kIo; what starting a command says. Failed requests are counted.
Result<GenerateSummary> GenerateIntoStore(Store* store, const GenerateRunOptions& options);

}  // namespace assay
