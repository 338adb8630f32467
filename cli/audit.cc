// assay audit: what a policy could earn from a file of problems without solving anything, and what is wrong with its rows.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cli/command.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/audit/audit.h"

namespace assay {
namespace {

struct AuditFlags {
  std::vector<std::string> files;
  std::string rubric, verifiers, page;
  std::vector<std::string> fail_on;
  AuditOptions options;
};

struct Gate {
  std::string kind;
  double share = 0;  // more rows than this fail
};

// "weak_tests" or "weak_tests=0.05".
Result<std::vector<Gate>> ReadGates(const std::vector<std::string>& texts) {
  std::vector<std::string> known = {"any"};
  for (const AuditKind& kind : AuditKinds()) known.emplace_back(kind.name);
  std::vector<Gate> gates;
  for (const std::string& text : texts) {
    const size_t equal = text.find('=');
    Gate gate{text.substr(0, equal), 0};
    if (std::find(known.begin(), known.end(), gate.kind) == known.end())
      return Error{ErrorCode::kUsage, StrCat("--fail-on: unknown finding '", gate.kind, "'"),
                   DidYouMean(gate.kind, known)};
    if (equal != std::string::npos) {
      char* end = nullptr;
      gate.share = std::strtod(text.c_str() + equal + 1, &end);
      if (*end != '\0' || end == text.c_str() + equal + 1 || gate.share < 0 || gate.share > 1)
        return Error{ErrorCode::kUsage,
                     StrCat("--fail-on ", text, ": the share of rows is a number from 0 to 1"),
                     "for example weak_tests=0.05"};
    }
    gates.push_back(std::move(gate));
  }
  return gates;
}

Result<RubricSpec> ReadSpec(const AuditFlags& flags) {
  if (!flags.rubric.empty() && !flags.verifiers.empty())
    return Error{ErrorCode::kUsage, "--verifier and --rubric are both given", "use one of them"};
  if (!flags.verifiers.empty()) return RubricFromNames(flags.verifiers);
  if (flags.rubric.empty())
    return Error{ErrorCode::kUsage, "audit needs --rubric or --verifier",
                 "for example --verifier math"};
  Result<std::string> text = ReadFile(flags.rubric, size_t{1} << 20);
  if (!text.ok()) return text.error();
  return RubricFromToml(*text, flags.rubric);
}

Status WritePage(const std::string& file, const std::string& page) {
  std::ofstream out(file, std::ios::binary);
  out << page;
  if (out.flush()) return {};
  return Error{ErrorCode::kIo, StrCat(file, ": cannot be written"), ""};
}

// Nothing that is read is written over.
Status CheckOutputs(Context* context, const AuditFlags& flags) {
  std::vector<std::string> inputs = flags.files;
  if (!flags.rubric.empty()) inputs.push_back(flags.rubric);
  for (const std::string& input : inputs) {
    std::error_code error;
    if (!flags.page.empty() && std::filesystem::equivalent(flags.page, input, error))
      return Error{ErrorCode::kUsage, StrCat("--page ", flags.page, " is an input"),
                   "name another file"};
  }
  return context->CheckOutput(inputs);
}

bool Passes(Context* context, const std::vector<Gate>& gates, const AuditReport& report) {
  bool passes = true;
  for (const Gate& gate : gates) {
    auto found = report.kinds.find(gate.kind);
    const int64_t count = gate.kind == "any" ? static_cast<int64_t>(report.findings.size())
                          : found == report.kinds.end() ? 0
                                                        : found->second;
    if (static_cast<double>(count) <= gate.share * static_cast<double>(report.rows)) continue;
    Note(*context, StrCat("gate: ", gate.kind, " in ", count, " of ", report.rows, " rows"));
    passes = false;
  }
  return passes;
}

int RunAudit(Context* context, const AuditFlags& flags) {
  Result<std::vector<Gate>> gates = ReadGates(flags.fail_on);
  if (!gates.ok()) return Fail(*context, gates.error());
  Result<RubricSpec> spec = ReadSpec(flags);
  if (!spec.ok()) return Fail(*context, spec.error());
  if (Status safe = CheckOutputs(context, flags); !safe.ok()) return Fail(*context, safe.error());
  const VerifierEnv env = context->MakeEnv();
  Result<std::unique_ptr<Rubric>> rubric = Rubric::Make(*spec, env);
  if (!rubric.ok()) return Fail(*context, rubric.error());
  AuditOptions options = flags.options;
  options.files = flags.files;
  options.jobs = context->global.Jobs();
  options.seed = context->global.seed;
  options.interrupted = &context->interrupted;
  context->polls_interrupted = true;
  Sandbox* sandbox = nullptr;
  for (const RubricTerm& term : spec->terms) {
    const VerifierInfo* info = FindVerifier(term.verifier);
    if (info == nullptr || !info->needs_sandbox || sandbox != nullptr) continue;
    Result<Sandbox*> opened = env.open_sandbox();
    if (opened.ok()) sandbox = *opened;
  }
  Result<AuditReport> report = Audit(options, **rubric, sandbox);
  if (!report.ok()) return Fail(*context, report.error());
  if (report->interrupted) return kExitInterrupted;
  if (!flags.page.empty()) {
    const std::string title =
        StrCat("Audit of ", flags.files[0],
               flags.files.size() > 1 ? StrCat(" and ", flags.files.size() - 1, " more") : "",
               " under ", spec->name.empty() ? flags.verifiers : spec->name);
    if (Status written = WritePage(flags.page, report->ToPage(title)); !written.ok())
      return Fail(*context, written.error());
  }
  const bool as_json = context->global.json() || !context->global.output.empty();
  if (as_json && !context->global.json()) Note(*context, report->ToText());
  const int code = context->Output(as_json ? report->ToJson().Dump() : report->ToText());
  if (code != kExitOk) return code;
  return Passes(context, *gates, *report) ? kExitOk : kExitGate;
}

}  // namespace

void AddAuditCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<AuditFlags>();
  CLI::App* command = app->add_subcommand(
      "audit", "What a rubric pays for solving nothing, and what is wrong with a file of problems");
  command->add_option("FILES", flags->files, "Problems, JSON Lines; completions are not needed")
      ->required();
  command->add_option("--rubric", flags->rubric, "The rubric that will reward (TOML)");
  command->add_option("--verifier", flags->verifiers, "Or verifiers, each weighing 1");
  command->add_option("--page", flags->page, "Write one HTML page there; -o writes JSON");
  command->add_option(
      "--fail-on", flags->fail_on,
      "Exit 1 if more rows than SHARE have this finding: KIND or KIND=SHARE; any: every kind");
  command->add_option("--rows", flags->options.rows_max, "Look at the first ROWS only (0: all)");
  command->add_option("--mutants", flags->options.mutants, "Changes to each solution")
      ->capture_default_str();
  command
      ->add_option("--weak-share", flags->options.weak_share,
                   "Tests are weak from this share of passing changes on")
      ->capture_default_str();
  command->add_option("--reference", flags->options.reference_key,
                      "Field of the rows with their solution (default: the usual names)");
  command->callback(
      [context, flags] { context->run = [context, flags] { return RunAudit(context, *flags); }; });
}

}  // namespace assay
