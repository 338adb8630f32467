// assay-train: the commands that need LibTorch (sft, grpo, generate). `assay` runs this program for them; called directly it takes
// the same words. Exit codes and error style are those of `assay`.
#include <ATen/Context.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/version.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "cli/command.h"
#include "cli/front.h"
#include "cli/processes.h"
#include "core/jsonl.h"
#include "core/progress.h"
#include "core/rows/group_json.h"
#include "core/text.h"
#include "datagen/generate/generate_run.h"
#include "grpo/grpo_trainer.h"
#include "grpo/model/cuda/runtime.h"
#include "grpo/model/weights.h"
#include "grpo/rollout/generate.h"
#include "grpo/run/few_shot.h"
#include "grpo/run/gguf_export.h"
#include "grpo/run/memory_plan.h"
#include "grpo/run/train_data.h"
#include "grpo/sft_trainer.h"

namespace assay {
namespace {

struct RunArguments {
  std::string recipe;
  std::vector<std::string> overrides;
  int processes = 1;
  std::vector<std::string> words;  // of the command line, to be said again to further processes
  TrainEnv env;
};

void AddRunOptions(CLI::App* command, RunArguments* arguments) {
  command->add_option("recipe", arguments->recipe, "Recipe (TOML); docs/training.md lists its keys")
      ->required()
      ->type_name("RECIPE.toml");
  command
      ->add_option("--set", arguments->overrides,
                   "Override a key of the recipe: --set learning_rate=1e-5 (repeatable)")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command
      ->add_option("--out", arguments->env.out,
                   "Folder of the run: metrics.jsonl, checkpoints, model")
      ->required()
      ->type_name("DIR");
  command
      ->add_option("--processes,--gpus", arguments->processes,
                   "Share the work among so many processes of this machine, one a GPU (torchrun's "
                   "environment does the same for several machines)")
      ->check(CLI::Range(1, 1024));
  command->add_flag("--resume", arguments->env.resume, "Go on from the newest checkpoint in --out");
}

int Finish(const Context& context, const Result<TrainSummary>& result, const std::string& out) {
  if (!result.ok()) return Fail(context, result.error());
  Json line = Json::MakeObject();
  line.Set("steps", result->steps).Set("stopped_by", result->stopped_by).Set("out", out);
  for (const auto& [name, value] : result->last_eval) line.Set(name, value);
  if (!result->speaks) {
    // The first process of the run says it.
  } else if (context.global.json()) {
    const int code = context.Output(line.Dump() + "\n");
    if (code != kExitOk) return code;
  } else {
    Note(context,
         StrCat(result->steps, " steps, stopped by ", result->stopped_by, "; ",
                result->interrupted ? "--resume goes on" : StrCat("model in ", out, "/model")));
  }
  return result->interrupted ? kExitInterrupted : kExitOk;
}

// `Parse` reads the recipe, `run` trains.
template <typename Recipe>
int RunRecipe(Context* context, RunArguments* arguments,
              Result<Recipe> (*parse)(const std::string&, const std::string&,
                                      const std::vector<std::string>&),
              Result<TrainSummary> (*run)(const Recipe&, const TrainEnv&)) {
  if (arguments->processes > 1 && std::getenv("WORLD_SIZE") == nullptr)
    return RunProcesses(context, arguments->processes, arguments->words);
  Result<std::string> text = ReadFile(arguments->recipe);
  if (!text.ok()) return Fail(*context, text.error());
  std::vector<std::string> overrides = arguments->overrides;
  if (std::getenv("ASSAY_SEED") != nullptr || context->global.seed != 0) {
    overrides.insert(overrides.begin(), StrCat("seed=", context->global.seed));
  }
  Result<Recipe> recipe = parse(*text, arguments->recipe, overrides);
  if (!recipe.ok()) return Fail(*context, recipe.error());
  arguments->env.progress =
      !context->global.no_progress && !context->global.quiet && Progress::StderrIsTerminal();
  arguments->env.note = [context](const std::string& sentence) { Note(*context, sentence); };
  arguments->env.interrupted = &context->interrupted;
  arguments->env.verifiers = context->MakeEnv();
  // The step that is at work when the run is interrupted is still learnt from: its rewards are waited for.
  arguments->env.verifiers.interrupted = nullptr;
  arguments->env.tool_version = Version();
  return Finish(*context, run(*recipe, arguments->env), arguments->env.out);
}

// --- generate ---------------------------------------------------------------------------------------------------------

struct GenerateArguments {
  std::vector<std::string> files;
  std::string prompt;
  std::string few_shot;
  std::string model;
  std::string device = "cpu";
  std::string dtype = "float32";
  int64_t samples = 1;
  int64_t chunk = 64;  // problems sampled side by side, then written
  int64_t limit = 0;   // problems; 0: all
  DataSpec data;       // what stands around a prompt
  GenerateOptions options;
};

void AddGenerateOptions(CLI::App* command, GenerateArguments* a) {
  SamplingParams* s = &a->options.sampling;
  command->add_option("files", a->files, "Problems (JSON Lines; - for standard input)")
      ->type_name("FILE");
  command->add_option("--prompt", a->prompt,
                      "One prompt instead of files; its completions as text");
  command->footer(
      "assay generate --endpoint URL or --command SHELL samples elsewhere, into a store "
      "(assay generate --endpoint URL --help).");
  command
      ->add_option("--model", a->model, "Folder with config.json and safetensors, or a .gguf file")
      ->required()
      ->type_name("PATH");
  command->add_option("-n,--samples", a->samples, "Completions of each problem")
      ->check(CLI::Range(1, 1 << 20));
  command->add_option("--temperature", s->temperature, "0 is greedy");
  command->add_option("--top-p", s->top_p);
  command->add_option("--top-k", s->top_k, "0 is off");
  command->add_option("--min-p", s->min_p);
  command->add_option("--repetition-penalty", s->repetition_penalty);
  command->add_option("--max-new-tokens", s->max_new_tokens)->check(CLI::Range(1, 1 << 24));
  command->add_option("--stop", s->stop, "Texts that end a completion (repeatable)")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command
      ->add_option("--rows", a->options.max_rows,
                   "Completions decoded side by side; 0: 64 on a CPU, as many as fit on a GPU")
      ->check(CLI::Range(0, 1 << 16));
  command->add_option("--limit", a->limit, "Only the first so many problems (0: all)")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--prompt-prefix", a->data.prompt_prefix, "Stands before each plain prompt");
  command->add_option("--prompt-suffix", a->data.prompt_suffix, "Stands after each plain prompt");
  command->add_option("--system-prompt", a->data.system_prompt,
                      "The first message; makes a chat of a plain prompt");
  command
      ->add_option(
          "--few-shot", a->few_shot,
          "Rows with a prompt and a completion, shown before each problem: turns of a chat, "
          "or text in front of a plain prompt")
      ->type_name("FILE");
  command->add_option("--device", a->device, "cpu, cuda, cuda:1");
  command->add_option("--dtype", a->dtype, "float32 or bfloat16");
}

// Completions of one prompt, for people.
Status GenerateText(Context* context, const GenerateArguments& arguments,
                    const LoadedModel& loaded) {
  Result<Problem> problem =
      MakeProblem(Json::MakeObject().Set("prompt", arguments.prompt), arguments.data);
  if (!problem.ok()) return problem.error();
  GenerateOptions options = arguments.options;
  options.cancelled = [context] { return context->interrupted.load(); };
  Result<std::vector<Group>> groups =
      GenerateGroups(loaded.model, *loaded.tokenizer, arguments.model, {*problem},
                     arguments.samples, context->global.seed, options);
  if (!groups.ok()) return groups.error();
  Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(context->global.output);
  if (!writer.ok()) return writer.error();
  for (const Sample& sample : (*groups)[0].samples) {
    if (Status status = (*writer)->Write(sample.text); !status.ok()) return status;
  }
  return (*writer)->Close();
}

Status CheckSources(GenerateArguments* arguments) {
  if (!arguments->prompt.empty() && !arguments->files.empty())
    return Error{ErrorCode::kUsage, "files and --prompt are both given", "use one of them"};
  if (!arguments->prompt.empty() || !arguments->files.empty()) return {};
  if (isatty(STDIN_FILENO) == 0) {
    arguments->files = {"-"};
    return {};
  }
  return Error{ErrorCode::kUsage, "nothing to answer is given",
               "name files of problems, pipe them in, or ask one thing with --prompt TEXT; "
               "`assay problems` makes some"};
}

Status GenerateAll(Context* context, GenerateArguments arguments) {
  if (Status status = CheckSources(&arguments); !status.ok()) return status;
  Result<at::ScalarType> dtype = ParseDtype(arguments.dtype);
  if (!dtype.ok()) return dtype.error();
  // Cast as the trainers do: the GPU's decoder wants norms in float32 beside matrices of another dtype.
  Result<LoadedModel> loaded = LoadModel(arguments.model, {at::kFloat, arguments.device});
  if (!loaded.ok()) return loaded.error();
  loaded->model = CastModel(loaded->model, *dtype);
  const std::string note = NotFusedNote(loaded->model.config);
  if (loaded->model.device().is_cuda() && !note.empty()) Note(*context, note);
  if (loaded->tokenizer == nullptr)
    return Error{ErrorCode::kInput, StrCat("'", arguments.model, "' has no tokenizer"), ""};
  if (!arguments.prompt.empty()) return GenerateText(context, arguments, *loaded);
  Result<std::vector<Problem>> problems =
      LoadProblems(arguments.files, DataSpec{}, arguments.limit);
  if (!problems.ok()) return problems.error();
  // What is written says the problems as they came: who trains on it puts its own words around them.
  const std::vector<Problem> plain = *problems;
  std::vector<Message> examples;
  if (!arguments.few_shot.empty()) {
    Result<std::vector<Message>> read = ReadExamples(arguments.few_shot);
    if (!read.ok()) return read.error();
    examples = std::move(*read);
  }
  for (Problem& problem : *problems) {
    DressPrompt(arguments.data, &problem);
    ShowExamples(examples, arguments.data, &problem);
  }
  Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(context->global.output);
  if (!writer.ok()) return writer.error();
  GenerateOptions options = arguments.options;
  options.cancelled = [context] { return context->interrupted.load(); };
  const auto total = static_cast<int64_t>(problems->size());
  Progress progress("generate", total, !context->global.no_progress && !context->global.quiet);
  for (int64_t begin = 0; begin < total && !context->interrupted; begin += arguments.chunk) {
    const int64_t end = std::min(total, begin + arguments.chunk);
    const std::vector<Problem> part(problems->begin() + begin, problems->begin() + end);
    // Each chunk has streams of its own, so that a problem's samples do not depend on how many come before it in the chunk.
    Result<std::vector<Group>> groups = GenerateGroups(
        loaded->model, *loaded->tokenizer, arguments.model, part, arguments.samples,
        context->global.seed + static_cast<uint64_t>(begin) * 0x9E3779B97F4A7C15ULL, options);
    if (!groups.ok()) {
      if (context->interrupted) break;
      return groups.error();
    }
    for (size_t i = 0; i < groups->size(); ++i) {
      Group& group = (*groups)[i];
      group.problem = plain[static_cast<size_t>(begin) + i];
      if (Status status = (*writer)->Write(GroupToJson(group).Dump()); !status.ok()) return status;
    }
    if (Status status = (*writer)->Flush(); !status.ok()) return status;
    progress.Update(end);
  }
  progress.Done();
  return (*writer)->Close();
}

// --- gguf ---------------------------------------------------------------------------------------------------------------

struct GgufArguments {
  std::string model, type = "f16";
};

void AddGgufOptions(CLI::App* command, GgufArguments* a) {
  command->add_option("--model", a->model, "Folder with config.json, safetensors, tokenizer.json")
      ->required()
      ->type_name("DIR");
  command->add_option("--type", a->type, "Of the matrices: f32, f16, bf16 or q8_0")
      ->capture_default_str();
}

int WriteGguf(const Context& context, const GgufArguments& arguments) {
  const std::string& out = context.global.output;
  if (out.empty() || out == "-")
    return Fail(context, {ErrorCode::kUsage, "a GGUF file needs a name", "-o MODEL.gguf"});
  const Result<GgufOut> type = GgufOutFromName(arguments.type);
  if (!type.ok()) return Fail(context, type.error());
  if (Status status = ExportGguf(arguments.model, out, *type); !status.ok())
    return Fail(context, status.error());
  Note(context, "written: " + out);
  return kExitOk;
}

// --- plan, doctor -----------------------------------------------------------------------------------------------------

struct PlanArguments {
  std::string recipe;
  std::vector<std::string> overrides;
  int64_t prompt = 512, processes = 1;
  bool sft = false;
};

void AddPlanOptions(CLI::App* command, PlanArguments* a) {
  command->add_option("recipe", a->recipe, "Recipe of a run (TOML)")
      ->required()
      ->type_name("RECIPE.toml");
  command->add_option("--set", a->overrides, "Override a key of the recipe (repeatable)")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command->add_option("--prompt-tokens", a->prompt, "Tokens of the longest prompt")
      ->check(CLI::Range(1, 1 << 24));
  command->add_flag("--sft", a->sft, "The recipe is of a supervised run");
  command->add_option("--processes", a->processes, "Of so many processes, what one takes")
      ->check(CLI::Range(1, 4096));
}

// The model's shapes; of a folder only config.json is read.
Result<ModelConfig> ShapesOf(const ModelSpec& spec) {
  if (spec.path.empty()) return ModelConfigFromJson(spec.config);
  const Result<std::string> text = ReadFile(spec.path + "/config.json", size_t{16} << 20);
  if (!text.ok()) {
    Result<Model> model = LoadWeights(spec.path, {at::kBFloat16, "cpu"});
    if (!model.ok()) return model.error();
    return model->config;
  }
  Result<Json> json = ParseJson(*text);
  if (!json.ok()) return json.error();
  return ModelConfigFromJson(*json);
}

template <typename Recipe>
Result<MemoryPlan> PlanOf(const Result<Recipe>& recipe, const PlanArguments& arguments) {
  if (!recipe.ok()) return recipe.error();
  const Result<ModelConfig> config = ShapesOf(recipe->train.model);
  if (!config.ok()) return config.error();
  return PlanMemory(*config, *recipe, arguments.prompt, arguments.processes);
}

// Without starting anything: what a run would take of a GPU's memory.
int Plan(const Context& context, const PlanArguments& arguments) {
  Result<std::string> text = ReadFile(arguments.recipe);
  if (!text.ok()) return Fail(context, text.error());
  const Result<MemoryPlan> made =
      arguments.sft
          ? PlanOf(SftRecipeFromToml(*text, arguments.recipe, arguments.overrides), arguments)
          : PlanOf(GrpoRecipeFromToml(*text, arguments.recipe, arguments.overrides), arguments);
  if (!made.ok()) return Fail(context, made.error());
  const MemoryPlan& plan = *made;
  const double free = at::hasCUDA() && cuda::WhyNotUsable().empty() ? cuda::AvailableBytes() : -1;
  const std::pair<const char*, double> parts[] = {
      {"weights", plan.weights},   {"moments", plan.moments},   {"reference", plan.reference},
      {"sampling", plan.sampling}, {"learning", plan.learning}, {"peak", plan.peak()}};
  if (context.global.json()) {
    Json line = Json::MakeObject();
    for (const auto& [name, bytes] : parts) line.Set(StrCat(name, "_bytes"), bytes);
    if (free >= 0) line.Set("free_bytes", free);
    return context.Output(line.Dump() + "\n");
  }
  std::string out;
  for (const auto& [name, bytes] : parts)
    out += StrCat(name, std::string(12 - std::string(name).size(), ' '),
                  FixedDigits(bytes / 1e9, 2), " GB\n");
  if (free >= 0) out += StrCat("free        ", FixedDigits(free / 1e9, 2), " GB\n");
  return context.Output(out);
}

// What this program finds to compute with.
int Doctor(const Context& context) {
  std::string out =
      StrCat("LibTorch ", TORCH_VERSION, at::hasCUDA() ? " with" : " without", " CUDA\n");
  if (at::hasCUDA()) {
    const auto* guard = c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA);
    out += StrCat(static_cast<int>(guard->deviceCount()), " GPU(s)\n");
    const std::string missing = cuda::WhyNotUsable();
    out += missing.empty() ? StrCat("our kernels are compiled by NVRTC at their first use; ",
                                    FixedDigits(cuda::AvailableBytes() / 1e9, 1), " GB are free\n")
                           : StrCat("our kernels are off: ", missing, "\n");
  }
  return context.Output(out);
}

int Main(int argc, char** argv) {
  Context context;
  context.polls_interrupted = true;
  CLI::App app("Trains and samples with LibTorch: sft, grpo, generate.", "assay-train");
  app.set_version_flag("--version", std::string("assay-train ") + Version());
  app.require_subcommand(0, 1);
  AddGlobalOptions(&app, &context.global);
  RunArguments sft_arguments, grpo_arguments;
  sft_arguments.words = grpo_arguments.words = std::vector<std::string>(argv, argv + argc);
  GenerateArguments generate_arguments;
  CLI::App* sft = app.add_subcommand("sft", "Supervised fine-tuning");
  AddRunOptions(sft, &sft_arguments);
  sft->callback([&] {
    context.run = [&] {
      return RunRecipe<SftRecipe>(&context, &sft_arguments, SftRecipeFromToml, RunSft);
    };
  });
  CLI::App* grpo = app.add_subcommand("grpo", "Group-relative policy optimisation");
  AddRunOptions(grpo, &grpo_arguments);
  grpo->callback([&] {
    context.run = [&] {
      return RunRecipe<GrpoRecipe>(&context, &grpo_arguments, GrpoRecipeFromToml, RunGrpo);
    };
  });
  CLI::App* generate = app.add_subcommand("generate", "Sample answers from a model into groups");
  AddGenerateOptions(generate, &generate_arguments);
  generate->callback([&] {
    context.run = [&]() -> int {
      Status status = GenerateAll(&context, generate_arguments);
      if (!status.ok()) return Fail(context, status.error());
      return context.interrupted ? kExitInterrupted : kExitOk;
    };
  });
  GgufArguments gguf_arguments;
  CLI::App* gguf = app.add_subcommand("gguf", "Write a model folder as GGUF for llama.cpp");
  AddGgufOptions(gguf, &gguf_arguments);
  gguf->callback([&] { context.run = [&] { return WriteGguf(context, gguf_arguments); }; });
  PlanArguments plan_arguments;
  CLI::App* plan = app.add_subcommand("plan", "What a run would take of a GPU's memory");
  AddPlanOptions(plan, &plan_arguments);
  plan->callback([&] { context.run = [&] { return Plan(context, plan_arguments); }; });
  app.add_subcommand("doctor", "What there is to compute with")->callback([&] {
    context.run = [&] { return Doctor(context); };
  });
  AddHelpCommand(&app, &context);
  return ParseAndRun(&app, &context, argc, argv);
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  assay::cuda::PreferExpandableMemory();
  return assay::Main(argc, argv);
}
