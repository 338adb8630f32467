// assay pipeline: a recipe of stages, each of which is done by commands that exist on their own. assay mix: rows of several files by
// shares.
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "core/text.h"
#include "datagen/pipeline/mix.h"
#include "datagen/pipeline/pipeline.h"

namespace assay {
namespace {

struct PipelineFlags {
  std::string recipe;
  std::vector<std::string> overrides;
  bool dry_run = false;
  PipelineOptions options;
};

int RunPipelineCommand(Context* context, PipelineFlags flags) {
  std::vector<std::string> overrides = flags.overrides;
  if (context->global.seed != 0)
    overrides.insert(overrides.begin(), StrCat("seed=", context->global.seed));
  Result<PipelineRecipe> recipe = ReadPipelineRecipe(flags.recipe, overrides);
  if (!recipe.ok()) return Fail(*context, recipe.error());
  if (flags.options.out.empty()) flags.options.out = StrCat("out/", recipe->name);
  if (flags.dry_run) {
    Result<std::string> picture = DrawPipeline(*recipe, flags.options.out);
    if (!picture.ok()) return Fail(*context, picture.error());
    return context->Output(*picture);
  }
  context->polls_interrupted = true;
  flags.options.interrupted = &context->interrupted;
  flags.options.assay = SiblingPath("assay");
  flags.options.train = SiblingPath("assay-train");
  flags.options.tool_version = Version();
  flags.options.note = [context](const std::string& sentence) { Note(*context, sentence); };
  Result<PipelineSummary> summary = RunPipeline(*recipe, flags.options);
  if (!summary.ok()) return Fail(*context, summary.error());
  Note(*context, StrCat(summary->ran, " stages ran, ", summary->kept, " unchanged; ",
                        flags.options.out, "/report.html",
                        summary->interrupted ? "; interrupted, the same command goes on" : ""));
  return summary->interrupted ? kExitInterrupted : kExitOk;
}

}  // namespace

void AddPipelineCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<PipelineFlags>();
  CLI::App* command = app->add_subcommand(
      "pipeline", "Run a recipe of stages: train, sample, score, select, mix, evaluate, distill");
  command->add_option("recipe", flags->recipe, "Recipe (TOML); docs/pipeline.md lists its keys")
      ->required()
      ->type_name("RECIPE.toml");
  command->add_option("--out", flags->options.out, "Folder of the stages (default: out/NAME)")
      ->type_name("DIR");
  command->add_flag("--dry-run", flags->dry_run,
                    "Check and draw the graph with estimates; run nothing");
  CLI::Option* from =
      command->add_option("--from", flags->options.from, "Begin at this stage")->type_name("STAGE");
  CLI::Option* until = command->add_option("--until", flags->options.until, "End with this stage")
                           ->type_name("STAGE");
  command->add_option("--only", flags->options.only, "This stage alone")
      ->type_name("STAGE")
      ->excludes(from)
      ->excludes(until);
  command
      ->add_option(
          "--set", flags->overrides,
          "Override an option of a stage, or the seed: --set zero.max_steps=10 (repeatable)")
      ->type_name("STAGE.KEY=VALUE")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command->callback([context, flags] {
    context->run = [context, flags] { return RunPipelineCommand(context, *flags); };
  });
}

void AddMixCommand(CLI::App* app, Context* context) {
  struct Flags {
    std::vector<std::string> files;
    std::vector<double> shares;
    int64_t count = 0;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App* command =
      app->add_subcommand("mix", "Rows of several files, by shares, in an order drawn by --seed");
  command->add_option("FILE", flags->files, "JSON Lines, plain or .gz")->required();
  command
      ->add_option("--share", flags->shares,
                   "Of the mixture, one for each file in order (repeatable); none: all rows")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all()
      ->check(CLI::NonNegativeNumber);
  command->add_option("--count", flags->count, "Rows that come out; 0: as many as the shares allow")
      ->check(CLI::NonNegativeNumber);
  command->callback([context, flags] {
    context->run = [context, flags]() -> int {
      if (Status s = context->CheckOutput(flags->files); !s.ok()) return Fail(*context, s.error());
      MixSpec spec{flags->files, flags->shares, flags->count, context->global.seed};
      Result<std::vector<int64_t>> taken = MixRows(spec, context->global.output);
      if (!taken.ok()) return Fail(*context, taken.error());
      std::string text;
      for (size_t i = 0; i < taken->size(); ++i)
        StrAppend(&text, i == 0 ? "" : "; ", flags->files[i], ": ", WithThousands((*taken)[i]),
                  " rows");
      Note(*context, text);
      return kExitOk;
    };
  });
}

}  // namespace assay
