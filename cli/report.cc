// assay report: one self-contained page about a store.
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/report/page.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

struct ReportFlags {
  std::string store;
  PageOptions options;
};

int RunReport(Context* context, ReportFlags flags) {
  flags.options.seed = context->global.seed;
  flags.options.tool_version = Version();
  if (Status status = context->CheckOutput({flags.store}); !status.ok())
    return Fail(*context, status.error());
  Result<std::unique_ptr<Store>> store = Store::Open(flags.store, OpenMode::kReadOnly);
  if (!store.ok()) return Fail(*context, store.error());
  if (context->global.json()) {
    Result<Json> data = PageData(store->get(), flags.options);
    return data.ok() ? context->Output(data->Dump() + "\n") : Fail(*context, data.error());
  }
  Result<std::string> page = ReportPage(store->get(), flags.options);
  if (!page.ok()) return Fail(*context, page.error());
  const int code = context->Output(*page);
  if (!context->global.output.empty() && context->global.output != "-")
    Note(*context, StrCat("written: ", context->global.output, " (",
                          HumanBytes(static_cast<double>(page->size())), ")"));
  return code;
}

}  // namespace

void AddReportCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<ReportFlags>();
  PageOptions& options = flags->options;
  CLI::App* command = app->add_subcommand(
      "report", "One self-contained page: funnel, pass rates, lengths, reasons, samples");
  command->add_option("--store", flags->store, "The SQLite file")->required()->type_name("FILE");
  command->add_option("--run", options.runs, "Only this run (may be repeated)")->type_name("NAME");
  command->add_option("--dataset", options.datasets, "Only this data set (may be repeated)")
      ->type_name("NAME");
  command->add_option("--samples", options.samples, "Samples to page through, drawn with --seed")
      ->capture_default_str()
      ->check(CLI::Range(0, 100000))
      ->type_name("N");
  command->add_option("--title", options.title, "The page's title")
      ->capture_default_str()
      ->type_name("TEXT");
  command->callback(
      [context, flags] { context->run = [context, flags] { return RunReport(context, *flags); }; });
}

}  // namespace assay
