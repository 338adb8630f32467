// What travels through a scoring run: a row (one input line, or the lines of one group with --group-by) from the reader, which fills in
// its lines, to a worker, which fills in what came out of them, to the writer. Plain data; owned by one thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/json.h"
#include "core/types.h"
#include "datagen/store/store.h"
#include "verifiers/rubric.h"

namespace assay {

struct InputLine {
  int64_t number = 0;  // 1-based, in its file
  std::string text;
  bool too_long = false;  // text is empty then
  size_t file = 0;        // place among ScoreRunOptions::files
  size_t place = 0;       // among all lines that are not blank; of gathered groups only
};

struct ScoreRow {
  size_t file = 0;
  std::vector<InputLine> lines;
  Hash128 hash;  // of all its lines
  bool stored =
      false;  // `group` (or `bad`, `error_message`) came from a store: its lines have no text

  // Filled by a worker.
  bool bad = false;  // could not be read: only error_message and output count
  std::string error_message;
  Group group;
  GroupScore score;
  GroupHashes hashes;   // of `group`, where a store wants it
  int64_t cut_off = 0;  // samples that ended at a length limit
  std::string output;   // as many lines as `lines`, joined by newlines
  JsonRepairs repairs;
};

// What is handed from thread to thread: a few rows, so that fast verifiers are not bound by locking.
struct RowBatch {
  int64_t bytes = 0;
  std::vector<ScoreRow> rows;
  bool done = false;  // RowQueue's
};

}  // namespace assay
