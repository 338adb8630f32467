#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>

#include "core/text.h"
#include "verifiers/lint/bounded_tool.h"
#include "verifiers/lint/linters.h"

namespace assay::lint {
namespace {

// What is wrong in any style: syntax, comparisons that cannot hold, statements out of place, undefined names, unused imports and
// variables.
constexpr const char* kRules = "E9,F63,F7,F82,F401,F841";

std::string Version(const std::string& ruff) {
  static std::mutex mutex;
  static std::map<std::string, std::string> versions;
  std::lock_guard<std::mutex> lock(mutex);
  auto [found, fresh] = versions.try_emplace(ruff);
  if (fresh) {
    Result<ToolRun> run = RunBounded({ruff, "--version"}, {}, {});
    if (run.ok() && run->ended && run->exit_code == 0)
      found->second = std::string(Trim(run->output));
  }
  return found->second;
}

std::string TargetVersion(const std::string& python_version) {
  const std::vector<std::string_view> parts = SplitChar(python_version, '.');
  return parts.size() < 2 ? "py311" : StrCat("py", parts[0], parts[1]);
}

// "program7.py", behind any folder -> 7; -1 else.
int64_t NumberOf(std::string_view file) {
  const size_t at = file.rfind("/program");
  if (at == std::string_view::npos) return -1;
  return std::strtoll(std::string(file.substr(at + 8, 12)).c_str(), nullptr, 10);
}

// What Python's own compiler refuses, whichever of its passes does.
bool IsSyntax(std::string_view code) {
  for (const char* refused : {"", "invalid-syntax", "F701", "F702", "F704", "F706", "F707"}) {
    if (code == refused) return true;
  }
  return StartsWith(code, "E9");
}

void AddFinding(const Json& said, std::vector<Report>* reports) {
  const int64_t number = NumberOf(said.StringOr("filename", ""));
  if (number < 0 || static_cast<size_t>(number) >= reports->size()) return;
  Report& report = (*reports)[static_cast<size_t>(number)];
  Finding finding;
  const std::string_view code = said.StringOr("code", "");
  const bool syntax = IsSyntax(code);
  finding.rule = syntax ? "syntax" : std::string(code);
  finding.weight = code == "F401" || code == "F841" ? kLeftover : kMistake;
  finding.message = said.StringOr("message", "");
  if (const Json* place = said.Find("location")) finding.line = place->IntOr("row", 0);
  if (!syntax && !report.parses) return;
  if (syntax && report.parses) report.findings.clear();
  if (syntax && !report.parses) return;
  report.parses = !syntax;
  report.findings.push_back(std::move(finding));
}

// False: the tool did not get through all of them.
bool RunOnce(const std::string& ruff, const std::string& python_version,
             const std::vector<std::string>& programs, std::vector<Report>* reports,
             std::string* unavailable) {
  std::vector<std::string> argv = {ruff,
                                   "check",
                                   "--isolated",
                                   "--no-cache",
                                   "--ignore-noqa",
                                   "--exit-zero",
                                   "--select",
                                   kRules,
                                   "--target-version",
                                   TargetVersion(python_version),
                                   "--output-format",
                                   "json-lines",
                                   "--no-fix",
                                   "--quiet"};
  std::vector<ToolFile> files;
  for (size_t i = 0; i < programs.size(); ++i) {
    files.push_back({StrCat("program", static_cast<int64_t>(i), ".py"), programs[i]});
    argv.push_back(files.back().name);
  }
  Result<ToolRun> run = RunBounded(argv, files, {});
  if (!run.ok()) {
    *unavailable = run.error().message;
    return false;
  }
  if (!run->ended || run->exit_code != 0) return false;
  for (std::string_view line : SplitChar(run->output, '\n')) {
    if (Trim(line).empty()) continue;
    Result<Json> said = ParseJson(line);
    if (said.ok()) AddFinding(*said, reports);
  }
  return true;
}

}  // namespace

std::string FindRuff() {
  const char* named = std::getenv("ASSAY_RUFF");
  return named != nullptr && *named != '\0' ? named : FindInPath("ruff");
}

std::vector<Report> LintByRuff(const std::string& ruff, const std::string& python_version,
                               const std::vector<std::string>& programs) {
  Report empty;
  empty.tool = Version(ruff);
  std::vector<Report> reports(programs.size(), empty);
  if (programs.empty()) return reports;
  std::string unavailable;
  if (RunOnce(ruff, python_version, programs, &reports, &unavailable)) return reports;
  // One of them is more than it can read: each by itself, and an honest one to tell the tool's fault from the program's.
  reports.assign(programs.size(), empty);
  std::vector<Report> control(1);
  if (unavailable.empty() &&
      !RunOnce(ruff, python_version, {"print(1)\n"}, &control, &unavailable) && unavailable.empty())
    unavailable = StrCat(ruff, " fails on an empty program, too");
  for (size_t i = 0; i < programs.size(); ++i) {
    std::vector<Report> one(1, empty);
    if (unavailable.empty() && programs.size() > 1 &&
        RunOnce(ruff, python_version, {programs[i]}, &one, &unavailable)) {
      reports[i] = std::move(one[0]);
    } else if (unavailable.empty()) {
      reports[i].gave_up = "the program is more than the linter can read";
    }
    if (!unavailable.empty()) reports[i].unavailable = unavailable;
  }
  return reports;
}

}  // namespace assay::lint
