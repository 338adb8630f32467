// The rows of a run in a store as rows of a scoring run: what `assay score --from-store` reads instead of files. They keep the files,
// lines and hashes that they were read from, so that a row scored again is traced back to where it came from.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "datagen/score/group_gatherer.h"
#include "datagen/score/score_row.h"

namespace assay {

// The input files of the run, in its order. Errors: kIo, kInput, kUsage (no such run).
Result<std::vector<std::string>> FilesOfStoredRun(const std::string& store, const std::string& run);

// All rows in input order, parsed already; `files` as FilesOfStoredRun gave them. Ends early without an error where `emit` fails.
Status ForEachStoredRow(const std::string& store, const std::string& run,
                        const std::vector<std::string>& files,
                        const std::function<Status(ScoreRow)>& emit);

// The same rows as lines of our own form, of flat rows one a sample: for --group-by, which makes other groups of them.
LineSource LinesOfStoredRun(std::string store, std::string run, std::vector<std::string> files,
                            StopReading stop);

// The problem of each of the row's lines: of flat lines that make a group, each has its own id and other keys.
std::vector<Problem> ProblemsOfStoredRow(const Group& group);

}  // namespace assay
