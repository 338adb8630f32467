// assay-train: the commands that need LibTorch (sft, grpo, generate). `assay` runs this program for them; called directly it takes
// the same words. Exit codes and error style are those of `assay`.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "cli/command.h"
#include "cli/front.h"
#include "core/jsonl.h"
#include "core/progress.h"
#include "core/rows/group_json.h"
#include "core/text.h"
#include "grpo/grpo_trainer.h"
#include "grpo/model/weights.h"
#include "grpo/rollout/generate.h"
#include "grpo/run/train_data.h"
#include "grpo/sft_trainer.h"

namespace assay {
namespace {

struct RunArguments {
  std::string recipe;
  std::vector<std::string> overrides;
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
      ->take_all();
  command
      ->add_option("--out", arguments->env.out,
                   "Folder of the run: metrics.jsonl, checkpoints, model")
      ->required()
      ->type_name("DIR");
  command->add_flag("--resume", arguments->env.resume, "Go on from the newest checkpoint in --out");
}

int Finish(const Context& context, const Result<TrainSummary>& result, const std::string& out) {
  if (!result.ok()) return Fail(context, result.error());
  Json line = Json::MakeObject();
  line.Set("steps", result->steps).Set("stopped_by", result->stopped_by).Set("out", out);
  for (const auto& [name, value] : result->last_eval) line.Set(name, value);
  if (context.global.json()) {
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
  std::string model;
  std::string device = "cpu";
  std::string dtype = "float32";
  int64_t samples = 1;
  int64_t chunk = 64;  // problems sampled side by side, then written
  GenerateOptions options;
};

void AddGenerateOptions(CLI::App* command, GenerateArguments* a) {
  SamplingParams* s = &a->options.sampling;
  command->add_option("files", a->files, "Problems (JSON Lines)")->required()->type_name("FILE");
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
      ->take_all();
  command->add_option("--rows", a->options.max_rows, "Completions decoded side by side")
      ->check(CLI::Range(1, 1 << 16));
  command->add_option("--device", a->device, "cpu, cuda, cuda:1");
  command->add_option("--dtype", a->dtype, "float32 or bfloat16");
}

Status GenerateAll(Context* context, const GenerateArguments& arguments) {
  Result<at::ScalarType> dtype = ParseDtype(arguments.dtype);
  if (!dtype.ok()) return dtype.error();
  Result<LoadedModel> loaded = LoadModel(arguments.model, {*dtype, arguments.device});
  if (!loaded.ok()) return loaded.error();
  if (loaded->tokenizer == nullptr)
    return Error{ErrorCode::kInput, StrCat("'", arguments.model, "' has no tokenizer"), ""};
  Result<std::vector<Problem>> problems = LoadProblems(arguments.files, DataSpec{});
  if (!problems.ok()) return problems.error();
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
    for (const Group& group : *groups) {
      if (Status status = (*writer)->Write(GroupToJson(group).Dump()); !status.ok()) return status;
    }
    if (Status status = (*writer)->Flush(); !status.ok()) return status;
    progress.Update(end);
  }
  progress.Done();
  return (*writer)->Close();
}

int Main(int argc, char** argv) {
  Context context;
  context.polls_interrupted = true;
  CLI::App app("Trains and samples with LibTorch: sft, grpo, generate.", "assay-train");
  app.set_version_flag("--version", std::string("assay-train ") + Version());
  app.require_subcommand(0, 1);
  AddGlobalOptions(&app, &context.global);
  RunArguments sft_arguments, grpo_arguments;
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
  return ParseAndRun(&app, &context, argc, argv);
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) { return assay::Main(argc, argv); }
