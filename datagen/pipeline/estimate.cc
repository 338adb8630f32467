#include "datagen/pipeline/estimate.h"

#include <algorithm>
#include <cmath>

#include "core/cores.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/pipeline/plan.h"
#include "grpo/config/fresh_config.h"
#include "grpo/config/model_config.h"
#include "grpo/config/recipe.h"

namespace assay {
namespace {

// Operations a second that small models reach (docs/training.md, docs/gpu.md).
constexpr double kFlopsPerCore = 15e9;
constexpr double kFlopsOfGpu = 250e12;
// However small the work: a layer of one decoding step, a layer of one micro-batch there and back, a row of a decoding step (its logits
// and what is drawn from them).
constexpr double kLayerStep = 4e-5, kLayerBatch = 1.3e-3, kRowStep = 2e-6;
// Until the first step, and behind the last one.
constexpr double kTrainerStart = 1, kTrainerStartOnGpu = 5;
constexpr double kSamplerStart = 1, kSamplerStartOnGpu = 2;
// A command without a model, and the rows that it takes a second.
constexpr double kCommandStart = 0.2, kRowsPerSecond = 20'000;
// Problems whose samples all earn the same are drawn again: so many rounds in all.
constexpr double kDynamicRounds = 2;

constexpr double kLibraryBytes = 250.0 * (1 << 20);
// Weights, gradients and Adam's two moments in float32; a reference in float32.
constexpr double kTrainedBytes = 16, kReferenceBytes = 4;
// Of a model whose config cannot be read.
constexpr double kUsualLayers = 30, kUsualVocabulary = 50'000;
// Logits go by slices of so many.
constexpr double kLogitsAtOnce = 1 << 27;

// What a model's size says.
struct ModelSize {
  double parameters = 0, layers = kUsualLayers, hidden = 0, vocabulary = kUsualVocabulary;
};

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

ModelSize SizeOf(const Result<ModelConfig>& config) {
  if (!config.ok()) return {};
  return {CountParameters(*config), static_cast<double>(config->num_layers),
          static_cast<double>(config->hidden_size), static_cast<double>(config->vocab_size)};
}

ModelSize FromTable(const Json& model) {
  if (const Json* stated = model.Find("parameters")) {
    ModelSize size;
    size.parameters = stated->NumberOr(0);
    // A layer has about twelve times its width squared.
    size.hidden = std::sqrt(size.parameters / (12 * size.layers));
    return size;
  }
  if (const Json* path = model.Find("path"); path != nullptr && path->IsString()) {
    const Result<std::string> text = ReadFile(*path->AsString() + "/config.json", 1 << 20);
    if (!text.ok()) return {};
    const Result<Json> parsed = ParseJson(*text);
    return parsed.ok() ? SizeOf(ModelConfigFromJson(*parsed)) : ModelSize{};
  }
  const Json* own = model.Find("config");
  // No alphabet has more tokens than bytes.
  const auto letters = static_cast<int64_t>(model.StringOr("alphabet", "").size());
  return own == nullptr ? ModelSize{} : SizeOf(FreshModelConfig(*own, 6 + letters));
}

// Of the model that a name leads to: a stage's is that of what it began from.
ModelSize ModelSizeOf(const PipelineRecipe& recipe, const std::string& name) {
  if (const StageSpec* made_by = FindStage(recipe, name))
    return ModelSizeOf(recipe, made_by->model);
  if (const Json* table = recipe.models.Find(name)) {
    Json resolved = *table;
    if (const std::string path(table->StringOr("path", "")); !path.empty())
      resolved.Set("path", ResolvePath(recipe, path));
    return FromTable(resolved);
  }
  return FromTable(Json().Set("path", ResolvePath(recipe, name)));
}

// What is computed.
struct Work {
  double sampled = 0;    // tokens read or written by a model that samples
  double learned = 0;    // tokens times the passes over them, a pass forward being 1
  double steps = 0;      // of decoding, one behind the other
  double row_steps = 0;  // the same times the rows side by side
  double micro_batches = 0;
  double batch_tokens = 0;  // of one micro-batch, at most
  double seconds_max = 0;   // when a trainer ends in any case; 0: never
};

// `rows` completions of at most `most` tokens, `side_by_side` of them at a time.
void AddSampling(double rows, double prompt, double most, double side_by_side, Work* work) {
  if (rows <= 0) return;
  const double at_once = side_by_side > 0 ? std::min(side_by_side, rows) : rows;
  work->sampled += rows * (prompt + kWrittenShare * most);
  work->steps += std::ceil(rows / at_once) * most;
  work->row_steps += rows * most;
}

double Bytes(const std::string& a, const std::string& b) {
  return static_cast<double>(a.size() + b.size());
}

// The options of generate and eval, and of a distillation's sampling.
void AddSamplingStage(const Json& given, const RowFacts& rows, Work* work) {
  SampleOptions options;
  if (!SampleOptionTable(&options).Read(given).ok()) return;
  const auto limit = static_cast<double>(options.limit);
  const double problems = limit > 0 ? std::min(rows.rows, limit) : rows.rows;
  const double around = Bytes(options.prompt_prefix, options.prompt_suffix) / 3;
  AddSampling(problems * static_cast<double>(options.samples), rows.prompt_tokens() + around,
              static_cast<double>(options.max_new_tokens), static_cast<double>(options.rows), work);
}

double StepsOf(const TrainSpec& spec, double rows_a_step, double rows) {
  if (spec.max_steps > 0) return static_cast<double>(spec.max_steps);
  return std::ceil(spec.num_train_epochs * rows / rows_a_step);
}

void AddEvaluations(const TrainSpec& spec, double steps, double prompt, Work* work) {
  if (spec.eval.steps <= 0) return;
  const double times =
      std::floor(steps / static_cast<double>(spec.eval.steps)) + (spec.eval.at_start ? 1 : 0);
  Work one;
  AddSampling(static_cast<double>(spec.eval.limit * spec.eval.samples), prompt,
              static_cast<double>(spec.max_completion_length),
              static_cast<double>(spec.generation_rows), &one);
  work->sampled += times * one.sampled, work->steps += times * one.steps;
  work->row_steps += times * one.row_steps;
}

Work GrpoWork(const GrpoRecipe& recipe, const RowFacts& rows) {
  const TrainSpec& spec = recipe.train;
  Work work;
  const auto batch = static_cast<double>(spec.per_device_train_batch_size);
  const auto batches = static_cast<double>(spec.gradient_accumulation_steps);
  const auto uses = static_cast<double>(recipe.num_iterations);
  const double samples = batch * batches / uses;  // drawn for one step
  const double steps =
      StepsOf(spec, samples, rows.rows * static_cast<double>(recipe.num_generations));
  const double prompt =
      rows.prompt_tokens() + Bytes(spec.data.prompt_prefix, spec.data.prompt_suffix) / 3;
  const auto most = static_cast<double>(spec.max_completion_length);
  const double rounds = recipe.dynamic_sampling ? kDynamicRounds : 1;
  if (spec.data.rollouts.empty()) {
    Work one;
    AddSampling(samples, prompt, most, static_cast<double>(spec.generation_rows), &one);
    work.sampled = steps * rounds * one.sampled, work.steps = steps * rounds * one.steps;
    work.row_steps = steps * rounds * one.row_steps;
  }
  // Forward and back is 3; the sampler's log-probabilities once more, and the reference's.
  const double passes = recipe.loss.beta > 0 ? 5 : 4;
  work.learned = passes * steps * batch * batches * (prompt + kWrittenShare * most);
  work.micro_batches = steps * batches;
  work.seconds_max = spec.max_seconds;
  work.batch_tokens = batch * (prompt + most);
  AddEvaluations(spec, steps, prompt, &work);
  return work;
}

Work SftWork(const SftRecipe& recipe, const RowFacts& rows) {
  const TrainSpec& spec = recipe.train;
  Work work;
  const auto batch = static_cast<double>(spec.per_device_train_batch_size);
  const auto batches = static_cast<double>(spec.gradient_accumulation_steps);
  const double around = Bytes(spec.data.prompt_prefix, spec.data.prompt_suffix) / 3;
  auto longest = static_cast<double>(recipe.max_length);
  if (spec.model.config.IsObject())
    longest = std::min(longest, spec.model.config.DoubleOr("max_position_embeddings", longest));
  const double known = rows.prompt_tokens() + rows.reply_tokens();
  const double length = known > 0 ? std::min(longest, known + around) : longest;
  const double steps = StepsOf(spec, batch * batches, rows.rows);
  work.learned = 3 * steps * batch * batches * length;
  work.micro_batches = steps * batches;
  work.seconds_max = spec.max_seconds;
  work.batch_tokens = batch * longest;
  AddEvaluations(spec, steps, rows.prompt_tokens() + around, &work);
  return work;
}

// Bytes beside the weights: what every layer keeps of a micro-batch for the way back (with gradient_checkpointing of one layer all, of
// the others what comes in), and its logits with their gradient.
double ActivationBytes(const TrainSpec& spec, const ModelSize& size, double tokens) {
  const double width = spec.model.dtype == "bfloat16" || spec.model.dtype == "bf16" ? 2 : 4;
  const double kept = spec.gradient_checkpointing ? 14 + size.layers : 14 * size.layers;
  return width * size.hidden * kept * tokens +
         2 * 4 * std::min(kLogitsAtOnce, tokens * size.vocabulary);
}

Work EstimateTraining(const Json& json, const StageSpec& stage, const RowFacts& rows,
                      const ModelSize& size, StageEstimate* estimate) {
  std::string text;
  for (const Json::Member& member : *json.AsObject())
    StrAppend(&text, member.key, " = ", TomlText(member.value), "\n");
  TrainSpec spec;
  bool reference = false;
  Work work;
  if (stage.kind == StageKind::kGrpo) {
    const Result<GrpoRecipe> parsed = GrpoRecipeFromToml(text, "", {});
    if (!parsed.ok()) return work;
    spec = parsed->train;
    reference = parsed->loss.beta > 0;
    work = GrpoWork(*parsed, rows);
  } else {
    const Result<SftRecipe> parsed = SftRecipeFromToml(text, "", {});
    if (!parsed.ok()) return work;
    spec = parsed->train;
    work = SftWork(*parsed, rows);
  }
  const double p = size.parameters;
  estimate->gpu = StartsWith(spec.model.device, "cuda");
  estimate->memory_bytes = p * (kTrainedBytes + (reference ? kReferenceBytes : 0) +
                                (spec.model.dtype == "bfloat16" ? 2 : 0)) +
                           ActivationBytes(spec, size, work.batch_tokens) + kLibraryBytes;
  const auto kept = spec.save_steps > 0 ? static_cast<double>(spec.save_total_limit + 1) : 1.0;
  estimate->disk_bytes = p * ((reference ? 16 : 12) * kept +
                              (spec.save_dtype == "bfloat16" ? 2 : 4) * (spec.keep_best ? 2 : 1));
  return work;
}

double SecondsOf(const Work& work, const ModelSize& size, bool gpu) {
  const double flops = gpu ? kFlopsOfGpu : kFlopsPerCore * std::max(1, UsableCores());
  const double sampling = 2 * size.parameters * work.sampled / flops +
                          kLayerStep * size.layers * work.steps + kRowStep * work.row_steps;
  const double learning = std::max(2 * size.parameters * work.learned / flops,
                                   kLayerBatch * size.layers * work.micro_batches);
  const double seconds = sampling + learning;
  return work.seconds_max > 0 ? std::min(seconds, work.seconds_max) : seconds;
}

}  // namespace

StageEstimate Estimator::Of(const StageSpec& stage) {
  StageEstimate estimate;
  const RowFacts rows = rows_.OfAll(stage.data);
  const ModelSize size = stage.model.empty() ? ModelSize{} : ModelSizeOf(recipe_, stage.model);
  estimate.parameters = size.parameters;
  if (size.parameters <= 0) {
    const double handled =
        stage.kind == StageKind::kProblems ? rows_.Of(stage.name).rows : rows.rows;
    estimate.seconds = kCommandStart + handled / kRowsPerSecond;
    return estimate;
  }
  const bool trains = stage.kind == StageKind::kSft || stage.kind == StageKind::kGrpo ||
                      stage.kind == StageKind::kDistill;
  if (!trains) {
    Work work;
    AddSamplingStage(stage.options, rows, &work);
    estimate.gpu = StartsWith(stage.options.StringOr("device", "cpu"), "cuda");
    estimate.memory_bytes = 4 * size.parameters + kLibraryBytes;
    estimate.seconds =
        (estimate.gpu ? kSamplerStartOnGpu : kSamplerStart) + SecondsOf(work, size, estimate.gpu);
    return estimate;
  }
  const Result<Json> json = TrainingRecipe(recipe_, stage, out_);
  if (!json.ok()) return estimate;
  const bool distills = stage.kind == StageKind::kDistill;
  const RowFacts taught = distills ? rows_.Of(stage.name) : rows;
  const Work work = EstimateTraining(*json, stage, taught, size, &estimate);
  estimate.seconds =
      (estimate.gpu ? kTrainerStartOnGpu : kTrainerStart) + SecondsOf(work, size, estimate.gpu);
  if (distills) estimate.seconds += SecondsOfTeacher(stage, rows);
  return estimate;
}

// A distillation's sampling.
double Estimator::SecondsOfTeacher(const StageSpec& stage, const RowFacts& rows) {
  Work work;
  AddSamplingStage(stage.generate.IsObject() ? stage.generate : Json::MakeObject(), rows, &work);
  const bool gpu =
      stage.generate.IsObject() && StartsWith(stage.generate.StringOr("device", "cpu"), "cuda");
  return (gpu ? kSamplerStartOnGpu : kSamplerStart) +
         SecondsOf(work, ModelSizeOf(recipe_, stage.teacher), gpu);
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
