#include "verifiers/code/inprocess.h"

#include <random>

#include "core/hash.h"
#include "core/text.h"
#include "verifiers/code/inprocess_runner.h"

namespace assay {
namespace {

// Not a secret (the program shares the process), only a word that no program prints by accident.
std::string Marker(const CodeProgram& program) {
  std::random_device device;
  return HashBytes128(program.text, (uint64_t{device()} << 32) | device()).Hex();
}

// What the runner told on its last line; null if it did not get that far.
Json Report(const RunResult& run, const std::string& marker) {
  size_t at = run.stdout_bytes.rfind(StrCat("\n", marker, " "));
  if (at == std::string::npos) return Json();
  Result<Json> said =
      ParseJson(Trim(std::string_view(run.stdout_bytes).substr(at + marker.size() + 2)));
  return said.ok() && said->IsObject() ? std::move(said).value() : Json();
}

Verdict FromReport(const CodeTask& task, const Json& said) {
  int64_t passed = said.IntOr("passed", 0), total = said.IntOr("total", 0);
  const Json* failing = said.Find("failing");
  if (failing == nullptr && total == 0)
    return Verdict::Fault("gold_tests", "the tests ask nothing of the program");
  Verdict verdict = Verdict::Pass();
  if (failing != nullptr) {
    verdict = Verdict::Fail("wrong_answer", StrCat(Shown(failing->StringOr("test", "")), ": ",
                                                   Shown(failing->StringOr("detail", ""))));
    verdict.evidence.Set("failing", *failing);
    if (task.options.partial && passed >= 0 && passed < total)
      verdict.score = static_cast<double>(passed) / static_cast<double>(total);
  }
  verdict.evidence.Set("passed", passed).Set("total", total);
  return verdict;
}

Verdict FromRun(const CodeTask& task, const CodeProgram& program, const RunResult& run,
                const std::string& marker) {
  if (run.cause == Cause::kFault) return Verdict::Fault("sandbox_fault", run.fault);
  Json said = Report(run, marker);
  bool whole = run.ok() || run.cause == Cause::kNonzeroExit;
  if (whole && said.IsObject() && (run.ok() || said.Find("failing") != nullptr))
    return FromReport(task, said);
  if (run.ok())
    return Verdict::Fail("early_exit", "the program ended itself before the tests had run");
  if (run.cause != Cause::kNonzeroExit) return FailByCause(run.cause, task.limits);
  LastWords words = ReadTraceback(run.stderr_bytes);
  if (words.traceback && words.type == "ModuleNotFoundError" &&
      run.stderr_bytes.find("File \"tests.py\"") != std::string::npos) {
    return Verdict::Fault("gold_tests",
                          StrCat("the tests cannot import what they need: ", words.sentence));
  }
  int64_t line = words.line - program.first_line;
  bool in_program = words.line > 0 && line > 0;
  Verdict verdict = Verdict::Fail(!words.traceback                 ? "wrong_answer"
                                  : words.type == "AssertionError" ? "wrong_answer"
                                  : words.type == "MemoryError"    ? "memory_limit"
                                  : IsSyntaxErrorName(words.type)  ? "syntax_error"
                                                                   : "exception",
                                  words.sentence);
  if (in_program && words.traceback && words.type != "AssertionError") {
    verdict.evidence.Set("program_line", line);
    StrAppend(&verdict.detail, " (line ", line, ")");
  }
  return verdict;
}

// Stands for any program: whatever the tests import or call is there.
constexpr std::string_view kAnyProgram =
    "def __getattr__(name):\n    return lambda *args, **kwargs: None\n";

struct Tried {
  Verdict verdict;
  RunResult run;
};

Tried Try(const CodeTask& task, const CodeProgram& program, Sandbox* sandbox) {
  std::string marker = Marker(program);
  Job job;
  job.source = kInProcessRunner;
  job.files = {{"solution.py", program.text}, {"tests.py", task.inprocess_tests}};
  job.args = {task.entry_point, marker, task.options.partial ? "all" : "first"};
  job.limits = task.limits;
  job.allow = task.allow;
  job.measure_bytecodes = task.options.measure;
  RunResult run = sandbox->Run(job);
  Verdict verdict = FromRun(task, program, run, marker);
  return {std::move(verdict), std::move(run)};
}

}  // namespace

Judged JudgeInProcess(const CodeTask& task, const CodeProgram& program, Sandbox* sandbox) {
  Tried tried = Try(task, program, sandbox);
  // In one process a program can spoil what the tests need: the data set is blamed only if they fail so beside any program.
  if (tried.verdict.outcome == Outcome::kFault && StartsWith(tried.verdict.reason, "gold_")) {
    CodeProgram any;
    any.text = kAnyProgram;
    Tried control = Try(task, any, sandbox);
    if (control.verdict.outcome != Outcome::kFault)
      tried.verdict =
          Verdict::Fail("wrong_answer", StrCat("beside this program ", tried.verdict.detail));
  }
  tried.verdict.evidence.Set("forgeable", true);
  return {std::move(tried.verdict), IsRepeatable(tried.run.cause), tried.run.bytecodes};
}

}  // namespace assay
