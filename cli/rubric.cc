// assay rubric check: what a rubric does, in words. assay explain: why one sample got its reward.
#include <CLI/CLI.hpp>

#include <fstream>

#include "cli/command.h"
#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "core/text.h"
#include "datagen/store/store.h"
#include "verifiers/rubric.h"
#include "verifiers/rubric_json.h"
#include "verifiers/rubric_words.h"

namespace assay {
namespace {

constexpr size_t kRubricBytesMax = size_t{1} << 20;

Result<RubricSpec> ReadRubricFile(const std::string& file) {
  Result<std::string> text = ReadFile(file, kRubricBytesMax);
  if (!text.ok()) return text.error();
  return RubricFromToml(*text, file);
}

// The options of every term, without making the verifiers: one may need a sandbox that is not to be had here.
Status CheckTerms(const RubricSpec& spec) {
  for (const RubricTerm& term : spec.terms) {
    const VerifierInfo* info = FindVerifier(term.verifier);
    if (info != nullptr && info->needs_sandbox) continue;
    Result<std::unique_ptr<Verifier>> made = MakeVerifier(term.verifier, term.options, {});
    if (!made.ok()) return made.error();
  }
  return {};
}

Json CheckJson(const RubricSpec& spec) {
  Json samples = Json::MakeArray(), warnings = Json::MakeArray();
  for (const MadeUpSample& sample : MadeUpSamples(spec))
    samples.Append(Json()
                       .Set("sample", sample.what)
                       .Set("reward", sample.reward ? Json(*sample.reward) : Json()));
  for (const std::string& warning : RubricWarnings(spec)) warnings.Append(warning);
  return Json()
      .Set("rubric", spec.ToJson())
      .Set("samples", std::move(samples))
      .Set("warnings", std::move(warnings));
}

int RunRubricCheck(Context* context, const std::string& file) {
  Result<RubricSpec> spec = ReadRubricFile(file);
  if (!spec.ok()) return Fail(*context, spec.error());
  if (Status status = CheckTerms(*spec); !status.ok()) return Fail(*context, status.error());
  if (context->global.json()) return context->Output(CheckJson(*spec).Dump());
  std::string text =
      StrCat("Rubric '", spec->name, "'.\n", RubricInWords(*spec), "\nThree made-up replies:\n");
  for (const MadeUpSample& sample : MadeUpSamples(*spec))
    StrAppend(&text, "  ", sample.what, ": ",
              sample.reward ? StrCat(*sample.reward) : std::string("null"), "\n");
  for (const std::string& warning : RubricWarnings(*spec))
    StrAppend(&text, "warning: ", warning, "\n");
  text.pop_back();
  return context->Output(text);
}

struct ExplainFlags {
  std::string file, rubric, verifiers, id;
  std::string run = "default";
  int64_t row = 1;
  int64_t sample = 0;
};

// The row of that id, or the row-th that is not blank.
Result<Group> FindRow(const ExplainFlags& flags) {
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(flags.file);
  if (!reader.ok()) return reader.error();
  LineReader::Line line;
  int64_t at = 0;
  while (true) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) break;
    if (flags.id.empty() && ++at != flags.row) continue;
    Result<Json> row = ParseJson(line.text);
    if (row.ok()) {
      if (Status status = ToAssayRow("", &*row); !status.ok()) row = status.error();
    }
    Result<Group> group = row.ok() ? GroupFromJson(*row) : Result<Group>(row.error());
    if (flags.id.empty() && !group.ok()) {
      return Error{group.error().code,
                   StrCat(flags.file, ":", line.number, ": ", group.error().message),
                   group.error().hint};
    }
    if (flags.id.empty() || (group.ok() && group->problem.id == flags.id)) return group;
  }
  return Error{ErrorCode::kUsage,
               flags.id.empty() ? StrCat(flags.file, " has no row ", flags.row)
                                : StrCat(flags.file, " has no row whose id is '", flags.id, "'"),
               "--row counts from 1"};
}

Json ExplainJson(const GroupScore& score, size_t at) {
  const SampleScore& sample = score.samples[at];
  Json terms = Json::MakeObject();
  for (size_t t = 0; t < score.labels.size(); ++t)
    terms.Set(score.labels[t],
              Json()
                  .Set("brought",
                       t < sample.parts.size() && sample.parts[t] ? Json(*sample.parts[t]) : Json())
                  .Set("verdict", VerdictToJson(sample.verdicts[t], /*with_ms=*/false)));
  return Json()
      .Set("sample", static_cast<int64_t>(at + 1))
      .Set("reward", sample.reward ? Json(*sample.reward) : Json())
      .Set("terms", std::move(terms));
}

// What is to be explained: scored now, or as it was stored.
struct Scored {
  RubricSpec spec;
  GroupScore score;
};

Result<Scored> ScoreNow(Context* context, const ExplainFlags& flags) {
  if (!flags.rubric.empty() && !flags.verifiers.empty())
    return Error{ErrorCode::kUsage, "--verifier and --rubric are both given", "use one of them"};
  Result<RubricSpec> spec = !flags.rubric.empty()      ? ReadRubricFile(flags.rubric)
                            : !flags.verifiers.empty() ? RubricFromNames(flags.verifiers)
                                                       : RubricSpec();
  if (!spec.ok()) return spec.error();
  Result<Group> group = FindRow(flags);
  if (!group.ok()) return group.error();
  Result<std::unique_ptr<Rubric>> rubric = Rubric::Make(*spec, context->MakeEnv());
  if (!rubric.ok()) return rubric.error();
  return Scored{std::move(*spec), (*rubric)->Score(*group)};
}

bool IsStore(const std::string& file) {
  constexpr std::string_view kMagic = "SQLite format 3";
  std::ifstream in(file, std::ios::binary);
  std::string head(kMagic.size(), '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  return in && head == kMagic;
}

// The row of that id, or the row-th of the run; several files count on.
Result<Scored> ReadScored(const ExplainFlags& flags) {
  if (!flags.rubric.empty() || !flags.verifiers.empty()) {
    return Error{ErrorCode::kUsage, "a store knows its runs' rubrics",
                 "leave --rubric and --verifier out"};
  }
  Result<std::unique_ptr<Store>> store = Store::Open(flags.file, OpenMode::kReadOnly);
  if (!store.ok()) return store.error();
  Result<RunRecord> run = (*store)->FindRun(flags.run);
  if (!run.ok()) return run.error();
  Result<Json> stored = ParseJson(run->rubric_json);
  Result<RubricSpec> spec = stored.ok() ? RubricFromJson(*stored) : stored.error();
  if (!spec.ok())
    return Error{spec.error().code, StrCat("store '", flags.file, "': ", spec.error().message),
                 spec.error().hint};
  Scored out{std::move(*spec), {}};
  bool found = false;
  int64_t at = 0;
  const Error enough{ErrorCode::kLimit, "found", ""};
  Status status =
      (*store)->ForEachGroup(run->id, /*with_texts=*/true, [&](const StoredGroup& group) -> Status {
        ++at;
        if (flags.id.empty() ? at != flags.row : group.problem.id != flags.id) return {};
        out.score.labels = group.labels;
        for (const StoredSample& sample : group.samples) out.score.samples.push_back(sample.score);
        found = true;
        return enough;
      });
  if (!found && !status.ok()) return status.error();
  if (found) return out;
  return Error{ErrorCode::kUsage,
               flags.id.empty()
                   ? StrCat("run '", flags.run, "' has no row ", flags.row)
                   : StrCat("run '", flags.run, "' has no row whose id is '", flags.id, "'"),
               "--row counts from 1"};
}

int RunExplain(Context* context, const ExplainFlags& flags) {
  const Result<Scored> scored = IsStore(flags.file) ? ReadScored(flags) : ScoreNow(context, flags);
  if (!scored.ok()) return Fail(*context, scored.error());
  const GroupScore& score = scored->score;
  const auto count = static_cast<int64_t>(score.samples.size());
  if (flags.sample > count)
    return Fail(*context, {ErrorCode::kUsage, StrCat("the row has no sample ", flags.sample),
                           StrCat("it has ", count, ", counted from 1")});
  std::string text;
  for (int64_t i = 0; i < count; ++i) {
    if (flags.sample > 0 && i + 1 != flags.sample) continue;
    const auto at = static_cast<size_t>(i);
    if (!text.empty()) text += "\n";
    text += context->global.json()
                ? ExplainJson(score, at).Dump()
                : StrCat("sample ", i + 1, ": ",
                         RewardInWords(scored->spec, score.labels, score.samples[at]));
    while (EndsWith(text, "\n")) text.pop_back();
  }
  return context->Output(text);
}

}  // namespace

void AddRubricCommand(CLI::App* app, Context* context) {
  CLI::App* command = app->add_subcommand("rubric", "Look at rubrics");
  command->require_subcommand(1);
  auto file = std::make_shared<std::string>();
  CLI::App* check = command->add_subcommand(
      "check", "Say in words what a rubric does, and what three made-up replies would earn");
  check->add_option("FILE", *file, "A rubric (TOML)")->required();
  check->callback([context, file] {
    context->run = [context, file] { return RunRubricCheck(context, *file); };
  });
}

void AddExplainCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<ExplainFlags>();
  CLI::App* command = app->add_subcommand(
      "explain", "Say what each term brought to the reward of the samples of one row");
  command
      ->add_option("FILE", flags->file,
                   "JSON Lines as `assay score` reads them, or a store (--store of `assay score`)")
      ->required();
  command->add_option("--run", flags->run, "Which run of the store")->capture_default_str();
  command->add_option("--rubric", flags->rubric, "A TOML file with verifiers, weights and rules")
      ->type_name("FILE");
  command->add_option("--verifier", flags->verifiers, "Verifiers by name, a,b")->type_name("NAMES");
  command->add_option("--row", flags->row, "Which row, counted from 1")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--id", flags->id, "The row with this id");
  command->add_option("--sample", flags->sample, "Only this completion, counted from 1")
      ->check(CLI::PositiveNumber);
  command->callback([context, flags] {
    context->run = [context, flags] { return RunExplain(context, *flags); };
  });
}

}  // namespace assay
