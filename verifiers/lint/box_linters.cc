#include <algorithm>
#include <cstdlib>

#include "core/text.h"
#include "verifiers/lint/linters.h"

namespace assay::lint {
namespace {

constexpr int kCannotStart = 127;

// A tool of this machine on one program, in a box with room for a compiler.
RunResult RunTool(const std::string& language, const std::string& program,
                  std::vector<std::string> command, Sandbox* sandbox) {
  Job job;
  job.language = language;
  job.source = program;
  job.command = std::move(command);
  job.limits.cpu_ms = 20'000;
  job.limits.wall_ms = 60'000;
  job.limits.memory_mib = 1024;
  return sandbox->Run(job);
}

bool IsThere(const std::string& tool, const RunResult& run) {
  return !(run.cause == Cause::kNonzeroExit &&
           run.stderr_bytes.find(StrCat(tool, ": cannot be started")) != std::string::npos);
}

// Ours, or the program's doing; true if there is nothing more to read.
bool Ended(const RunResult& run, const std::string& tool, Report* report) {
  if (run.cause == Cause::kFault) {
    report->unavailable = run.fault;
  } else if (!IsThere(tool, run)) {
    report->unavailable = StrCat(tool, " is not installed");
  } else if (run.cause != Cause::kOk && run.cause != Cause::kNonzeroExit) {
    report->gave_up = StrCat(tool, " ended by ", CauseName(run.cause), " on the program");
  }
  return !report->unavailable.empty() || !report->gave_up.empty();
}

void SyntaxError(int64_t line, std::string message, Report* report) {
  report->parses = false;
  report->findings = {{line, "syntax", kMistake, std::move(message)}};
}

// "main.cc:3:5: warning: unused variable 'x' [-Wunused-variable]". False: another kind of line.
bool ReadDiagnostic(std::string_view text, std::string_view file, std::string* kind,
                    Finding* finding) {
  if (!StartsWith(text, file) || text.size() <= file.size() || text[file.size()] != ':')
    return false;
  text.remove_prefix(file.size() + 1);
  char* end = nullptr;
  const std::string rest(text.substr(0, 2000));
  finding->line = std::strtoll(rest.c_str(), &end, 10);
  std::string_view tail = std::string_view(rest).substr(static_cast<size_t>(end - rest.c_str()));
  if (!StartsWith(tail, ":")) return false;
  const size_t space = tail.find(": ");
  if (space == std::string_view::npos) return false;
  tail.remove_prefix(space + 2);
  const size_t colon = tail.find(": ");
  if (colon == std::string_view::npos) return false;
  *kind = std::string(tail.substr(0, colon));
  finding->message = std::string(tail.substr(colon + 2));
  const size_t bracket = finding->message.rfind(" [");
  if (bracket != std::string::npos && EndsWith(finding->message, "]")) {
    finding->rule = finding->message.substr(bracket + 2);
    finding->rule.pop_back();
    finding->message.resize(bracket);
  }
  return true;
}

// Warnings about what is merely left over or a matter of taste; all others are about what cannot be meant.
double WeightOfWarning(std::string_view rule) {
  for (const char* light : {"-Wunused", "-Wsign-compare", "-Wcomment", "-Wmissing-field",
                            "-Wignored-qualifiers", "-Wreorder", "-Wextra", "-Wunknown-pragmas"}) {
    if (StartsWith(rule, light)) return kLeftover;
  }
  return kMistake;
}

// What would switch warnings off, or make the program pass for a system's header.
void FindSuppressions(std::string_view program, Report* report) {
  int64_t number = 0;
  for (std::string_view line : SplitChar(program, '\n')) {
    ++number;
    std::string_view text = Trim(line);
    bool suppresses = text.find("_Pragma") != std::string_view::npos;
    if (StartsWith(text, "#") || StartsWith(text, "%:") || StartsWith(text, "?\?=")) {
      text = Trim(text.substr(text.find_first_not_of("#%:?=") == std::string_view::npos
                                  ? text.size()
                                  : text.find_first_not_of("#%:?=")));
      const bool marker = !text.empty() && text[0] >= '0' && text[0] <= '9';
      const bool pragma =
          StartsWith(text, "pragma") && (text.find("diagnostic") != std::string_view::npos ||
                                         text.find("system_header") != std::string_view::npos);
      suppresses = suppresses || marker || pragma || StartsWith(text, "line") || text == "\\" ||
                   EndsWith(text, "pragma\\") || EndsWith(text, "GCC \\");
    }
    if (suppresses)
      report->findings.push_back(
          {number, "suppression", kMistake, "switches warnings off, or may"});
  }
}

void ReadCompiler(const RunResult& run, std::string_view file, Report* report) {
  for (std::string_view line : SplitChar(run.stderr_bytes, '\n')) {
    Finding finding;
    std::string kind;
    if (!ReadDiagnostic(line, file, &kind, &finding)) continue;
    if (kind == "error" || kind == "fatal error")
      return SyntaxError(finding.line, finding.message, report);
    if (kind != "warning") continue;
    if (finding.rule.empty()) finding.rule = "warning";
    finding.weight = WeightOfWarning(finding.rule);
    report->findings.push_back(std::move(finding));
  }
  if (run.cause == Cause::kNonzeroExit) SyntaxError(0, "the compiler refuses it", report);
}

void AddCppcheck(const std::string& language, const std::string& program, std::string_view file,
                 Sandbox* sandbox, Report* report) {
  const RunResult run = RunTool(language, program,
                                {"cppcheck", "--quiet", "--enable=warning",
                                 "--template={file}:{line}:1: {severity}: {message} [{id}]",
                                 "--template-location=", "--max-configs=1", std::string(file)},
                                sandbox);
  // It is an addition: where it is not there, or this program is too much for it, the compiler's word stands alone.
  if (run.cause != Cause::kOk) return;
  report->tool += " and cppcheck";
  for (std::string_view line : SplitChar(run.stderr_bytes, '\n')) {
    Finding finding;
    std::string kind;
    if (!ReadDiagnostic(line, file, &kind, &finding)) continue;
    if (kind != "error" && kind != "warning") continue;
    const bool known =
        std::any_of(report->findings.begin(), report->findings.end(), [&](const Finding& other) {
          return other.line == finding.line && other.weight >= kMistake;
        });
    if (known || finding.rule == "syntaxError" || finding.rule == "unknownMacro") continue;
    finding.rule = StrCat("cppcheck:", finding.rule);
    finding.weight = kMistake;
    report->findings.push_back(std::move(finding));
  }
}

}  // namespace

Report LintByCompiling(const std::string& program, Sandbox* sandbox) {
  // Compiles the text and runs nothing of it; a child, so that what ends the interpreter ends nothing else.
  constexpr const char* kCheck =
      "import sys, warnings\n"
      "warnings.simplefilter('ignore')\n"
      "text = open('program.py', 'rb').read()\n"
      "try:\n"
      "    compile(text, 'program.py', 'exec')\n"
      "except SyntaxError as e:\n"
      "    print('syntax', e.lineno or 0, str(e.msg).encode('ascii', 'replace').decode())\n"
      "except (ValueError, RecursionError, MemoryError, OverflowError) as e:\n"
      "    print('syntax', 0, type(e).__name__)\n"
      "else:\n"
      "    print('ok')\n";
  Report report;
  report.tool = "python";
  Job job;
  job.source = kCheck;
  job.files = {{"program.py", program}};
  const RunResult run = sandbox->Run(job);
  if (run.cause == Cause::kFault) {
    report.unavailable = run.fault;
  } else if (StartsWith(run.stdout_bytes, "syntax ")) {
    char* rest = nullptr;
    const int64_t line = std::strtoll(run.stdout_bytes.c_str() + 7, &rest, 10);
    SyntaxError(line, std::string(Trim(rest)), &report);
  } else if (run.stdout_bytes != "ok\n") {
    report.gave_up = StrCat("reading the program ended by ", CauseName(run.cause));
  }
  return report;
}

Report LintByCompiler(const std::string& language, const std::string& program, Sandbox* sandbox) {
  Report report;
  const bool plus = language == "c++";
  const std::string file = plus ? "main.cc" : "main.c";
  const std::string compiler = plus ? "g++" : "gcc";
  report.tool = compiler;
  std::vector<std::string> command = {compiler,
                                      "-fsyntax-only",
                                      "-Wall",
                                      "-Wextra",
                                      "-fdiagnostics-color=never",
                                      "-fno-diagnostics-show-caret",
                                      "-fmax-errors=5",
                                      "-DONLINE_JUDGE"};
  if (plus) command.emplace_back("-std=c++20");
  command.push_back(file);
  const RunResult run = RunTool(language, program, std::move(command), sandbox);
  if (Ended(run, compiler, &report)) return report;
  ReadCompiler(run, file, &report);
  if (!report.parses) return report;
  FindSuppressions(program, &report);
  AddCppcheck(language, program, file, sandbox, &report);
  return report;
}

Report LintByNode(const std::string& program, Sandbox* sandbox) {
  Report report;
  report.tool = "node";
  const RunResult run = RunTool("javascript", program, {"node", "--check", "main.js"}, sandbox);
  if (Ended(run, "node", &report) || run.cause == Cause::kOk) return report;
  // "/tmp/main.js:3", the line, a mark, then "SyntaxError: ..".
  const size_t at = run.stderr_bytes.find("main.js:");
  const int64_t line =
      at == std::string::npos ? 0 : std::strtoll(run.stderr_bytes.c_str() + at + 8, nullptr, 10);
  const size_t word = run.stderr_bytes.find("SyntaxError");
  std::string_view message = word == std::string::npos
                                 ? "node refuses it"
                                 : std::string_view(run.stderr_bytes).substr(word);
  SyntaxError(line, std::string(message.substr(0, message.find('\n'))), &report);
  return report;
}

}  // namespace assay::lint
