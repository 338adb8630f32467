// assay check: one verdict for one answer.
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/questions.h"
#include "core/text.h"
#include "verifiers/rubric.h"

namespace assay {
namespace {

struct CheckFlags {
  std::string gold, answer, verifier = "math", options_json;
};

int RunCheck(Context* context, const CheckFlags& flags) {
  Json options;
  if (!flags.options_json.empty()) {
    Result<Json> parsed = ParseJson(flags.options_json);
    if (!parsed.ok() || !parsed->IsObject()) {
      return Fail(*context, {ErrorCode::kUsage, "--options is no JSON object",
                             "for example --options '{\"mode\": \"latex\"}'"});
    }
    options = *parsed;
  }
  const Result<std::unique_ptr<Rubric>> rubric =
      Rubric::Make(CheckRubric(flags.verifier, std::move(options)), context->MakeEnv());
  if (!rubric.ok()) return Fail(*context, rubric.error());
  const Result<Group> group = CheckGroup(flags.verifier, flags.gold, flags.answer);
  if (!group.ok()) return Fail(*context, group.error());
  const Verdict verdict = (*rubric)->Score(*group).samples[0].verdicts[0];
  int code = kExitOk;
  if (context->global.json()) {
    code = context->Output(VerdictToJson(verdict, /*with_ms=*/true).Dump());
  } else {
    std::string text = StrCat(OutcomeName(verdict.outcome), " (", verdict.reason, ")");
    if (!verdict.detail.empty()) StrAppend(&text, ": ", verdict.detail);
    code = context->Output(text);
  }
  if (code != kExitOk) return code;
  if (verdict.outcome == Outcome::kFault)
    return StartsWith(verdict.reason, "gold_") ? kExitUsage : kExitFaults;
  return verdict.outcome == Outcome::kPass ? kExitOk : kExitGate;
}

}  // namespace

void AddCheckCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<CheckFlags>();
  CLI::App* command = app->add_subcommand(
      "check", "One verdict: does ANSWER equal GOLD? Exit 0 if it passes, 1 if not");
  command->add_option("GOLD", flags->gold, "The reference answer")->required();
  command->add_option("ANSWER", flags->answer, "The answer to judge")->required();
  command->add_option("--verifier", flags->verifier, "Which verifier")->capture_default_str();
  command->add_option("--options", flags->options_json, "Its options as JSON")->type_name("JSON");
  command->positionals_at_end(false);
  command->callback(
      [context, flags] { context->run = [context, flags] { return RunCheck(context, *flags); }; });
}

}  // namespace assay
