// Scores whole files: reads rows, scores them on several threads, writes one line for each in input order and, if asked,
// into a store. Memory is bounded by kInFlightBytes, and a third of it for a store, whatever the file's size and however slow a row is. The same
// input gives the same bytes with any number of threads (times aside).
//
// Resuming: beside the output FILE a journal FILE.resume keeps the configuration's hash and one record for each row
// (file, line, hash of the line). A killed run continues after the last row that is whole in the output, in the journal
// and in the store; the lines before are compared with their hashes, so a changed input is noticed.
//
// One run at a time per output and store. Not a service, not a cache.
#pragma once

#include "core/result.h"
#include "datagen/score/score_options.h"
#include "datagen/score/score_summary.h"
#include "verifiers/rubric.h"

namespace assay {

// Errors: usage (an unknown verifier, a resume that does not fit), kInput with --strict, kIo (unreadable, disk full). What was
// written before an error is valid and can be resumed.
Result<ScoreRunSummary> ScoreFiles(const ScoreRunOptions& options, const Rubric& rubric);

}  // namespace assay
