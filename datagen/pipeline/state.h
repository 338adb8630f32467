// What a pipeline remembers on disk of each stage (OUT/NAME/stage.json) and of all of them (OUT/stages.json). A stage is done if its
// fingerprint (options, commands, rubric, version and the content of every input) is the one that it was done with and its output
// is still what it left. Reads and hashes files; one thread.
#pragma once

#include <string>

#include "core/json.h"
#include "core/result.h"
#include "datagen/pipeline/plan.h"

namespace assay {

// Of a file's bytes, or of all files of a folder with their names; "" if there is none.
std::string ContentHash(const std::string& path);

// Errors: kInput, for an input that is not there.
Result<std::string> Fingerprint(const StagePlan& plan, const std::string& tool_version);

struct StageState {
  bool done = false;        // OUT/NAME/stage.json exists
  std::string fingerprint;  // what it was done with
  std::string output_hash;
  double seconds = 0;
  Json figures;  // of an eval
};
StageState ReadStageState(const std::string& folder);
// Errors: kIo.
Status WriteStageState(const std::string& folder, const StageState& state);
// True if nothing has to be done: same fingerprint, and the outputs are there as they were left.
bool UpToDate(const StagePlan& plan, const StageState& state, const std::string& fingerprint);

}  // namespace assay
