// A pipeline's recipe: named stages with their inputs by name, own rubric and options, as TOML. Reading it checks the whole graph
// before anything runs: kinds, keys (with "did you mean"), inputs that exist and are of the right sort, cycles. Plain values;
// reading looks at files and writes none.
//
//   name = "r1-zero-tiny"
//   seed = 1
//   [models.tiny]                      # a model that a stage may begin from: the keys of a training recipe's [model]
//   tokenizer = "words"
//   [[stage]]
//   name = "problems"
//   kind = "problems"
//   options = { kind = "arithmetic", count = 6000 }
//   [[stage]]
//   name = "zero"
//   kind = "grpo"
//   model = "base"                     # a stage, a model above, or a path
//   data = ["problems"]                # stages or files
//   eval = ["heldout"]
//   rubric = "accuracy.toml"           # a file, or a table with the rubric itself
//   options = { max_steps = 100 }      # the keys of the command
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/options.h"
#include "core/result.h"

namespace assay {

enum class StageKind : uint8_t {
  kProblems,  // rows of the built-in generators
  kSft,
  kGrpo,
  kGenerate,  // samples of a model
  kScore,     // samples judged, into a store
  kSelect,    // rejection sampling in that store
  kExport,    // a selection as rows for training
  kMix,       // rows of several stages and files by shares
  kEval,      // a model sampled on held-out problems and judged
  kDistill,   // a teacher sampled, judged, selected; a student taught with it
};
std::string_view StageKindName(StageKind kind);

struct StageSpec {
  std::string name;
  StageKind kind = StageKind::kProblems;
  std::string model;                // sft, grpo, generate, eval; distill: the student
  std::string teacher;              // distill
  std::vector<std::string> data;    // what comes in
  std::vector<std::string> eval;    // held-out problems
  std::string rubric;               // a file; empty: none, or `rubric_table`
  Json rubric_table;                // the rubric itself, or null
  Json options;                     // of the command; an object
  Json generate, select, exported;  // distill: options of those steps
  // "r.toml:3: " for a path of the stage ("options.count"), of what it has from [defaults], or of [models]: the nearest that the file has.
  std::function<std::string(std::string_view path)> where;
  // Places in PipelineRecipe::stages that this one needs, ascending.
  std::vector<size_t> needs;
};

struct PipelineRecipe {
  std::string name;
  std::string file;
  std::string stands_in;  // the folder in which it was read, for paths
  int64_t seed = 1;
  Json models;                    // [models.NAME]
  std::vector<StageSpec> stages;  // in an order in which they can run
};

// `overrides`: "seed=2", "STAGE.key=value" (an option of that stage; "STAGE.model.path=.." too). Errors: kUsage and kInput naming file
// and line.
Result<PipelineRecipe> ReadPipelineRecipe(const std::string& file,
                                          const std::vector<std::string>& overrides);

// The stage of that name, or null.
const StageSpec* FindStage(const PipelineRecipe& recipe, std::string_view name);
// A file that the recipe names, as an absolute path: beside the recipe, or else in the folder in which it was read.
std::string ResolvePath(const PipelineRecipe& recipe, const std::string& path);

// What may stand in a [[stage]].
std::vector<OptionInfo> StageOptionInfos();

// Options of generate and eval: those of `assay generate` from a model.
struct SampleOptions {
  int64_t samples = 1;
  int64_t limit = 0;
  double temperature = 1, top_p = 1, min_p = 0, repetition_penalty = 1;
  int64_t top_k = 0, max_new_tokens = 512, rows = 64;
  std::vector<std::string> stop;
  std::string prompt_prefix, prompt_suffix, system_prompt, few_shot, device = "cpu",
                                                                     dtype = "float32";
};
Options SampleOptionTable(SampleOptions* options);

// Options of a generate stage that asks an endpoint or a command: those of `assay generate` into a store.
struct EndpointStageOptions {
  std::string endpoint, command, model, system, few_shot, request;
  std::string key_variable = "OPENAI_API_KEY";
  int64_t samples = 1, max_tokens = 0, concurrency = 8, requests_per_minute = 0, retries = 5;
  double temperature = 1, top_p = 1, timeout = 600;
  std::vector<std::string> stop;
};
Options EndpointStageTable(EndpointStageOptions* options);
// Whether a stage's samples are somebody else's: its options name an endpoint or a command.
bool AsksElsewhere(const StageSpec& stage);

// Options of export: those of `assay export`.
struct ExportStageOptions {
  std::string format = "trl-sft", split, system, reply_template;
  std::vector<std::string> columns;
  bool strip_reasoning = false, shuffle = false;
};
Options ExportStageTable(ExportStageOptions* options);

struct MixOptions {
  int64_t count = 0;
  Json shares;
};
Options MixOptionTable(MixOptions* options);

}  // namespace assay
