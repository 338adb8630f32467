// assay problems: rows of the built-in generators, for scoring and training.
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/problems/problems.h"

namespace assay {
namespace {

int ListKinds(Context* context) {
  Json list = Json::MakeArray();
  std::string text;
  for (const ProblemKindInfo& kind : ProblemKinds()) {
    Json languages = Json::MakeArray();
    std::string names;
    for (std::string_view language : kind.languages) {
      languages.Append(language);
      StrAppend(&names, names.empty() ? "" : ",", language);
    }
    StrAppend(&text, kind.name, std::string(12 - kind.name.size(), ' '), kind.summary,
              " (levels 1 to ", kind.levels, "; ", names, ")\n");
    list.Append(Json()
                    .Set("kind", kind.name)
                    .Set("summary", kind.summary)
                    .Set("levels", kind.levels)
                    .Set("languages", std::move(languages)));
  }
  return context->Output(context->global.json() ? list.Dump() + "\n" : text);
}

int WriteProblems(Context* context, ProblemOptions options) {
  options.seed = context->global.seed;
  Result<ProblemSource> source = ProblemSource::Make(options);
  if (!source.ok()) return Fail(*context, source.error());
  if (Status status = context->CheckOutput({}); !status.ok()) return Fail(*context, status.error());
  Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(context->global.output);
  if (!writer.ok()) return Fail(*context, writer.error());
  context->polls_interrupted = true;
  for (int64_t i = 0; i < options.count && !context->interrupted; ++i) {
    if (Status status = (*writer)->Write(source->Row(i).Dump()); !status.ok())
      return Fail(*context, status.error());
  }
  if (Status status = (*writer)->Close(); !status.ok()) return Fail(*context, status.error());
  return context->interrupted ? kExitInterrupted : kExitOk;
}

}  // namespace

void AddProblemsCommand(CLI::App* app, Context* context) {
  struct Flags {
    ProblemOptions options;
    std::string solutions = "none";
  };
  auto flags = std::make_shared<Flags>();
  flags->options.kind.clear();
  ProblemOptions* options = &flags->options;
  CLI::App* command = app->add_subcommand(
      "problems", "Draw problems from the built-in generators (--seed); without a kind, list them");
  command->add_option("KIND", options->kind, "arithmetic, countdown, words, lists, strings, ..");
  command->add_option("--count", options->count, "How many")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--level", options->level, "Difficulty from 1, in turn: 2 or 2,3 or all")
      ->capture_default_str();
  command->add_option("--languages", options->languages, "Of the prompts, in turn: en,zh; or all")
      ->capture_default_str();
  command->add_option("--split", options->split, "train or heldout: one problem in ten, by content")
      ->capture_default_str();
  command
      ->add_option("--solutions", flags->solutions,
                   "A completion too: none, direct, worked, terse, mixed or natural")
      ->capture_default_str();
  command->add_option("--form", options->form, "Of solutions: think (tags) or none")
      ->check(CLI::IsMember({"think", "none"}));
  command->callback([context, flags] {
    context->run = [context, flags]() -> int {
      if (flags->options.kind.empty()) return ListKinds(context);
      Options table = ProblemOptionTable(&flags->options);
      if (Status s = table.Read(Json().Set("solutions", flags->solutions)); !s.ok())
        return Fail(*context, s.error());
      return WriteProblems(context, flags->options);
    };
  });
}

}  // namespace assay
