#include "verifiers/code/judge_program.h"

#include <algorithm>

#include "core/text.h"
#include "sandbox/jail/judge_spec.h"
#include "verifiers/code/stdio_judge.h"

namespace assay {
namespace {

Verdict FromTester(const Json& said, bool partial) {
  std::string outcome(said.StringOr("outcome", ""));
  std::string reason(said.StringOr("reason", ""));
  std::string detail(said.StringOr("detail", ""));
  if (outcome == "fault") return Verdict::Fault(reason, detail);
  Verdict verdict = outcome == "pass" ? Verdict::Pass() : Verdict::Fail(reason, detail);
  int64_t passed = said.IntOr("passed", -1), total = said.IntOr("total", -1);
  for (const char* key : {"failing", "passed", "total", "program_line", "exception", "failures",
                          "texts", "decided_by", "forgeable", "suspect"}) {
    if (const Json* value = said.Find(key)) verdict.evidence.Set(key, *value);
  }
  if (outcome != "pass" && partial && passed >= 0 && total > 0) {
    const double share = static_cast<double>(passed) / static_cast<double>(total);
    verdict.score = std::clamp(said.DoubleOr("score", share), 0.0, 1.0);
  }
  return verdict;
}

Verdict ReadJudgeResult(const JudgeResult& judged, const CodeTask& task) {
  const Cause cause = judged.candidate.cause;
  if (cause == Cause::kFault) return Verdict::Fault("sandbox_fault", judged.candidate.fault);
  bool box_at_fault = EndedByItsOwnFault(cause) && !judged.ended_by_us;
  if (judged.tester_cause != Cause::kOk) {
    if (box_at_fault) return FailByCause(cause, task.limits);
    if (judged.tester_cause == Cause::kFault)
      return Verdict::Fault("sandbox_fault", "the tester did not report");
    // The tester is ours, but what it choked on was handed to it.
    bool limit =
        judged.tester_cause != Cause::kSignal && judged.tester_cause != Cause::kNonzeroExit;
    return Verdict::Fail(limit ? CauseName(judged.tester_cause) : "protocol_error",
                         StrCat("testing what the program returned ",
                                limit ? "ran over a limit" : "broke the tester"));
  }
  Result<Json> said = ParseJson(judged.result);
  if (!said.ok())
    return box_at_fault ? FailByCause(cause, task.limits)
                        : Verdict::Fail("protocol_error", "no verdict");
  Verdict verdict = FromTester(*said, task.options.partial);
  // A program that was ended says so by a closed channel: the first cause is the limit that ended it.
  if (box_at_fault && (verdict.outcome == Outcome::kPass || verdict.reason == "early_exit")) {
    return FailByCause(cause, task.limits);
  }
  return verdict;
}

enum class Where : uint8_t { kApart, kBeside };  // where the tests run

struct ByTester {
  Judged judged;
  // It may be the two processes that fail, and the row's tests may run in one.
  bool try_beside = false;
  // It passed, and what the tests held were copies of what the program changed afterwards.
  bool ask_beside = false;
};

ByTester JudgeByTester(const CodeTask& task, const CodeProgram& program, Where where,
                       Sandbox* sandbox) {
  jail::CandidateSpec candidate;
  candidate.program = program.text;
  candidate.module_name = "solution";
  candidate.first_line = program.first_line;
  const std::vector<std::string> mentions = MentionedSetup(task, program.text);
  candidate.waits_for_setup = !mentions.empty() || where == Where::kBeside;
  candidate.records = task.records;
  JudgeJob job;
  job.tester_key = task.tester_key;
  job.tester_spec = task.tester_spec;
  if (where == Where::kBeside) {
    job.tester_request =
        Json::MakeObject().Set("beside", true).Set("first_line", program.first_line).Dump();
  } else if (!mentions.empty()) {
    Json names = Json::MakeArray();
    for (const std::string& name : mentions) names.Append(name);
    job.tester_request = Json::MakeObject().Set("mentions", std::move(names)).Dump();
  }
  job.candidate_spec = candidate.Encode();
  job.limits = task.limits;
  job.allow = task.allow;
  job.measure_bytecodes = task.options.measure;
  job.exact_usage = task.exact_usage;
  JudgeResult result = sandbox->Judge(job);
  bool repeatable = IsRepeatable(result.candidate.cause) && IsRepeatable(result.tester_cause);
  ByTester by;
  by.judged = {ReadJudgeResult(result, task),
               repeatable,
               result.candidate.bytecodes,
               {result.candidate.cpu_ms},
               result.candidate.peak_memory_kib};
  const Verdict& verdict = by.judged.verdict;
  Result<Json> said = ParseJson(result.result);
  by.try_beside = verdict.outcome != Outcome::kPass && verdict.reason != "sandbox_fault" &&
                  said.ok() && said->BoolOr("beside", false) &&
                  !EndedByItsOwnFault(result.candidate.cause);
  by.ask_beside = verdict.outcome == Outcome::kPass && said.ok() && said->BoolOr("changed", false);
  return by;
}

// Stands for any program: whatever the tests import or call is there.
constexpr std::string_view kAnyProgram =
    "def __getattr__(name):\n    return lambda *args, **kwargs: None\n";

// Tests beside the program: what passes there, the program could have forged, and the verdict says so.
Judged JudgeBeside(const CodeTask& task, const CodeProgram& program, Sandbox* sandbox) {
  Judged judged = JudgeByTester(task, program, Where::kBeside, sandbox).judged;
  // In one process a program can spoil what the tests need: the data set is blamed only if they fail so beside any program.
  if (judged.verdict.outcome == Outcome::kFault && StartsWith(judged.verdict.reason, "gold_")) {
    CodeProgram any;
    any.text = kAnyProgram;
    Judged control = JudgeByTester(task, any, Where::kBeside, sandbox).judged;
    if (control.verdict.outcome != Outcome::kFault)
      judged.verdict =
          Verdict::Fail("wrong_answer", StrCat("beside this program ", judged.verdict.detail));
  }
  judged.verdict.evidence.Set("forgeable", true);
  return judged;
}

// Apart from the program; where that fails and the row's own text is about the program's objects, beside it.
Judged JudgeByTests(const CodeTask& task, const CodeProgram& program, Sandbox* sandbox) {
  if (task.options.inprocess) return JudgeBeside(task, program, sandbox);
  ByTester apart = JudgeByTester(task, program, Where::kApart, sandbox);
  if (!(apart.try_beside || apart.ask_beside) || !task.options.beside)
    return std::move(apart.judged);
  Judged beside = JudgeBeside(task, program, sandbox);
  // There a pass would be the program's word; that it fails is not.
  if (apart.ask_beside && beside.verdict.reason != "wrong_answer") return std::move(apart.judged);
  beside.repeatable = beside.repeatable && apart.judged.repeatable;
  return beside;
}

}  // namespace

Judged JudgeProgram(const CodeTask& task, const CodeProgram& program, Sandbox* sandbox) {
  return task.by_stdio() ? JudgeByStreams(task, program, sandbox)
                         : JudgeByTests(task, program, sandbox);
}

Judged CountBytecodes(const CodeTask& task, const CodeProgram& program, Sandbox* sandbox) {
  // How much longer a program may take while its bytecodes are counted.
  constexpr int64_t kSlowdown = 20;
  CodeTask measured = task;
  measured.options.measure = true;
  measured.limits.cpu_ms *= kSlowdown;
  measured.limits.wall_ms *= kSlowdown;
  return JudgeProgram(measured, program, sandbox);
}

}  // namespace assay
