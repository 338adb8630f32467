// assay export: a data set of the store as a file for a trainer.
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "core/text.h"
#include "datagen/export/export.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

struct ExportFlags {
  std::string store;
  ExportOptions options;
  bool no_card = false, shuffle = false;
};

// A backslash and an n in a shell's argument are a line end.
std::string WithLineEnds(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    const bool line_end = text.substr(at, 2) == "\\n";
    out += line_end ? '\n' : text[at];
    at += line_end ? 1 : 0;
  }
  return out;
}

// Notes the file in the store, where that may be written; a store that may only be read is exported all the same.
void NoteExport(const ExportFlags& flags, const ExportResult& result) {
  Result<std::unique_ptr<Store>> store = Store::Open(flags.store, OpenMode::kReadWrite);
  if (!store.ok()) return;
  ExportInfo info;
  info.dataset = result.dataset;
  info.file = flags.options.output;
  info.format = flags.options.format;
  info.params_json = flags.options.Params();
  info.lines = result.lines;
  info.bytes = result.bytes;
  info.hash = result.hash;
  info.tool_version = Version();
  (void)(*store)->AddExport(info);
}

int RunExport(Context* context, ExportFlags flags) {
  flags.options.output = context->global.output;
  flags.options.interrupted = &context->interrupted;
  flags.options.card = !flags.no_card;
  if (flags.shuffle) flags.options.shuffle = context->global.seed;
  flags.options.reply_template = WithLineEnds(flags.options.reply_template);
  flags.options.tool_version = Version();
  context->polls_interrupted = true;
  if (Status status = context->CheckOutput({flags.store}); !status.ok())
    return Fail(*context, status.error());
  Result<std::unique_ptr<Store>> store = Store::Open(flags.store, OpenMode::kReadOnly);
  if (!store.ok()) return Fail(*context, store.error());
  Result<ExportResult> result = ExportDataset(store->get(), flags.options);
  if (context->interrupted && !result.ok()) return kExitInterrupted;
  if (!result.ok()) return Fail(*context, result.error());
  if (result->renamed_columns > 0) {
    Warn(*context,
         StrCat(result->renamed_columns,
                result->renamed_columns == 1 ? " column has a name" : " columns have names",
                " that trainers keep for themselves: written as extra_NAME"));
  }
  if (result->late_parts) {
    Warn(*context,
         "some messages have keys that no message of the first megabytes has: "
         "datasets.load_dataset stops at them unless it is given features=");
  }
  if (!result->file.empty()) NoteExport(flags, *result);
  if (result->rows == 0) Warn(*context, StrCat("data set '", flags.options.dataset, "' is empty"));
  const std::string& output = flags.options.output;
  Note(*context, StrCat(WithThousands(result->lines), " lines",
                        output.empty() || output == "-" ? "" : StrCat(" written: ", output)));
  for (const std::string& path : result->also_written) Note(*context, StrCat("beside it: ", path));
  return kExitOk;
}

}  // namespace

void AddExportCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<ExportFlags>();
  CLI::App* command = app->add_subcommand("export", "Write a data set as a file for a trainer");
  command->add_option("--store", flags->store, "The SQLite file with the data set")
      ->required()
      ->type_name("FILE");
  command->add_option("--dataset", flags->options.dataset, "Which data set; see `assay stats`")
      ->required()
      ->type_name("NAME");
  ExportOptions& options = flags->options;
  command->add_option("--format", options.format, "One of the forms below")
      ->required()
      ->type_name("NAME");
  command->add_option("--split", options.split, "Only the rows of this split")->type_name("NAME");
  command->add_option("--columns", options.columns, "Only these columns, in this order")
      ->delimiter(',')
      ->type_name("A,B");
  command->add_option("--system", options.system, "A system prompt for rows without one")
      ->type_name("TEXT");
  command->add_flag("--strip-reasoning", options.strip_reasoning,
                    "Replies without what stands in think tags");
  command
      ->add_option("--template", options.reply_template,
                   "Write replies with one block of reasoning so: text with {reasoning} and "
                   "{summary}, \\n for a line end")
      ->type_name("TEXT");
  command->add_flag("--shuffle", flags->shuffle, "Rows in an order drawn by --seed");
  command->add_flag("--no-card", flags->no_card, "Write no data card beside the file");
  command->footer(StrCat("Forms:\n", ExportFormatLines(),
                         "Files that end in .gz or .zst are packed, .parquet is Parquet."));
  command->add_flag("--group", flags->options.group,
                    "jsonl: one line an input row, with parallel arrays");
  command->callback(
      [context, flags] { context->run = [context, flags] { return RunExport(context, *flags); }; });
}

}  // namespace assay
