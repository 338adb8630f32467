// Scores whole files: reads rows, scores them on several threads, writes one line for each in input order and, if asked,
// into a store. Memory is bounded by kInFlightBytes whatever the file's size and however slow a row is. The same
// input gives the same bytes with any number of threads (times aside).
//
// Resuming: beside the output FILE a journal FILE.resume keeps the configuration's hash and one record for each row
// (file, line, hash of the line). A killed run continues after the last row that is whole in the output, in the journal
// and in the store; the lines before are compared with their hashes, so a changed input is noticed.
//
// One run at a time per output and store. Not a service, not a cache.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "datagen/score/verdict_tally.h"
#include "verifiers/rubric.h"

namespace assay {

// Input text and results held at once, beyond the one row that comes next.
inline constexpr int64_t kInFlightBytes = int64_t{48} << 20;

struct ScoreRunOptions {
  std::vector<std::string> files;  // "-" is standard input
  std::string output;              // file; "" or "-" is standard output
  std::string store;               // SQLite file; "" = none
  std::string run_name = "default";
  std::string input_format;  // core/input_format.h; "" = by each row's keys
  // Flat lines with one value of this field make a group; "" = off. Lines of one group that stand apart (in one file or several) are
  // gathered: the whole input is held in memory then, and a run that is resumed begins again. Not from a pipe.
  std::string group_by;
  int jobs = 1;
  bool with_times = true;
  bool strict = false;  // stop at the first bad line
  bool resume = false;
  bool progress = false;
  uint64_t seed = 0;
  std::string tool_version;
  const std::atomic<bool>* interrupted =
      nullptr;  // set by a signal handler; the run stops at a row boundary
  std::function<void()>
      cancel;  // ends what verifiers are at, once nothing of it will be written; may be empty
  std::function<void(const std::string&)> warn;  // sentences for the user; may be empty
};

// What one term of the rubric said, over all samples.
struct ScoreRunSummary {
  int64_t rows = 0;      // input lines scored or refused in this call
  int64_t resumed = 0;   // rows taken over from the interrupted run
  int64_t bad_rows = 0;  // lines that could not be read, those of the interrupted run included
  int64_t samples = 0;
  int64_t scored = 0;    // samples with a reward
  int64_t nulls = 0;     // samples without one
  int64_t faults = 0;    // of these, faults; those of the interrupted run included
  int64_t all_pass = 0;  // samples whose every verdict that applied is a pass
  double reward_sum = 0;
  int64_t groups = 0, zero_variance_groups = 0;
  int64_t bytes = 0;  // input text
  double seconds = 0;
  bool interrupted = false;
  JsonRepairs repairs;
  std::map<std::string, VerdictTally> terms;  // by label

  Json ToJson() const;
};

// Errors: usage (an unknown verifier, a resume that does not fit), kInput with --strict, kIo (unreadable, disk full). What was
// written before an error is valid and can be resumed.
Result<ScoreRunSummary> ScoreFiles(const ScoreRunOptions& options, const Rubric& rubric);

// The output line of one group (or of a flat sample), without a newline.
void AppendScoreLine(const Group& group, const GroupScore& score, bool with_times,
                     std::string* out);

}  // namespace assay
