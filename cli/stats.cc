// assay stats: what is in a store, a run or a data set, in numbers.
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "core/text.h"
#include "datagen/report/stats.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

struct StatsFlags {
  std::string store;
  std::vector<std::string> runs;
  std::vector<std::string> datasets;
};

Status AddEverything(Store* store, StatsFlags* flags) {
  Result<std::vector<RunRecord>> runs = store->Runs();
  if (!runs.ok()) return runs.error();
  for (const RunRecord& run : *runs) flags->runs.push_back(run.name);
  Result<std::vector<DatasetRecord>> datasets = store->Datasets();
  if (!datasets.ok()) return datasets.error();
  for (const DatasetRecord& dataset : *datasets) flags->datasets.push_back(dataset.name);
  return {};
}

int RunStatsCommand(Context* context, StatsFlags flags) {
  if (Status status = context->CheckOutput({flags.store}); !status.ok())
    return Fail(*context, status.error());
  Result<std::unique_ptr<Store>> store = Store::Open(flags.store, OpenMode::kReadOnly);
  if (!store.ok()) return Fail(*context, store.error());
  if (flags.runs.empty() && flags.datasets.empty()) {
    Status status = AddEverything(store->get(), &flags);
    if (!status.ok()) return Fail(*context, status.error());
  }
  Json runs = Json::MakeArray(), datasets = Json::MakeArray();
  std::string text;
  for (const std::string& name : flags.runs) {
    Result<RunStats> stats = StatsOfRun(store->get(), name);
    if (!stats.ok()) return Fail(*context, stats.error());
    StrAppend(&text, text.empty() ? "" : "\n", stats->ToText());
    runs.Append(stats->ToJson());
  }
  for (const std::string& name : flags.datasets) {
    Result<DatasetStats> stats = StatsOfDataset(store->get(), name);
    if (!stats.ok()) return Fail(*context, stats.error());
    StrAppend(&text, text.empty() ? "" : "\n", stats->ToText());
    datasets.Append(stats->ToJson());
  }
  if (context->global.json()) {
    return context->Output(
        Json().Set("runs", std::move(runs)).Set("datasets", std::move(datasets)).Dump() + "\n");
  }
  return context->Output(text.empty() ? "the store has no runs yet\n" : text);
}

}  // namespace

void AddStatsCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<StatsFlags>();
  CLI::App* command = app->add_subcommand(
      "stats", "What is in a store: pass rates, reasons, spread, pass@k, lengths");
  command->add_option("--store", flags->store, "The SQLite file")->required()->type_name("FILE");
  command->add_option("--run", flags->runs, "Only this run (may be repeated)")->type_name("NAME");
  command->add_option("--dataset", flags->datasets, "Only this data set (may be repeated)")
      ->type_name("NAME");
  command->callback([context, flags] {
    context->run = [context, flags] { return RunStatsCommand(context, *flags); };
  });
}

}  // namespace assay
