// assay generate with --endpoint or --command: samples straight into a store. Without them assay-train samples from a model (cli/train.cc).
#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/command.h"
#include "cli/front.h"
#include "cli/generate.h"
#include "cli/generator_flags.h"
#include "core/progress.h"
#include "core/text.h"
#include "datagen/generate/generate_run.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

struct GenerateFlags {
  std::string store, few_shot;
  GeneratorFlags request;
  double price_in = 0, price_out = 0;  // a million tokens
  GenerateRunOptions options;
};

void AddOptions(GenerateFlags* flags, CLI::App* app) {
  GenerateRunOptions& run = flags->options;
  GeneratorOptions& g = run.generator;
  app->add_option("files", run.files, "Problems; JSON Lines or Parquet, - for stdin")
      ->required()
      ->type_name("FILE");
  app->add_option("--store", flags->store, "The SQLite file; made if missing")
      ->required()
      ->type_name("FILE");
  app->add_option("--run", run.run, "Name of the run that the samples become")
      ->capture_default_str()
      ->type_name("NAME");
  app->add_option("--input-format", run.input_format, "Form of the rows [by their keys]")
      ->type_name("NAME");
  app->add_option("--endpoint", g.endpoint,
                  "Base of an OpenAI-compatible API, such as http://localhost:8000/v1")
      ->type_name("URL");
  app->add_option("--command", g.command,
                  "A command that answers JSON lines {id, prompt, n, seed} with {completions}")
      ->type_name("SHELL");
  app->add_option("-n,--samples", g.samples, "Samples of each problem")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000))
      ->type_name("N");
  app->add_option("--top-p", g.top_p, "")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("X");
  app->add_option("--stop", g.stop, "A text that ends a sample (may be repeated)")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false)
      ->type_name("TEXT");
  app->add_option("--system", g.system, "A system prompt for problems without one")
      ->type_name("TEXT");
  app->add_option("--few-shot", flags->few_shot,
                  "Rows with a prompt and a completion, shown before each problem as turns of the "
                  "chat (--endpoint)")
      ->type_name("FILE");
  AddGeneratorOptions(app, &g, &run.workers, &flags->request);
  app->add_option("--price-in", flags->price_in, "Of a million tokens read, for the sum at the end")
      ->type_name("X");
  app->add_option("--price-out", flags->price_out, "Of a million tokens written")->type_name("X");
}

Status Prepare(const Context& context, GenerateFlags* flags) {
  GeneratorOptions& g = flags->options.generator;
  if (g.endpoint.empty() == g.command.empty())
    return Error{ErrorCode::kUsage, "name one of --endpoint and --command", ""};
  if (Status status = FinishGenerator(context, flags->request, &g); !status.ok()) return status;
  if (!flags->few_shot.empty()) {
    if (g.endpoint.empty())
      return Error{ErrorCode::kUsage, "--few-shot goes with --endpoint",
                   "a command makes its own prompts"};
    Result<std::vector<Message>> examples = ReadExamples(flags->few_shot);
    if (!examples.ok()) return examples.error();
    g.examples = std::move(*examples);
  }
  flags->options.tool_version = Version();
  flags->options.progress =
      !context.global.quiet && !context.global.no_progress && Progress::StderrIsTerminal();
  return {};
}

int Run(Context* context, GenerateFlags* flags) {
  if (Status status = Prepare(*context, flags); !status.ok()) return Fail(*context, status.error());
  context->polls_interrupted = true;
  std::vector<std::string> inputs = flags->options.files;
  inputs.push_back(flags->store);
  if (Status status = context->CheckOutput(inputs); !status.ok())
    return Fail(*context, status.error());
  Result<std::unique_ptr<Store>> store = Store::Open(flags->store, OpenMode::kCreate);
  if (!store.ok()) return Fail(*context, store.error());
  Result<GenerateSummary> summary = GenerateIntoStore(store->get(), flags->options);
  if (!summary.ok()) return Fail(*context, summary.error());
  const double cost = (flags->price_in * static_cast<double>(summary->prompt_tokens) +
                       flags->price_out * static_cast<double>(summary->completion_tokens)) /
                      1e6;
  Json json = summary->ToJson();
  if (cost > 0) json.Set("cost", cost);
  const std::string text =
      StrCat(summary->ToText(), cost > 0 ? StrCat("cost: ", FixedDigits(cost, 2), "\n") : "");
  const int code = context->Output(context->global.json() ? json.Dump() + "\n" : text);
  if (summary->interrupted) return kExitInterrupted;
  return code == kExitOk && summary->failed + summary->bad_rows > 0 ? kExitFaults : code;
}

}  // namespace

bool GeneratesIntoStore(const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(), [](const std::string& word) {
    return word == "--endpoint" || word == "--command" || StartsWith(word, "--endpoint=") ||
           StartsWith(word, "--command=");
  });
}

int RunGenerate(Context* context, std::vector<std::string> words) {
  GenerateFlags flags;
  CLI::App app("Sample answers of an endpoint or a command into a store", "assay generate");
  AddOptions(&flags, &app);
  AddGlobalOptions(&app, &context->global);
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    return context->Output(app.help());
  } catch (const CLI::ParseError& error) {
    return Fail(*context, {ErrorCode::kUsage, error.what(),
                           "assay generate --endpoint URL --help lists the options"});
  }
  return Run(context, &flags);
}

}  // namespace assay
