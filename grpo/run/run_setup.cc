#include "grpo/run/run_setup.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "core/jsonl.h"
#include "core/text.h"
#include "grpo/config/fresh_config.h"
#include "grpo/model/int8_layers.h"
#include "grpo/model/lora.h"
#include "grpo/model/shards.h"
#include "grpo/model/torch_error.h"
#include "grpo/model/weights.h"
#include "grpo/run/checkpoint.h"
#include "grpo/run/memory.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

Result<std::shared_ptr<const Tokenizer>> TokenizerOf(const ModelSpec& spec) {
  if (spec.tokenizer == "characters") return Tokenizer::Characters(spec.alphabet);
  if (spec.tokenizer == "words") {
    std::vector<std::string> words;
    for (std::string_view word : SplitChar(spec.alphabet, ' ')) {
      words.emplace_back(word);
      // Inside of a text a word's space belongs to it.
      if (word.size() > 1 && static_cast<unsigned char>(word[0]) < 0x80 && word[0] >= 'A')
        words.push_back(StrCat(" ", word));
    }
    return Tokenizer::Words(words);
  }
  return Tokenizer::Load(spec.tokenizer);
}

// [model.config] with what the tokenizer knows filled in.
Result<Model> FreshModel(const ModelSpec& spec, const Tokenizer& tokenizer, int64_t seed,
                         const LoadOptions& options) {
  Json config = spec.config.IsObject() ? spec.config : Json::MakeObject();
  const auto fill = [&](const char* key, Json value) {
    if (config.Find(key) == nullptr) config.Set(key, std::move(value));
  };
  fill("eos_token_id", tokenizer.eos_id());
  fill("pad_token_id", tokenizer.pad_id());
  fill("bos_token_id", tokenizer.bos_id());
  const Result<ModelConfig> parsed = FreshModelConfig(config, tokenizer.vocab_size());
  if (!parsed.ok()) return parsed.error();
  Result<Model> model = RandomModel(*parsed, static_cast<uint64_t>(seed), spec.init_std, options);
  if (!model.ok() || model->source != nullptr) return model;
  return PackModel(std::move(*model));
}

// Of several processes each takes a GPU of its own, or the only one that it is shown.
std::string DeviceOf(const std::string& name, int64_t local_rank) {
  if (name != "cuda" || local_rank < 0 || !at::hasCUDA()) return name;
  const auto count = c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA)->deviceCount();
  return count == 0 ? name : StrCat("cuda:", local_rank % count);
}

// What is frozen under an adapter needs no more precision than is computed with; in 8 bits the layers have less.
Model Freeze(const TrainSpec& spec, at::ScalarType dtype, at::Device device, Model model) {
  if (spec.load_in_8bit) return Int8Layers::Quantize(std::move(model), dtype, device);
  if (const Shards* shards = ShardsOf(model); shards != nullptr) {
    model.source = shards->Frozen(dtype);
    return model;
  }
  return CastModel(model, dtype);
}

// The adapter that the recipe names or asks for.
Status AddAdapter(const TrainSpec& spec, at::ScalarType dtype, at::Device device, Model* policy) {
  if (!spec.model.adapter.empty()) {
    if (Status status = LoadLora(spec.model.adapter, policy); !status.ok()) return status;
    if (!spec.use_peft) *policy = CastModel(*policy, policy->dtype());
  }
  if (!spec.use_peft) return {};
  std::shared_ptr<Lora> lora = std::exchange(policy->lora, nullptr);
  *policy = Freeze(spec, dtype, device, std::exchange(*policy, Model{}));
  policy->lora = std::move(lora);
  if (policy->lora == nullptr)
    return AddLora(spec.lora, spec.model.path, static_cast<uint64_t>(spec.seed), policy);
  for (LoraPair& pair : policy->lora->pairs) {
    pair.a = pair.a.to(device);
    pair.b = pair.b.to(device);
  }
  return {};
}

// The policy on the device, and the model's own tokenizer where the recipe names none.
Status LoadPolicy(const TrainSpec& spec, at::Device device, LoadOptions options,
                  PolicySetup* setup) {
  if (spec.model.path.empty()) {
    if (setup->tokenizer == nullptr) {
      return Error{
          ErrorCode::kUsage, "a model of random weights needs a tokenizer",
          "set model.tokenizer = \"characters\" and model.alphabet, or a tokenizer's path"};
    }
    Result<Model> model = FreshModel(spec.model, *setup->tokenizer, spec.seed, options);
    if (!model.ok()) return model.error();
    setup->policy = std::move(*model);
    return {};
  }
  // What will be in 8 bits need not fit on the device before, nor what is frozen in float32.
  if (spec.load_in_8bit) {
    options.device = "cpu";
  } else if (spec.use_peft && options.exchange == nullptr) {
    options.dtype = setup->compute.dtype;
  }
  Result<LoadedModel> loaded = LoadModel(spec.model.path, options);
  if (!loaded.ok()) return loaded.error();
  const bool packed = !spec.load_in_8bit && loaded->model.source == nullptr;
  setup->policy = packed ? PackModel(std::move(loaded->model)) : std::move(loaded->model);
  Status added;
  const Status caught = CatchTorch("adding an adapter", [&]() -> Status {
    added = AddAdapter(spec, setup->compute.dtype, device, &setup->policy);
    return {};
  });
  if (!caught.ok() || !added.ok()) return caught.ok() ? added : caught;
  if (setup->tokenizer == nullptr) setup->tokenizer = loaded->tokenizer;
  return {};
}

Status CheckTokenizer(const TrainSpec& spec, const PolicySetup& setup) {
  if (setup.tokenizer == nullptr) {
    return Error{ErrorCode::kInput, StrCat("'", spec.model.path, "' has no tokenizer"),
                 "set model.tokenizer"};
  }
  if (setup.tokenizer->vocab_size() <= setup.policy.config.vocab_size) return {};
  return Error{
      ErrorCode::kInput,
      StrCat("the tokenizer has ", setup.tokenizer->vocab_size(), " tokens, the model's embedding ",
             setup.policy.config.vocab_size, " rows"),
      "use the tokenizer that came with the model (model.tokenizer), or give [model.config] "
      "no vocab_size"};
}

}  // namespace

Result<PolicySetup> SetUpPolicy(const TrainSpec& spec, Processes* processes) {
  if (spec.threads > 0) at::set_num_threads(static_cast<int>(spec.threads));
  const bool several = processes != nullptr && !processes->alone();
  PolicySetup setup;
  Result<at::ScalarType> dtype = ParseDtype(spec.model.dtype);
  if (!dtype.ok()) return dtype.error();
  setup.compute.dtype = *dtype;
  setup.compute.checkpoint = spec.gradient_checkpointing;
  LoadOptions options;
  options.device = DeviceOf(spec.model.device, several ? processes->local_rank() : -1);
  if (several && spec.optim.shard == "weights") options.exchange = processes;
  Result<at::Device> device = ParseDevice(options.device);
  if (!device.ok()) return device.error();
  if (device->is_cuda() && device->has_index())
    c10::impl::getDeviceGuardImpl(device->type())->setDevice(*device);
  if (!spec.model.tokenizer.empty()) {
    Result<std::shared_ptr<const Tokenizer>> tokenizer = TokenizerOf(spec.model);
    if (!tokenizer.ok()) return tokenizer.error();
    setup.tokenizer = *tokenizer;
  }
  if (Status s = LoadPolicy(spec, *device, options, &setup); !s.ok()) return s.error();
  if (Status s = CheckTokenizer(spec, setup); !s.ok()) return s.error();
  if (device->is_cpu()) {
    const int64_t owners = options.exchange != nullptr ? processes->count() : 1;
    const Status fits = CheckMemory(CountTrainable(setup.policy) / owners, AvailableBytes());
    if (!fits.ok()) return fits.error();
  }
  const std::vector<int64_t>& stops = setup.policy.config.eos_ids;
  setup.eos_id =
      setup.tokenizer->eos_id() >= 0 || stops.empty() ? setup.tokenizer->eos_id() : stops[0];
  return setup;
}

namespace {

// Without terms: the row's task decides.
Result<RubricSpec> ReadRubric(const RewardConfig& config) {
  if (!config.rubric.empty()) {
    Result<std::string> text = ReadFile(config.rubric);
    if (!text.ok()) return text.error();
    return RubricFromToml(*text, config.rubric);
  }
  return config.verifiers.empty() ? RubricSpec() : RubricFromNames(config.verifiers);
}

// Those that have nothing to say of a row without an answer or tests (docs/reasons.md: gold_missing, gold_no_tests). `sql` has keys of
// its own.
bool ReadsReference(std::string_view verifier) {
  for (const char* name : {"choice", "code", "exact", "math", "numeric", "qa"}) {
    if (verifier == name) return true;
  }
  return false;
}

}  // namespace

Result<std::shared_ptr<const Rubric>> SetUpRubric(const RewardConfig& config,
                                                  const VerifierEnv& env) {
  const Result<RubricSpec> spec = ReadRubric(config);
  if (!spec.ok()) return spec.error();
  Result<std::unique_ptr<Rubric>> rubric = Rubric::Make(*spec, env);
  if (!rubric.ok()) return rubric.error();
  return std::shared_ptr<const Rubric>(std::move(*rubric));
}

std::string UnjudgedNote(const RewardConfig& config, const std::vector<Problem>& problems,
                         const std::string& what) {
  const Result<RubricSpec> spec = ReadRubric(config);
  if (!spec.ok()) return "";  // SetUpRubric says it
  const bool by_terms =
      std::any_of(spec->terms.begin(), spec->terms.end(),
                  [](const RubricTerm& term) { return ReadsReference(term.verifier); });
  int64_t without_task = 0, without_reference = 0;
  for (const Problem& problem : problems) {
    if (spec->terms.empty() && FindVerifier(problem.task) == nullptr) ++without_task;
    const bool asked = spec->terms.empty() ? ReadsReference(problem.task) : by_terms;
    if (asked && problem.answers.empty() && problem.verification_info.IsNull()) ++without_reference;
  }
  std::string note;
  if (without_task > 0)
    note = StrCat(without_task, " of ", problems.size(), " ", what,
                  " name no verifier as their task, and the recipe has neither reward.verifiers "
                  "nor reward.rubric");
  if (without_reference > 0)
    StrAppend(&note, note.empty() ? "" : "; ", without_reference, " of ", problems.size(), " ",
              what, " have no reference (answer, solution, ground_truth, verification_info ..)");
  return note;
}

RewardPool::Options PoolOptions(const RewardConfig& config) {
  return {static_cast<int>(config.threads), config.timeout_s, config.on_timeout == "fail"};
}

bool Interrupted(const TrainEnv& env) {
  return env.interrupted != nullptr && env.interrupted->load();
}

Result<int64_t> LongestPrompt(const TrainSpec& spec, const ModelConfig& config) {
  const int64_t room = config.max_position - spec.max_completion_length;
  if (room <= 0) {
    return Error{
        ErrorCode::kUsage,
        StrCat("max_completion_length = ", spec.max_completion_length,
               " leaves no room for a prompt: the model has ", config.max_position, " positions"),
        "lower max_completion_length"};
  }
  return spec.data.max_prompt_length > 0 ? std::min(room, spec.data.max_prompt_length) : room;
}

SamplingParams SamplingOf(const TrainSpec& spec) {
  SamplingParams params;
  params.temperature = spec.temperature;
  params.top_p = spec.top_p;
  params.top_k = spec.top_k;
  params.min_p = spec.min_p;
  params.repetition_penalty = spec.repetition_penalty;
  params.max_new_tokens = spec.max_completion_length;
  params.min_new_tokens = spec.min_completion_length;
  params.stop = spec.stop;
  return params;
}

GenerateOptions RolloutOptions(const TrainSpec& spec, const TrainEnv& env) {
  GenerateOptions options;
  options.sampling = SamplingOf(spec);
  options.max_rows = spec.generation_rows;
  options.cancelled = [&env] { return Interrupted(env); };
  return options;
}

Result<std::string> OpenRunFolder(const TrainEnv& env, const Json& recipe) {
  const fs::path folder(env.out);
  const std::string file = (folder / "recipe.json").string();
  const std::string checkpoint = LatestCheckpoint(env.out);
  if (!env.resume && (fs::exists(file) || !checkpoint.empty())) {
    return Error{ErrorCode::kUsage, StrCat("'", env.out, "' already holds a run"),
                 "--resume goes on with it; or give another --out"};
  }
  if (fs::exists(file)) {
    Result<std::string> text = ReadFile(file);
    if (!text.ok()) return text.error();
    Result<Json> saved = ParseJson(*text);
    if (!saved.ok()) return saved.error();
    const std::string key = FirstFixedDifference(*saved, recipe);
    if (!key.empty()) {
      return Error{ErrorCode::kUsage, StrCat("'", key, "' differs from the run in '", env.out, "'"),
                   "a resumed run keeps its recipe; use another --out for a new one"};
    }
  }
  std::error_code code;
  fs::create_directories(folder, code);
  if (code)
    return Error{ErrorCode::kIo, StrCat("cannot make '", env.out, "': ", code.message()),
                 "give another --out"};
  return checkpoint;
}

Status ClaimRunFolder(const TrainEnv& env, const Json& recipe) {
  return WriteFileAtomic((fs::path(env.out) / "recipe.json").string(), recipe.Dump() + "\n");
}

void UnclaimRunFolder(const TrainEnv& env) {
  std::error_code code;
  for (const char* name :
       {"recipe.json", "samples.sqlite", "samples.sqlite-wal", "samples.sqlite-shm"})
    fs::remove(fs::path(env.out) / name, code);
}

Schedule MakeSchedule(const OptimSpec& optim, int64_t total_steps) {
  Schedule schedule;
  schedule.kind = optim.lr_scheduler_type == "cosine"     ? ScheduleKind::kCosine
                  : optim.lr_scheduler_type == "constant" ? ScheduleKind::kConstant
                                                          : ScheduleKind::kLinear;
  schedule.learning_rate = optim.learning_rate;
  schedule.total_steps = total_steps;
  schedule.min_ratio = optim.min_lr_ratio;
  schedule.warmup_steps = optim.warmup_steps > 0
                              ? optim.warmup_steps
                              : static_cast<int64_t>(std::ceil(optim.warmup_ratio * total_steps));
  return schedule;
}

double ValueOf(const NamedValues& values, const std::string& name, double fallback) {
  for (const auto& [key, value] : values) {
    if (key == name) return value;
  }
  return fallback;
}

}  // namespace assay
