// assay report: one self-contained page about a store, or about a pipeline or a training run, while it goes on too.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>

#include "cli/command.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/pipeline/page.h"
#include "datagen/report/page.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

struct ReportFlags {
  std::string store, folder;
  bool watch = false;
  double every = 3;
  PageOptions options;
};

bool IsFile(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

// Waits in small pieces; false once the user has had enough.
bool WaitFor(const Context& context, std::chrono::duration<double> time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (!context.interrupted && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  return !context.interrupted;
}

// With --watch, what is to come may not have begun: waits for it. An error is none that waiting mends, or that of an interrupt.
Result<PageSource> ReadOrAwait(Context* context, const ReportFlags& flags) {
  for (bool told = false;; told = true) {
    Result<PageSource> source = ReadPageSource(flags.folder);
    if (source.ok() || !flags.watch || context->interrupted || IsFile(flags.folder)) return source;
    if (!told) Note(*context, StrCat("nothing in ", flags.folder, " yet: waiting for it"));
    WaitFor(*context, std::chrono::duration<double>(flags.every));
  }
}

// The page of a pipeline's or a trainer's folder; with --watch again and again until all of it is done.
int RunFolderReport(Context* context, const ReportFlags& flags) {
  using Clock = std::chrono::steady_clock;
  const std::string& given = context->global.output;
  const std::string file =
      given.empty()
          ? (std::filesystem::path(flags.folder) / (flags.watch ? "live.html" : "report.html"))
                .string()
          : given;
  if (flags.watch && context->global.json())
    return Fail(*context, {ErrorCode::kUsage, "--watch makes a page, not JSON", "leave one out"});
  if (flags.watch && file == "-")
    return Fail(*context, {ErrorCode::kUsage, "--watch writes a file", "-o FILE"});
  context->polls_interrupted = flags.watch;
  bool told = false;
  while (true) {
    const auto begun = Clock::now();
    Result<PageSource> source = ReadOrAwait(context, flags);
    if (!source.ok() && context->interrupted) return kExitInterrupted;
    if (!source.ok()) return Fail(*context, source.error());
    if (context->global.json()) return context->Output(PageSourceJson(*source).Dump() + "\n");
    const bool live = flags.watch && !source->finished && !context->interrupted;
    const std::string page = PipelinePage(*source, live ? flags.every : 0);
    if (file == "-") return context->Output(page);
    if (Status s = WriteFileAtomic(file, page); !s.ok()) return Fail(*context, s.error());
    if (!told)
      Note(*context, StrCat(file, live ? " loads itself anew; Ctrl-C ends this" : " is written"));
    told = true;
    if (!live) return kExitOk;
    // A page that takes long to make is made less often. After an interrupt it is written once more, to stay as it is.
    const std::chrono::duration<double> took = Clock::now() - begun;
    WaitFor(*context, std::max(std::chrono::duration<double>(flags.every), 9 * took));
  }
}

int RunReport(Context* context, ReportFlags flags) {
  if (flags.folder.empty() == flags.store.empty())
    return Fail(*context, {ErrorCode::kUsage, "name one of FOLDER and --store",
                           "FOLDER is the --out of a pipeline or a trainer"});
  if (!flags.folder.empty()) return RunFolderReport(context, flags);
  if (flags.watch)
    return Fail(*context, {ErrorCode::kUsage, "--watch goes with FOLDER, not with --store", ""});
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
      "report",
      "One self-contained page: of a store its funnel, pass rates, lengths, reasons, samples; of a "
      "pipeline or a training run its figures and replies over the steps");
  command->add_option("folder", flags->folder, "The --out of a pipeline or a trainer")
      ->type_name("FOLDER");
  command->add_flag("--watch", flags->watch,
                    "Write FOLDER's page again and again until all is done; it loads itself anew");
  command->add_option("--every", flags->every, "Seconds between two pages of --watch")
      ->capture_default_str()
      ->check(CLI::Range(0.5, 3600.0))
      ->type_name("S");
  command->add_option("--store", flags->store, "The SQLite file")->type_name("FILE");
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
