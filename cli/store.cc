// assay store: is a store whole, what nothing refers to, its size.
#include "datagen/store/store.h"

#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "core/text.h"
#include "datagen/store/store_care.h"

namespace assay {
namespace {

struct StoreFlags {
  std::string store, run, dataset;
};

int RunCheck(Context* context, const std::string& store) {
  Result<std::vector<std::string>> complaints = CheckStore(store);
  if (!complaints.ok()) return Fail(*context, complaints.error());
  Json list = Json::MakeArray();
  std::string text;
  for (const std::string& complaint : *complaints) {
    list.Append(complaint);
    StrAppend(&text, complaint, "\n");
  }
  if (text.empty()) text = StrCat(store, " is whole\n");
  const int code = context->Output(
      context->global.json() ? Json().Set("complaints", std::move(list)).Dump() + "\n" : text);
  return code == kExitOk && !complaints->empty() ? kExitGate : code;
}

int RunGc(Context* context, const std::string& store) {
  Result<StoreGarbage> garbage = CollectGarbage(store);
  if (!garbage.ok()) return Fail(*context, garbage.error());
  return context->Output(StrCat("taken away: ", WithThousands(garbage->problems), " problems and ",
                                WithThousands(garbage->texts), " texts (",
                                HumanBytes(static_cast<double>(garbage->bytes)),
                                ") that nothing refers to; `assay store vacuum` makes the file "
                                "smaller\n"));
}

int RunVacuum(Context* context, const std::string& store) {
  Result<StoreSize> size = VacuumStore(store);
  if (!size.ok()) return Fail(*context, size.error());
  return context->Output(StrCat(HumanBytes(static_cast<double>(size->before)), " before, ",
                                HumanBytes(static_cast<double>(size->after)), " now\n"));
}

int RunDrop(Context* context, const StoreFlags& flags) {
  if (flags.run.empty() == flags.dataset.empty())
    return Fail(*context, {ErrorCode::kUsage, "name one of --run and --dataset", ""});
  const Status status =
      flags.run.empty() ? DropDataset(flags.store, flags.dataset) : DropRun(flags.store, flags.run);
  if (!status.ok()) return Fail(*context, status.error());
  Note(*context, StrCat(flags.run.empty() ? "data set '" : "run '", flags.run, flags.dataset,
                        "' dropped; `assay store gc` takes away what only it referred to"));
  return kExitOk;
}

}  // namespace

void AddStoreCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<StoreFlags>();
  CLI::App* command = app->add_subcommand("store", "Care of a store: check, gc, vacuum, drop");
  command->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, auto run) {
    CLI::App* one = command->add_subcommand(name, help);
    one->add_option("--store", flags->store, "The SQLite file")->required()->type_name("FILE");
    one->callback([context, flags, run] {
      context->run = [context, flags, run] { return run(context, *flags); };
    });
    return one;
  };
  add("check", "Is it whole? Exit code 1 if not",
      [](Context* c, const StoreFlags& f) { return RunCheck(c, f.store); });
  add("gc", "Take away problems and texts that nothing refers to",
      [](Context* c, const StoreFlags& f) { return RunGc(c, f.store); });
  add("vacuum", "Write the file anew, without gaps",
      [](Context* c, const StoreFlags& f) { return RunVacuum(c, f.store); });
  CLI::App* drop = add("drop", "Take a run or a data set out of it",
                       [](Context* c, const StoreFlags& f) { return RunDrop(c, f); });
  drop->add_option("--run", flags->run, "The run")->type_name("NAME");
  drop->add_option("--dataset", flags->dataset, "The data set")->type_name("NAME");
}

}  // namespace assay
