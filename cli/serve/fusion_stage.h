// What SandboxFusion's routes share: files in and out, the record of one stage. Pure but for FusionPodName.
#pragma once

#include <string>
#include <vector>

#include "cli/serve/base64.h"
#include "cli/serve/fields.h"
#include "core/json.h"
#include "sandbox/sandbox.h"

namespace assay {

// `files` and `fetch_files` as fields.
void AddFusionFiles(Fields* table, Json* files, std::vector<std::string>* fetch_files);
// `files`, decoded; what is wrong goes into `errors`, in the list of FastAPI's.
void ReadFusionFiles(const Json& files, std::vector<SourceFile>* out, Json* errors);
// Which of `fetch_files` a run is asked for: those that stay inside, each once, so many at most.
std::vector<std::string> FusionFetched(const std::vector<std::string>& fetch_files);

// compile_result, run_result or driver.
Json FusionStage(const RunResult& result);
Json FusionStageSchema();
Json FusionFilesSchema();
// The server's MY_POD_NAME; null without one.
Json FusionPodName();

}  // namespace assay
