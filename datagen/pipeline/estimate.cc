#include "datagen/pipeline/estimate.h"

#include <algorithm>
#include <cmath>

#include "core/cores.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/pipeline/plan.h"
#include "datagen/problems/problems.h"
#include "grpo/config/model_config.h"
#include "grpo/config/recipe.h"

namespace assay {
namespace {

// Operations a second that small models reach (docs/training.md, docs/gpu.md).
constexpr double kFlopsPerCore = 15e9;
constexpr double kFlopsOfGpu = 250e12;
constexpr double kLibraryBytes = 250.0 * (1 << 20);
// Weights, gradients and Adam's two moments in float32; a reference in float32.
constexpr double kTrainedBytes = 16, kReferenceBytes = 4;

double CountParameters(const ModelConfig& config) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto heads = static_cast<double>(config.num_heads * config.head_dim);
  const auto kv = static_cast<double>(config.num_kv_heads * config.head_dim);
  const double layer = hidden * (2 * heads + 2 * kv) +
                       3 * hidden * static_cast<double>(config.intermediate_size) + 2 * hidden;
  const double embedding = static_cast<double>(config.vocab_size) * hidden;
  return embedding * (config.tied_head ? 1 : 2) + layer * static_cast<double>(config.num_layers) +
         hidden;
}

// As SetUpPolicy fills in what the tokenizer knows.
double FromTable(const Json& model) {
  if (const Json* stated = model.Find("parameters")) return stated->NumberOr(0);
  Json config;
  if (const Json* path = model.Find("path"); path != nullptr && path->IsString()) {
    const Result<std::string> text = ReadFile(*path->AsString() + "/config.json", 1 << 20);
    if (!text.ok()) return 0;
    const Result<Json> parsed = ParseJson(*text);
    if (!parsed.ok()) return 0;
    config = *parsed;
  } else if (const Json* own = model.Find("config")) {
    config = *own;
    const auto letters = static_cast<int64_t>(model.StringOr("alphabet", "").size());
    if (config.Find("vocab_size") == nullptr) config.Set("vocab_size", 6 + letters);
    if (config.Find("model_type") == nullptr) config.Set("model_type", "llama");
    if (config.Find("tie_word_embeddings") == nullptr) config.Set("tie_word_embeddings", true);
    if (config.Find("rms_norm_eps") == nullptr) config.Set("rms_norm_eps", 1e-5);
    if (config.Find("max_position_embeddings") == nullptr)
      config.Set("max_position_embeddings", 2048);
  }
  const Result<ModelConfig> parsed = ModelConfigFromJson(config);
  return parsed.ok() ? CountParameters(*parsed) : 0;
}

// Of the model that a name leads to: a stage's is that of what it began from.
double ParametersOf(const PipelineRecipe& recipe, const std::string& name) {
  if (const StageSpec* made_by = FindStage(recipe, name))
    return ParametersOf(recipe, made_by->model);
  if (const Json* table = recipe.models.Find(name)) {
    Json resolved = *table;
    if (const std::string path(table->StringOr("path", "")); !path.empty())
      resolved.Set("path", ResolvePath(recipe, path));
    return FromTable(resolved);
  }
  return FromTable(Json().Set("path", ResolvePath(recipe, name)));
}

// Rows that a stage gives, 0 if that is not known before it ran.
double RowsOf(const PipelineRecipe& recipe, const std::string& name) {
  const StageSpec* stage = FindStage(recipe, name);
  if (stage == nullptr) return 0;
  if (stage->kind == StageKind::kProblems)
    return static_cast<double>(stage->options.IntOr("count", ProblemOptions().count));
  if (stage->kind == StageKind::kMix && stage->options.IntOr("count", 0) > 0)
    return static_cast<double>(stage->options.IntOr("count", 0));
  double rows = 0;
  for (const std::string& input : stage->data) rows += RowsOf(recipe, input);
  if (stage->kind == StageKind::kGenerate || stage->kind == StageKind::kEval) {
    const auto limit = static_cast<double>(stage->options.IntOr("limit", 0));
    return (limit > 0 && rows > 0 ? std::min(rows, limit) : rows) *
           static_cast<double>(stage->options.IntOr("samples", 1));
  }
  return rows;
}

struct Work {
  double sampled = 0, trained = 0;  // tokens
};

Work WorkOf(const PipelineRecipe& recipe, const StageSpec& stage, const TrainSpec* train,
            double max_length) {
  Work work;
  double rows = 0;
  for (const std::string& name : stage.data) rows += RowsOf(recipe, name);
  if (train == nullptr) {
    const Json& options = stage.options;
    const auto limit = static_cast<double>(options.IntOr("limit", 0));
    work.sampled = (limit > 0 && rows > 0 ? std::min(rows, limit) : rows) *
                   static_cast<double>(options.IntOr("samples", 1)) *
                   static_cast<double>(options.IntOr("max_new_tokens", 512));
    return work;
  }
  const auto batch =
      static_cast<double>(train->per_device_train_batch_size * train->gradient_accumulation_steps);
  double steps = static_cast<double>(train->max_steps);
  if (steps <= 0) steps = train->num_train_epochs * rows / batch;
  work.trained = steps * batch * max_length;
  if (stage.kind == StageKind::kGrpo)
    work.sampled = steps * batch * static_cast<double>(train->max_completion_length);
  if (train->eval.steps > 0)
    work.sampled +=
        (1 + std::floor(steps / static_cast<double>(train->eval.steps))) *
        static_cast<double>(train->eval.limit * train->eval.samples * train->max_completion_length);
  return work;
}

void EstimateTraining(const PipelineRecipe& recipe, const StageSpec& stage, const std::string& out,
                      StageEstimate* estimate, Work* work) {
  Result<Json> json = TrainingRecipe(recipe, stage, out);
  if (!json.ok()) return;
  std::string text;
  for (const Json::Member& member : *json->AsObject())
    StrAppend(&text, member.key, " = ", TomlText(member.value), "\n");
  TrainSpec spec;
  bool reference = false;
  double length = 0;
  if (stage.kind == StageKind::kGrpo) {
    Result<GrpoRecipe> parsed = GrpoRecipeFromToml(text, "", {});
    if (!parsed.ok()) return;
    spec = parsed->train;
    reference = parsed->loss.beta > 0;
    length = static_cast<double>(spec.max_completion_length);
  } else {
    Result<SftRecipe> parsed = SftRecipeFromToml(text, "", {});
    if (!parsed.ok()) return;
    spec = parsed->train;
    length = static_cast<double>(parsed->max_length);
    const int64_t positions =
        spec.model.config.IsObject() ? spec.model.config.IntOr("max_position_embeddings", 0) : 0;
    if (positions > 0) length = std::min(length, static_cast<double>(positions));
  }
  const double p = estimate->parameters;
  estimate->gpu = StartsWith(spec.model.device, "cuda");
  estimate->memory_bytes = p * (kTrainedBytes + (reference ? kReferenceBytes : 0) +
                                (spec.model.dtype == "bfloat16" ? 2 : 0)) +
                           kLibraryBytes;
  const auto kept = spec.save_steps > 0 ? static_cast<double>(spec.save_total_limit + 1) : 1.0;
  estimate->disk_bytes = p * ((reference ? 16 : 12) * kept +
                              (spec.save_dtype == "bfloat16" ? 2 : 4) * (spec.keep_best ? 2 : 1));
  *work = WorkOf(recipe, stage, &spec, length);
}

}  // namespace

StageEstimate EstimateStage(const PipelineRecipe& recipe, const StageSpec& stage,
                            const std::string& out) {
  StageEstimate estimate;
  if (stage.model.empty()) return estimate;
  estimate.parameters = ParametersOf(recipe, stage.model);
  if (estimate.parameters <= 0) return estimate;
  Work work;
  const bool trains = stage.kind == StageKind::kSft || stage.kind == StageKind::kGrpo ||
                      stage.kind == StageKind::kDistill;
  if (trains) {
    EstimateTraining(recipe, stage, out, &estimate, &work);
  } else {
    work = WorkOf(recipe, stage, nullptr, 0);
    estimate.gpu = StartsWith(stage.options.StringOr("device", "cpu"), "cuda");
    estimate.memory_bytes = 4 * estimate.parameters + kLibraryBytes;
  }
  const double flops = estimate.parameters * (2 * work.sampled + 6 * work.trained);
  estimate.seconds =
      flops / (estimate.gpu ? kFlopsOfGpu : kFlopsPerCore * std::max(1, UsableCores()));
  return estimate;
}

double LargestModel(double bytes, bool reference) {
  return std::max(0.0, bytes * 0.8 - kLibraryBytes) /
         (kTrainedBytes + 2 + (reference ? kReferenceBytes : 0));
}

std::string LargestModels() {
  struct Machine {
    const char* name;
    double bytes;
  };
  constexpr double kGib = 1 << 30;
  constexpr Machine kMachines[] = {{"a laptop with 8 GiB", 8 * kGib},
                                   {"a workstation with 64 GiB", 64 * kGib},
                                   {"a GPU of 24 GiB", 24 * kGib},
                                   {"a GPU of 80 GiB", 80 * kGib},
                                   {"a GPU of 141 GB", 141e9}};
  std::string text =
      "Largest model that one process trains (bfloat16 over float32 masters, a fifth left for "
      "activations), with a reference model:\n";
  for (const Machine& machine : kMachines)
    StrAppend(&text, "  ", machine.name, ": ", ParametersText(LargestModel(machine.bytes, true)),
              " parameters\n");
  return text;
}

std::string ParametersText(double parameters) {
  if (parameters <= 0) return "?";
  if (parameters < 1e6) return StrCat(FixedDigits(parameters / 1e3, 0), " thousand");
  if (parameters < 1e9) return StrCat(FixedDigits(parameters / 1e6, 1), " million");
  return StrCat(FixedDigits(parameters / 1e9, 1), " billion");
}

std::string DurationText(double seconds) {
  if (seconds < 90) return StrCat(FixedDigits(std::max(1.0, seconds), 0), " s");
  if (seconds < 5400) return StrCat(FixedDigits(seconds / 60, 0), " min");
  if (seconds < 2 * 86400) return StrCat(FixedDigits(seconds / 3600, 1), " h");
  return StrCat(WithThousands(static_cast<int64_t>(seconds / 86400)), " days");
}

}  // namespace assay
