// From a stage to what does it: the commands that a person could type, the files that they read and leave. Pure but for reading what it
// hashes. Every stage has a folder of its own, OUT/NAME, and every command writes beside and is renamed, so that a killed one leaves
// nothing half.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "datagen/pipeline/recipe.h"

namespace assay {

struct PlanCommand {
  enum class Program : uint8_t { kAssay, kTrain };
  Program program = Program::kAssay;
  std::vector<std::string> words;
  std::string
      writes;  // the file that the words name as writes + ".part"; a run's folder for a trainer
  bool trains = false;  // goes on by --resume
  bool scores =
      false;  // faults (exit 3) are an error to a pipeline: nothing is dropped without being said
  std::string copy_from;   // no program: a copy of this file to `writes`
  std::string drop_first;  // a store that a run begun before has filled in part
};

struct StagePlan {
  std::string folder;  // OUT/NAME
  std::vector<PlanCommand> commands;
  std::vector<std::string> inputs;   // files and model folders whose content decides
  std::vector<std::string> outputs;  // what other stages read
  std::vector<std::pair<std::string, std::string>>
      written;  // files made before the commands: name, contents
  Json config;  // everything else that decides
};

// Where a stage leaves what others read: rows, groups, scores or a model folder.
std::string StageOutput(const std::string& out, const StageSpec& stage);
std::string StageStore(const std::string& out, const StageSpec& stage);

// Errors: kUsage for options that the command does not know, with "did you mean".
Result<StagePlan> PlanStage(const PipelineRecipe& recipe, const StageSpec& stage,
                            const std::string& out);

// The recipe of a training stage as the trainers read it.
Result<Json> TrainingRecipe(const PipelineRecipe& recipe, const StageSpec& stage,
                            const std::string& out);

// A value as TOML writes it on one line; tables in braces.
std::string TomlText(const Json& value);

}  // namespace assay
