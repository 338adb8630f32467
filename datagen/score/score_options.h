// ScoreRunOptions: what a scoring run is asked for, and what can be said of it before anything is opened. Plain data.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "verifiers/rubric.h"

namespace assay {

struct ScoreRunOptions {
  std::vector<std::string> files;      // "-" is standard input
  std::vector<std::string> also_read;  // rubric, settings: nothing is written over them either
  std::string output;                  // file; "" or "-" is standard output
  std::string store;                   // SQLite file; "" = none
  std::string run_name = "default";
  std::string input_format;  // core/rows/input_format.h; "" = by each row's keys
  // Flat lines with one value of this field make a group; "" = off. Lines of one group that stand apart (in one file or several) are
  // gathered: the input is put aside on the disk then, and a run that is resumed begins again.
  std::string group_by;
  bool adjacent = false;  // only neighbours make a group: each is scored as soon as it is whole
  int jobs = 1;
  bool with_times = true;
  bool keep_input = false;  // the output holds the problem and the completions too
  bool strict = false;      // stop at the first bad line
  bool resume = false;
  bool progress = false;
  uint64_t seed = 0;
  std::string tool_version;
  const std::atomic<bool>* interrupted =
      nullptr;  // set by a signal handler; the run stops at a row boundary
  std::function<void()>
      cancel;  // ends what verifiers are at, once nothing of it will be written; may be empty
  std::function<void(const std::string&)> warn;  // sentences for the user; may be empty

  // Instead of files: a run that a store keeps. `files` are its input files then (FilesOfStoredRun), which are not opened.
  std::string from_store, from_run;

  bool to_file() const { return !output.empty() && output != "-"; }
  bool Interrupted() const { return interrupted != nullptr && interrupted->load(); }
};

// Tries all inputs before the first row, so that a typing error costs no time. Errors: kUsage (a file that is given twice or would be
// written over, an unknown input format, nothing to resume), kIo.
Status CheckScoreRunOptions(const ScoreRunOptions& options);

// Of all that decides the output's bytes besides the input: a run is resumed only under the same.
std::string ScoreRunConfigHash(const ScoreRunOptions& options, const RubricSpec& rubric);

}  // namespace assay
