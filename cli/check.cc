// assay check: one verdict for one answer.
#include <CLI/CLI.hpp>

#include "cli/command.h"
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
  // Both sides are answers here, not whole replies.
  if (flags.verifier == "math" && options.Find("mode") == nullptr) options.Set("mode", "bare");
  Result<std::unique_ptr<Verifier>> verifier =
      MakeVerifier(flags.verifier, options, context->MakeEnv());
  if (!verifier.ok()) return Fail(*context, verifier.error());
  Group group;
  group.problem.answers.push_back(flags.gold);
  if (flags.verifier == "code") {
    Result<Json> info = ParseJson(flags.gold);
    if (!info.ok() || !info->IsObject()) {
      return Fail(*context, {ErrorCode::kUsage, "for 'code', GOLD is the verification_info as JSON",
                             "for example '{\"asserts\": \"assert f(1) == 2\"}'"});
    }
    group.problem.verification_info = *info;
  }
  group.samples.resize(1);
  group.samples[0].text = flags.answer;
  const Verdict verdict = (*verifier)->Verify(group, nullptr)[0];
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
