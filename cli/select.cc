// assay select: rejection sampling; which samples of a stored run are worth training on.
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/table_flags.h"
#include "core/text.h"
#include "datagen/select/select.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

struct SelectFlags {
  std::string store;
  std::shared_ptr<Json> values = std::make_shared<Json>();  // of the table
  SelectOptions options;
  bool explain = false;
};

int RunSelect(Context* context, SelectFlags flags) {
  SelectOptions& options = flags.options;
  options.seed = context->global.seed;
  options.jobs = context->global.Jobs();
  options.tool_version = Version();
  options.interrupted = &context->interrupted;
  context->polls_interrupted = true;
  if (options.runs.empty()) options.runs = {"default"};
  if (Status status = SelectTable(&options).Read(*flags.values); !status.ok())
    return Fail(*context, status.error());
  if (Status status = context->CheckOutput({flags.store}); !status.ok())
    return Fail(*context, status.error());
  Result<std::unique_ptr<Store>> store = Store::Open(flags.store, OpenMode::kReadWrite);
  if (!store.ok()) return Fail(*context, store.error());
  Result<SelectResult> result = SelectSamples(store->get(), options);
  if (context->interrupted && !result.ok()) return kExitInterrupted;
  if (!result.ok()) return Fail(*context, result.error());
  for (const std::string& run : result->unfinished) {
    Warn(*context, StrCat("run '", run,
                          "' is not finished: what `assay score --resume` adds later "
                          "is not in data set '",
                          options.dataset, "'"));
  }
  if (context->global.json()) {
    Json out = result->ToJson();
    Json runs = Json::MakeArray();
    for (const std::string& run : options.runs) runs.Append(run);
    out.Set("dataset", options.dataset)
        .Set("run", options.runs[0])
        .Set("runs", std::move(runs))
        .Set("strategy", options.strategy);
    return context->Output(out.Dump() + "\n");
  }
  return context->Output(StrCat("data set '", options.dataset, "' in ", flags.store, ": ",
                                flags.explain ? StrCat(result->Explain(), "  ") : "",
                                result->ToText()));
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
  command
      ->add_option("--run", options.runs,
                   "The run to select from; several are taken together [default]")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false)
      ->type_name("NAME");
  command->add_option("--dataset", options.dataset, "Name of the data set to make")
      ->required()
      ->type_name("NAME");
  command->add_flag("--replace", options.replace,
                    "Make the data set anew if there is one of that name");
  command->add_flag("--explain", flags->explain, "Print the funnel: what each stage took and left");
  AddTableFlags(SelectOptionInfos(), flags->values, command);
  command->callback(
      [context, flags] { context->run = [context, flags] { return RunSelect(context, *flags); }; });
}

}  // namespace assay
