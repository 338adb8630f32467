// assay doctor: what this machine can do, what is missing, and how to get it.
#include <CLI/CLI.hpp>

#include <unistd.h>

#include "cli/command.h"
#include "core/text.h"
#include "sandbox/sandbox.h"
#include "sandbox/worker.h"

namespace assay {
namespace {

struct Check {
  std::string name;
  bool ok;
  bool required;
  std::string found;
  std::string advice;
};

bool Sibling(const char* name) { return access(SiblingPath(name).c_str(), X_OK) == 0; }

void CheckSandbox(Context* context, std::vector<Check>* checks) {
  Result<Sandbox*> opened = context->MakeEnv().open_sandbox();
  if (!opened.ok()) {
    checks->push_back({"sandbox", false, true, opened.error().message, opened.error().hint});
    return;
  }
  Sandbox& sandbox = **opened;
  const SandboxReport report = sandbox.Describe();
  std::string advice;
  for (const std::string& sentence : report.advice)
    StrAppend(&advice, advice.empty() ? "" : " ", sentence);
  checks->push_back({"sandbox", report.tier != Tier::kNone, true,
                     StrCat("isolation '", TierName(report.tier), "'"), advice});
  for (const auto& [layer, state] : report.layers)
    checks->push_back({StrCat("  ", layer), !StartsWith(state, "off"), false, state, ""});
  // A program that runs is worth more than a list of layers.
  Job job;
  job.source = "print(6 * 7)\n";
  const RunResult result = sandbox.Run(job);
  const bool runs = result.ok() && result.stdout_bytes == "42\n";
  checks->push_back({"sandbox runs a program", runs, true,
                     runs ? StrCat("yes, in ", FixedDigits(result.wall_ms, 1), " ms")
                          : StrCat("no: ", CauseName(result.cause), " ", result.fault),
                     ""});
  checks->push_back(
      {"python in the sandbox", !report.python_version.empty(), true, report.python_version, ""});
  for (const LanguageInfo& language : sandbox.Languages()) {
    checks->push_back({StrCat("language ", language.name), language.available, false,
                       language.available ? language.version : "not installed", language.missing});
  }
}

int RunDoctor(Context* context) {
  std::vector<Check> checks;
  checks.push_back({"assay", true, true, Version(), ""});
  const Result<std::string> jail = sandbox::FindJail("");
  checks.push_back({"assay-jail", jail.ok(), true, jail.ok() ? *jail : jail.error().message,
                    "build it: make build"});
  CheckSandbox(context, &checks);
  const bool train = Sibling("assay-train");
  checks.push_back({"training (assay-train)", train, false,
                    train ? "yes" : "off: built without LibTorch",
                    "make setup build, or set TORCH_PREFIX and build again"});
  bool ok = true;
  Json list = Json::MakeArray();
  std::string text;
  for (const Check& check : checks) {
    if (check.required && !check.ok) ok = false;
    const bool show_advice = !check.advice.empty() && (!check.ok || check.name == "sandbox");
    list.Append(Json()
                    .Set("name", std::string(Trim(check.name)))
                    .Set("ok", check.ok)
                    .Set("required", check.required)
                    .Set("found", check.found)
                    .Set("advice", show_advice ? check.advice : ""));
    StrAppend(&text,
              check.ok         ? "ok      "
              : check.required ? "FAILED  "
                               : "off     ",
              check.name, ": ", check.found, "\n");
    if (show_advice) StrAppend(&text, "        -> ", check.advice, "\n");
  }
  const int code = context->Output(
      context->global.json() ? Json().Set("ok", ok).Set("checks", std::move(list)).Dump() : text);
  if (code != kExitOk) return code;
  return ok ? kExitOk : kExitGate;
}

}  // namespace

void AddDoctorCommand(CLI::App* app, Context* context) {
  app->add_subcommand("doctor",
                      "Check this machine: isolation, languages, training; says how to get more")
      ->callback([context] { context->run = [context] { return RunDoctor(context); }; });
}

}  // namespace assay
