// assay score: rows of sampled answers in, one line of verdicts, rewards and advantages for each out.
#include <CLI/CLI.hpp>

#include <algorithm>

#include "cli/command.h"
#include "cli/questions.h"
#include "core/jsonl.h"
#include "core/progress.h"
#include "core/text.h"
#include "datagen/score/score_run.h"
#include "datagen/score/stored_rows.h"

namespace assay {
namespace {

struct ScoreFlags {
  std::vector<std::string> files;
  std::string verifiers;
  std::string rubric;
  std::string options_json;
  std::string judge;
  std::string store;
  std::string run_name = "default";
  std::string from_store;
  std::string from_run;
  std::string group_by;
  bool adjacent = false;
  std::string input_format = "auto";
  bool no_times = false;
  bool keep_input = false;
  bool strict = false;
  bool resume = false;
  double fail_under = -1;
};

Result<RubricSpec> ReadRubric(const ScoreFlags& flags) {
  if (!flags.verifiers.empty() && !flags.rubric.empty()) {
    return Error{ErrorCode::kUsage, "--verifier and --rubric are both given", "use one of them"};
  }
  if (!flags.rubric.empty()) {
    Result<std::string> text = ReadFile(flags.rubric, size_t{1} << 20);
    if (!text.ok()) return text.error();
    return RubricFromToml(*text, flags.rubric);
  }
  if (flags.verifiers.empty()) return RubricSpec();
  return RubricFromNames(flags.verifiers);
}

// --options '{"math": {"mode": "bare"}}': for the terms of those verifiers.
Status ReadOptions(const std::string& text, RubricSpec* spec) {
  if (text.empty()) return {};
  Result<Json> json = ParseJson(text);
  if (!json.ok() || !json->IsObject()) {
    return Error{ErrorCode::kUsage, "--options is no JSON object",
                 "for example --options '{\"math\": {\"mode\": \"bare\"}}'"};
  }
  return ApplyOptions(*json, spec);
}

// --judge: where the tests of `code` run. Whoever asks for it on the command line has been told; a rubric file says itself whether
// it takes verdicts that a program can forge (accept_forgeable).
Status ApplyJudge(const ScoreFlags& flags, RubricSpec* spec) {
  if (flags.judge.empty()) return {};
  bool found = false;
  for (RubricTerm& term : spec->terms) {
    if (term.verifier != "code") continue;
    found = true;
    if (term.options.IsNull()) term.options = Json::MakeObject();
    term.options.Set("judge", flags.judge);
    if (flags.rubric.empty() && flags.judge == "inprocess")
      term.options.Set("accept_forgeable", true);
  }
  if (found) return {};
  return Error{ErrorCode::kUsage, "--judge is for the verifier 'code', which is not scored with",
               "say --verifier code"};
}

constexpr size_t kReasonsShown = 8;
constexpr size_t kSuspectBytes = 160;

std::string Percent(int64_t part, int64_t whole) {
  return whole > 0 ? StrCat(FixedDigits(
                                100.0 * static_cast<double>(part) / static_cast<double>(whole), 1),
                            " %")
                   : std::string("-");
}

// "  math: pass 71.4 % (714 of 1,000), abstained 3; wrong_value 200, no_answer 86"
std::string TermLine(const std::string& label, const VerdictTally& term, bool verbose) {
  const int64_t judged = term.pass + term.fail;
  std::string text = StrCat("  ", label, ": pass ", Percent(term.pass, judged), " (",
                            WithThousands(term.pass), " of ", WithThousands(judged), ")");
  if (term.abstain > 0) StrAppend(&text, ", abstained ", WithThousands(term.abstain));
  if (term.fault > 0) StrAppend(&text, ", faults ", WithThousands(term.fault));
  std::vector<std::pair<int64_t, std::string>> reasons;
  for (const auto& [reason, count] : term.reasons) {
    if (reason != "ok") reasons.emplace_back(-count, reason);
  }
  std::sort(reasons.begin(), reasons.end());
  const size_t shown = verbose ? reasons.size() : std::min(kReasonsShown, reasons.size());
  for (size_t i = 0; i < shown; ++i) {
    StrAppend(&text, i == 0 ? "; " : ", ", reasons[i].second, " ",
              WithThousands(-reasons[i].first));
  }
  if (reasons.size() > shown)
    StrAppend(&text, ", and ", reasons.size() - shown, " more reasons (-v)");
  return text + "\n";
}

std::string RepairsLine(const JsonRepairs& repairs) {
  if (repairs.lone_surrogates + repairs.nonfinite + repairs.big_numbers + repairs.invalid_utf8 == 0)
    return "";
  return StrCat("  repaired while reading: ", repairs.lone_surrogates, " lone surrogates, ",
                repairs.nonfinite, " NaN or Infinity, ", repairs.big_numbers,
                " integers above 64 bits, ", repairs.invalid_utf8, " bytes that are no UTF-8\n");
}

// Rows that no answer could pass, by all that was seen.
std::string SuspectLines(const ScoreRunSummary& summary, bool verbose) {
  if (summary.suspects == 0) return "";
  std::string text = StrCat("  the row's own fault, it seems (every completion of it fails so): ",
                            WithThousands(summary.suspects), "\n");
  const size_t shown =
      verbose ? summary.first_suspects.size() : std::min<size_t>(3, summary.first_suspects.size());
  for (size_t i = 0; i < shown; ++i) {
    const SuspectRow& row = summary.first_suspects[i];
    StrAppend(&text, "    ", row.id, " (", row.samples, "): ", row.label, ": ",
              Shorten(row.reason, kSuspectBytes), "\n");
  }
  if (static_cast<int64_t>(shown) < summary.suspects)
    StrAppend(&text, "    and ", WithThousands(summary.suspects - static_cast<int64_t>(shown)),
              " more", verbose ? "" : " (-v)", "\n");
  return text;
}

void PrintSummary(const Context& context, const ScoreRunSummary& summary, const ScoreFlags& flags) {
  const auto scored_now = static_cast<double>(summary.samples - summary.resumed_samples);
  const double rate = summary.seconds > 0 ? scored_now / summary.seconds : 0;
  std::string text =
      StrCat(WithThousands(summary.groups), " groups, ", WithThousands(summary.samples),
             " samples in ", FixedDigits(summary.seconds, 2), " s (",
             WithThousands(static_cast<int64_t>(rate)), " samples/s)");
  if (summary.resumed > 0)
    StrAppend(&text, ", ", WithThousands(summary.resumed), " rows of them taken over from before");
  StrAppend(&text, "\n");
  for (const auto& [label, term] : summary.terms)
    text += TermLine(label, term, context.global.verbose);
  if (summary.scored > 0) {
    StrAppend(&text, "  reward: mean ",
              FixedDigits(summary.reward_sum / static_cast<double>(summary.scored), 4),
              ", groups without spread ", Percent(summary.zero_variance_groups, summary.groups),
              "\n");
  }
  if (summary.cut_off > 0)
    StrAppend(&text,
              "  truncated (finish_reason length): ", Percent(summary.cut_off, summary.samples),
              " (", WithThousands(summary.cut_off), " of ", WithThousands(summary.samples), ")\n");
  if (summary.nulls > 0)
    StrAppend(&text, "  not scored: ", WithThousands(summary.nulls), " samples (",
              WithThousands(summary.faults), " faults)\n");
  if (summary.bad_rows > 0)
    StrAppend(&text, "  bad lines: ", WithThousands(summary.bad_rows),
              " (each reported in its place in the output)\n");
  text += SuspectLines(summary, context.global.verbose);
  text += RepairsLine(summary.repairs);
  for (const std::string& note : summary.notes) StrAppend(&text, "  ", note, "\n");
  if (!context.global.output.empty()) StrAppend(&text, "  written: ", context.global.output, "\n");
  if (!flags.store.empty())
    StrAppend(&text, "  stored: ", flags.store, ", run '", flags.run_name, "'\n");
  if (summary.interrupted)
    StrAppend(&text, "interrupted: the same command with --resume goes on from here\n");
  text.pop_back();  // the last newline
  Note(context, text);
}

ScoreRunOptions MakeRunOptions(Context* context, const ScoreFlags& flags) {
  const GlobalOptions& global = context->global;
  ScoreRunOptions options;
  options.files = flags.files;
  options.from_store = flags.from_store;
  options.from_run = flags.from_run;
  if (!flags.rubric.empty()) options.also_read.push_back(flags.rubric);
  options.also_read.push_back(ConfigFile());
  options.output = global.output;
  options.store = flags.store;
  options.run_name = flags.run_name;
  options.input_format = flags.input_format == "auto" ? "" : flags.input_format;
  options.group_by = flags.group_by;
  options.adjacent = flags.adjacent;
  options.jobs = global.Jobs();
  options.with_times = !flags.no_times;
  options.keep_input = flags.keep_input;
  options.strict = flags.strict;
  options.resume = flags.resume;
  options.progress = !global.quiet && !global.no_progress;
  options.seed = global.seed;
  options.tool_version = Version();
  options.interrupted = &context->interrupted;
  options.cancel = [context] { context->CancelSandbox(); };
  options.warn = [context](const std::string& text) { Warn(*context, text); };
  return options;
}

// What is read: the files named, or those that a stored run was read from.
Status FindInput(ScoreFlags* flags) {
  if (flags->from_store.empty()) {
    if (!flags->from_run.empty())
      return Error{ErrorCode::kUsage, "--from-run goes with --from-store", "name the store, too"};
    if (flags->files.empty())
      return Error{ErrorCode::kUsage, "nothing to score is named",
                   "name files, - for standard input, or a run with --from-store FILE --run NAME"};
    return {};
  }
  if (!flags->files.empty())
    return Error{ErrorCode::kUsage, "files and --from-store are both given", "use one of them"};
  if (flags->from_run.empty()) flags->from_run = flags->run_name;
  Result<std::vector<std::string>> files = FilesOfStoredRun(flags->from_store, flags->from_run);
  if (!files.ok()) return files.error();
  flags->files = std::move(*files);
  return {};
}

int RunScore(Context* context, const ScoreFlags& given) {
  ScoreFlags flags = given;
  if (Status found = FindInput(&flags); !found.ok()) return Fail(*context, found.error());
  Result<RubricSpec> spec = ReadRubric(flags);
  if (!spec.ok()) return Fail(*context, spec.error());
  Status status = ReadOptions(flags.options_json, &*spec);
  if (status.ok()) status = ApplyJudge(flags, &*spec);
  if (!status.ok()) return Fail(*context, status.error());
  Result<std::unique_ptr<Rubric>> rubric = Rubric::Make(*spec, context->MakeEnv());
  if (!rubric.ok()) return Fail(*context, rubric.error());

  const ScoreRunOptions options = MakeRunOptions(context, flags);
  context->polls_interrupted = true;
  if (context->global.verbose) {
    Note(*context,
         StrCat(flags.files.size(), flags.files.size() == 1 ? " file, " : " files, ", options.jobs,
                " rows at once, rubric ", (*rubric)->spec().ToJson().Dump()));
  }
  Result<ScoreRunSummary> summary = ScoreFiles(options, **rubric);
  if (!summary.ok()) return Fail(*context, summary.error());
  if (context->global.json()) {
    Note(*context, summary->ToJson().Dump());
  } else {
    PrintSummary(*context, *summary, flags);
  }
  if (summary->interrupted) return kExitInterrupted;
  if (summary->faults > 0 || summary->bad_rows > 0) return kExitFaults;
  const double share = summary->PassShare();
  if (flags.fail_under >= 0 && share < flags.fail_under) {
    Note(*context,
         StrCat("pass rate ", FixedDigits(share, 4), " is under --fail-under ", flags.fail_under));
    return kExitGate;
  }
  return kExitOk;
}

}  // namespace

void AddScoreCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<ScoreFlags>();
  CLI::App* command = app->add_subcommand(
      "score", "Score sampled answers: JSON Lines in, verdicts, rewards and advantages out");
  command->add_option("FILE", flags->files, "JSON Lines, plain or .gz; - is standard input");
  command
      ->add_option("--from-store", flags->from_store,
                   "Instead of files: score the samples of a run in this store again")
      ->type_name("FILE");
  command
      ->add_option("--from-run", flags->from_run,
                   "The run that --from-store reads (default: --run)")
      ->type_name("NAME");
  command
      ->add_option("--verifier", flags->verifiers,
                   "Verifiers by name, a,b (each weighs 1); see `assay verifiers`")
      ->type_name("NAMES");
  command->add_option("--rubric", flags->rubric, "A TOML file with verifiers, weights and rules")
      ->type_name("FILE");
  command
      ->add_option("--options", flags->options_json,
                   "Options of the verifiers as JSON: {\"math\": {\"mode\": \"bare\"}}")
      ->type_name("JSON");
  command
      ->add_option("--judge", flags->judge,
                   "Tests of `code`: split (apart from the program), inprocess (beside it: "
                   "forgeable) or auto "
                   "(apart, and beside it only where they are about its own objects: marked)")
      ->check(CLI::IsMember({"auto", "split", "inprocess"}));
  command->add_option("--store", flags->store, "Record everything in this SQLite file")
      ->type_name("FILE");
  command->add_option("--run", flags->run_name, "Name of the run in the store")
      ->capture_default_str();
  command
      ->add_option("--input-format", flags->input_format,
                   "How rows are laid out: assay, open-r1, openai-batch, vllm, lm-eval, .. "
                   "(docs/formats.md; default: by each row's keys)")
      ->type_name("NAME");
  command
      ->add_option("--group-by", flags->group_by,
                   "Flat lines that share this field make a group, wherever they stand")
      ->type_name("FIELD");
  command->add_flag("--adjacent", flags->adjacent,
                    "With --group-by: only lines that stand together, scored as soon as they are "
                    "all there (for a pipe that goes on)");
  command->add_flag("--no-times", flags->no_times,
                    "Leave times out, so that the bytes depend on the input alone");
  command->add_flag("--keep-input", flags->keep_input,
                    "Put prompt, answer, completions and finish reasons into the output too, which "
                    "`assay score` then reads again");
  command->add_flag("--strict", flags->strict, "Stop at the first bad line");
  command->add_flag("--resume", flags->resume,
                    "Go on where an interrupted run of the same command stopped");
  command
      ->add_option("--fail-under", flags->fail_under,
                   "Exit 1 if fewer than this share of the scored samples pass")
      ->check(CLI::Range(0.0, 1.0));
  command->callback(
      [context, flags] { context->run = [context, flags] { return RunScore(context, *flags); }; });
}

}  // namespace assay
