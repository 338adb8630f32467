// assay testgen: tests for problems, as a model proposes them and as runs decide.
#include "cli/testgen.h"
#include "cli/generator_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "core/progress.h"
#include "core/text.h"
#include "datagen/testgen/testgen.h"

namespace assay {
namespace {

struct TestgenFlags {
  TestgenOptions options;
  GeneratorFlags request;
  std::string kind = "auto";
};

void AddSourceOptions(TestgenFlags* flags, CLI::App* command) {
  TestgenOptions& options = flags->options;
  GeneratorOptions& g = options.generator;
  command->add_option("--proposals", options.proposals,
                      "Replies that hold tests, by problem id; what --endpoint answers is added");
  command->add_option("--endpoint", g.endpoint, "Ask this OpenAI-compatible API for tests")
      ->type_name("URL");
  command
      ->add_option("--command", g.command,
                   "Or a command that answers JSON lines {id, prompt, n, seed} with {completions}")
      ->type_name("SHELL");
  command->add_option("-n,--samples", g.samples, "Replies to ask for, each problem")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  AddGeneratorOptions(command, &g, &options.workers, &flags->request);
}

void AddRuleOptions(TestgenFlags* flags, CLI::App* command) {
  testgen::TestRules& rules = flags->options.rules;
  command
      ->add_option("--inputs", rules.inputs,
                   "Calls to make up for each problem; programs say what they give")
      ->capture_default_str()
      ->check(CLI::Range(0, 200));
  command
      ->add_option("--mutants", rules.mutants,
                   "Changes to a right solution, one of which a test must notice")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  command
      ->add_option("--min-agreement", rules.min_agreement,
                   "Samples that must agree where there is no reference")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  command
      ->add_option("--max-tests", rules.most_tests,
                   "Of a problem at most so many, those that notice most (0: all)")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--kind", flags->kind,
                   "functions: asserts about a Python function; programs: what a whole program "
                   "reads and prints; auto: by the row")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "functions", "programs"}))
      ->type_name("KIND");
  command->add_option("--cpu-ms", rules.cpu_ms, "Of a program, all tests together")
      ->capture_default_str()
      ->check(CLI::Range(100, 600'000));
  command->add_option("--reference", rules.reference_key,
                      "Field of the rows with their solution (default: the usual names)");
  command->add_flag("--ignore-reference", rules.ignore_reference,
                    "Go by the samples' agreement even where there is a solution");
  command->add_flag("--cut-humaneval", rules.cut_humaneval,
                    "Samples are a base model's: cut them at HumanEval's stop words");
  command->add_flag("--keep-rows", flags->options.keep_rows, "Write rows without tests, too");
}

Status Prepare(const Context& context, TestgenFlags* flags) {
  TestgenOptions& options = flags->options;
  GeneratorOptions& g = options.generator;
  if (!g.endpoint.empty() && !g.command.empty())
    return Error{ErrorCode::kUsage, "--endpoint and --command are both given", "use one of them"};
  if (Status status = FinishGenerator(context, flags->request, &g); !status.ok()) return status;
  options.rules.seed = context.global.seed;
  options.rules.kind = flags->kind == "functions"  ? testgen::TestKind::kFunctions
                       : flags->kind == "programs" ? testgen::TestKind::kPrograms
                                                   : testgen::TestKind::kAuto;
  options.interrupted = &context.interrupted;
  options.jobs = context.global.Jobs();
  options.output = context.global.output;
  options.tool_version = Version();
  options.progress =
      !context.global.quiet && !context.global.no_progress && Progress::StderrIsTerminal();
  std::vector<std::string> inputs = options.files;
  if (!options.proposals.empty()) inputs.push_back(options.proposals);
  return context.CheckOutput(inputs);
}

int RunTestgen(Context* context, TestgenFlags* flags) {
  if (Status status = Prepare(*context, flags); !status.ok()) return Fail(*context, status.error());
  const VerifierEnv env = context->MakeEnv();
  Result<Sandbox*> sandbox = env.open_sandbox();
  if (!sandbox.ok()) return Fail(*context, sandbox.error());
  context->polls_interrupted = true;
  Result<TestgenSummary> summary = WriteTests(flags->options, *sandbox);
  if (!summary.ok()) return Fail(*context, summary.error());
  // The rows are the data; where they go to standard output, the summary goes elsewhere.
  const std::string text =
      context->global.json() ? summary->ToJson().Dump() + "\n" : summary->ToText();
  Note(*context, text.substr(0, text.size() - 1));
  if (summary->interrupted) return kExitInterrupted;
  return summary->bad_rows + summary->failed_requests > 0 ? kExitFaults : kExitOk;
}

}  // namespace

void AddTestgenCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<TestgenFlags>();
  CLI::App* command = app->add_subcommand("testgen",
                                          "Tests for problems: proposed by a model, kept where "
                                          "they pass on a solution and notice changes to it");
  command
      ->add_option("FILES", flags->options.files,
                   "Problems, with samples or a solution; JSON Lines")
      ->required();
  command->add_option("--input-format", flags->options.input_format,
                      "Form of the rows [by their keys]");
  AddSourceOptions(flags.get(), command);
  AddRuleOptions(flags.get(), command);
  command->callback([context, flags] {
    context->run = [context, flags] { return RunTestgen(context, flags.get()); };
  });
}

}  // namespace assay
