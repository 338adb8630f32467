// Runs a recipe's stages: each once, again only if something that it depends on has changed, and from where it stopped after a kill.
// OUT/NAME holds what stage NAME left with its log, OUT/stages.json says how all of them stand, OUT/report.html shows it. It works in OUT as its
// current folder and goes back. One thread; it starts processes (datagen/pipeline/command.h), so nothing else may run in this one.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "core/result.h"
#include "datagen/pipeline/recipe.h"

namespace assay {

struct PipelineOptions {
  std::string out;
  std::string from, only, until;  // stages; "" for none
  std::string assay, train;       // the programs, absolute
  std::string tool_version;
  const std::atomic<bool>* interrupted = nullptr;
  std::function<void(const std::string&)> note;  // sentences for the user
};

struct PipelineSummary {
  int64_t ran = 0, kept = 0;
  bool interrupted = false;
};

// Every stage's options are read and its rubric parsed, memory and disk compared with what is there, before the first one runs. Errors:
// kUsage, kInput, kLimit (a model too large for the machine), kIo, and what a command ended with.
Result<PipelineSummary> RunPipeline(const PipelineRecipe& recipe, const PipelineOptions& options);

// The graph as text with estimates; nothing is run or written.
Result<std::string> DrawPipeline(const PipelineRecipe& recipe, const std::string& out);

}  // namespace assay
