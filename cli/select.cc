// assay select: rejection sampling; which samples of a stored run are worth training on.
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "core/text.h"
#include "datagen/select/select.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

struct SelectFlags {
  std::string store;
  SelectOptions options;
};

int RunSelect(Context* context, SelectFlags flags) {
  flags.options.seed = context->global.seed;
  flags.options.tool_version = Version();
  if (Status status = context->CheckOutput({flags.store}); !status.ok())
    return Fail(*context, status.error());
  Result<std::unique_ptr<Store>> store = Store::Open(flags.store, OpenMode::kReadWrite);
  if (!store.ok()) return Fail(*context, store.error());
  Result<SelectResult> result = SelectSamples(store->get(), flags.options);
  if (!result.ok()) return Fail(*context, result.error());
  if (!result->run_finished) {
    Warn(*context,
         StrCat("run '", flags.options.run,
                "' is not finished: what `assay score --resume` adds later is not in data set '",
                flags.options.dataset, "'"));
  }
  if (context->global.json()) {
    Json out = result->ToJson();
    out.Set("dataset", flags.options.dataset)
        .Set("run", flags.options.run)
        .Set("strategy", flags.options.strategy);
    return context->Output(out.Dump() + "\n");
  }
  return context->Output(
      StrCat("data set '", flags.options.dataset, "' in ", flags.store, ": ", result->ToText()));
}

}  // namespace

void AddSelectCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<SelectFlags>();
  SelectOptions& options = flags->options;
  CLI::App* command = app->add_subcommand(
      "select", "Rejection sampling: keep the samples of a run that are worth training on");
  command->add_option("--store", flags->store, "The SQLite file that `assay score --store` wrote")
      ->required()
      ->type_name("FILE");
  options.run = "default";
  command->add_option("--run", options.run, "The run to select from")
      ->capture_default_str()
      ->type_name("NAME");
  command->add_option("--strategy", options.strategy, "all-correct or best-of-n")
      ->required()
      ->type_name("NAME");
  command->add_option("--dataset", options.dataset, "Name of the data set to make")
      ->required()
      ->type_name("NAME");
  command->add_flag("--replace", options.replace,
                    "Make the data set anew if there is one of that name");
  command
      ->add_option("--max-per-problem", options.max_per_problem,
                   "all-correct: at most N of one problem, drawn with --seed (0: all)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command->add_flag("--keep-duplicates", options.keep_duplicates,
                    "all-correct: keep identical texts of one problem");
  command
      ->add_option(
          "--min-reward", options.min_reward,
          "best-of-n: the least reward worth keeping (default: anything above 0), of samples "
          "that pass what decides: the terms of the greatest weight, and gates")
      ->type_name("R");
  command->add_flag("--keep-failed", options.keep_failed,
                    "best-of-n: also samples that do not pass what decides (partial credit)");
  command->add_flag("--drop-truncated", options.drop_truncated,
                    "Leave out replies that were cut off (finish_reason length)");
  command->callback(
      [context, flags] { context->run = [context, flags] { return RunSelect(context, *flags); }; });
}

}  // namespace assay
