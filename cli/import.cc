// assay import: rows of any form into a store, as they are.
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "core/progress.h"
#include "core/text.h"
#include "datagen/import/import.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

struct ImportFlags {
  std::string store;
  ImportOptions options;
};

int RunImport(Context* context, ImportFlags flags) {
  ImportOptions& options = flags.options;
  options.tool_version = Version();
  options.interrupted = &context->interrupted;
  context->polls_interrupted = true;
  options.progress =
      !context->global.quiet && !context->global.no_progress && Progress::StderrIsTerminal();
  std::vector<std::string> inputs = options.files;
  inputs.insert(inputs.end(), options.problems.begin(), options.problems.end());
  inputs.push_back(flags.store);
  if (Status status = context->CheckOutput(inputs); !status.ok())
    return Fail(*context, status.error());
  Result<std::unique_ptr<Store>> store = Store::Open(flags.store, OpenMode::kCreate);
  if (!store.ok()) return Fail(*context, store.error());
  Result<ImportResult> result = ImportFiles(store->get(), options);
  if (!result.ok()) return Fail(*context, result.error());
  const int code = context->global.json()
                       ? context->Output(result->ToJson().Set("run", options.run).Dump() + "\n")
                       : context->Output(StrCat("run '", options.run, "' in ", flags.store, ": ",
                                                result->ToText()));
  if (result->interrupted) return kExitInterrupted;
  return code == kExitOk && result->bad_rows > 0 ? kExitFaults : code;
}

}  // namespace

void AddImportCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<ImportFlags>();
  ImportOptions& options = flags->options;
  CLI::App* command =
      app->add_subcommand("import", "Put rows of any form into a store, without scoring them");
  command->add_option("files", options.files, "JSON Lines (also .gz, .zst) or Parquet; - for stdin")
      ->required()
      ->type_name("FILE");
  command->add_option("--store", flags->store, "The SQLite file; made if missing")
      ->required()
      ->type_name("FILE");
  command->add_option("--run", options.run, "Name of the run that they become")
      ->capture_default_str()
      ->type_name("NAME");
  command->add_option("--dataset", options.dataset, "Make a data set of all samples, too")
      ->type_name("NAME");
  command->add_flag("--replace", options.replace,
                    "Make the data set anew if there is one of that name");
  command->add_option("--input-format", options.input_format, "Form of the rows [by their keys]")
      ->type_name("NAME");
  command
      ->add_option("--problems", options.problems,
                   "Problems (or the requests) of replies that say only an id; may be repeated")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false)
      ->type_name("FILE");
  command
      ->add_option("--id-pattern", options.id_pattern,
                   "What of an id names its problem: '^(.*)#[0-9]+$'")
      ->type_name("RE2");
  command
      ->add_option("--labels", options.labels,
                   "A column of booleans, one a sample: verdicts and rewards of 1 and 0")
      ->type_name("COLUMN");
  command->add_option("--rewards", options.rewards, "A column of numbers, one a sample: rewards")
      ->type_name("COLUMN");
  command->callback(
      [context, flags] { context->run = [context, flags] { return RunImport(context, *flags); }; });
}

}  // namespace assay
