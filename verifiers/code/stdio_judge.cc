#include "verifiers/code/stdio_judge.h"

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "core/hash.h"
#include "core/text.h"
#include "sandbox/jail/judge_spec.h"

namespace assay {
namespace {

// One run of a program on one test, which it passes or fails with a reason.
struct CaseResult {
  bool passed = false;
  Verdict verdict;
};

CaseResult JudgeRun(const CodeTask& task, const CodeProgram& program, const StdioCase& test,
                    const RunResult& run) {
  if (run.cause == Cause::kFault) return {false, Verdict::Fault("sandbox_fault", run.fault)};
  if (run.cause == Cause::kCompileError) {
    return {false, Verdict::Fail("compile_error", Shown(Trim(run.stderr_bytes)))};
  }
  if (run.cause == Cause::kNonzeroExit) {
    LastWords words = ReadTraceback(run.stderr_bytes);
    bool python = task.language == "python";
    bool syntax = python && !words.traceback && IsSyntaxErrorName(words.type);
    bool raised = python && words.traceback;
    Verdict verdict =
        Verdict::Fail(syntax                                  ? "syntax_error"
                      : words.type == "MemoryError" && raised ? "memory_limit"
                      : raised                                ? "exception"
                                                              : "nonzero_exit",
                      syntax || raised ? words.sentence : StrCat("exit code ", run.exit_code));
    if (raised) verdict.evidence.Set("exception", words.type);
    int64_t own_line = words.line - program.first_line;
    if ((syntax || raised) && own_line > 0) {
      verdict.evidence.Set("program_line", own_line);
      StrAppend(&verdict.detail, " (line ", own_line, ")");
    }
    return {false, std::move(verdict)};
  }
  if (run.cause != Cause::kOk) return {false, FailByCause(run.cause, task.limits)};
  if (run.stdout_truncated) return {false, FailByCause(Cause::kOutputLimit, task.limits)};
  if (!task.checker.empty() || !task.interactor.empty() ||
      OutputMatches(run.stdout_bytes, test.output, task.options.match, task.options.float_tol)) {
    return {true, Verdict::Pass()};
  }
  return {false, Verdict::Fail("wrong_answer", "the output differs from what is expected")};
}

Json DescribeCase(size_t number, const StdioCase& test, const RunResult& run) {
  Json failing = Json::MakeObject();
  failing.Set("test", static_cast<int64_t>(number)).Set("input", Shown(test.input));
  failing.Set("expected", Shown(test.output)).Set("got", Shown(run.stdout_bytes));
  return failing;
}

// A Python interactor that does not parse is the row's doing: nothing was said yet.
bool IsBrokenScript(std::string_view language, const RunResult& run) {
  if (language != "python" || run.cause != Cause::kNonzeroExit) return false;
  LastWords words = ReadTraceback(run.stderr_bytes);
  return !words.traceback && IsSyntaxErrorName(words.type);
}

// The program ended because nobody was there any more: its end says nothing that the interactor's does not.
bool EndsTalk(const RunResult& run) {
  if (run.cause == Cause::kSignal) return run.signal == SIGPIPE;
  if (run.cause != Cause::kNonzeroExit) return run.ok();
  LastWords words = ReadTraceback(run.stderr_bytes);
  return words.type == "EOFError" || words.type == "BrokenPipeError";
}

// How a conversation ended, the program's side and the interactor's.
CaseResult JudgeConversation(const CodeTask& task, const CodeProgram& program,
                             const InteractResult& talk) {
  const RunResult& judge = talk.interactor;
  if (judge.cause == Cause::kFault) return {false, Verdict::Fault("sandbox_fault", judge.fault)};
  if (judge.cause == Cause::kCompileError || IsBrokenScript(task.interactor_language, judge)) {
    return {false, Verdict::Fault("gold_interactor", StrCat("the interactor does not compile: ",
                                                            Shown(Trim(judge.stderr_bytes))))};
  }
  // What the program did before the interactor gave up on it; that the interactor left is not its doing.
  CaseResult own = JudgeRun(task, program, StdioCase(), talk.program);
  if (own.verdict.outcome == Outcome::kFault) return own;
  bool accepted = judge.ok();
  bool left_alone = EndsTalk(talk.program);
  if (!own.passed && (accepted || !left_alone)) return own;
  if (accepted) return {true, Verdict::Pass()};
  std::string said = Shown(Trim(judge.stderr_bytes));
  std::string sentence = EndedByItsOwnFault(judge.cause)
                             ? StrCat("the interactor ended by ", CauseName(judge.cause))
                             : "the interactor rejects the conversation";
  if (!said.empty()) StrAppend(&sentence, ": ", said);
  return {false, Verdict::Fail("wrong_answer", sentence)};
}

class StreamsJudge {
 public:
  StreamsJudge(const CodeTask& task, const CodeProgram& program, Sandbox* sandbox)
      : task_(task), program_(program), sandbox_(sandbox) {
    job_.language = task.language;
    job_.source = program.text;
    job_.limits = task.limits;
    job_.allow = task.allow;
    job_.measure_bytecodes = task.options.measure;
    job_.exact_usage = task.exact_usage;
  }

  Judged Judge() {
    for (size_t i = 0; i < task_.stdio.size(); ++i) {
      RunResult run;
      CaseResult result = RunCase(i, &run);
      if (result.verdict.outcome == Outcome::kFault) return {result.verdict, false};
      Count(run);
      if (result.passed) {
        ++passed_;
        if (!task_.checker.empty()) Keep(i, run);
        continue;
      }
      if (failed_++ == 0) {
        first_ = std::move(result.verdict);
        first_.evidence.Set("failing", DescribeCase(i, task_.stdio[i], run));
      }
      // What does not parse fails every test.
      if (!task_.options.partial || first_.reason == "syntax_error" ||
          first_.reason == "compile_error")
        break;
    }
    if (!task_.checker.empty() && (failed_ == 0 || task_.options.partial)) {
      if (Verdict fault = RunChecker(); fault.outcome == Outcome::kFault) return {fault, false};
    }
    return Finish();
  }

 private:
  CaseResult RunCase(size_t number, RunResult* run) {
    const StdioCase& test = task_.stdio[number];
    if (task_.interactor.empty()) {
      if (task_.by_files) return RunOnFiles(test, run);
      job_.stdin_bytes = test.input;
      *run = sandbox_->Run(job_);
      return JudgeRun(task_, program_, test, *run);
    }
    Job interactor;
    interactor.language = task_.interactor_language;
    interactor.source = task_.interactor;
    interactor.files = {{"input.txt", test.input}, {"output.txt", test.output}};
    interactor.args = {"input.txt", "output.txt"};
    interactor.limits.cpu_ms = task_.limits.tester_cpu_ms;
    interactor.limits.memory_mib = task_.limits.tester_memory_mib;
    // It outlives the program, whose wall clock bounds the conversation.
    interactor.limits.wall_ms = task_.limits.wall_ms + task_.limits.tester_cpu_ms;
    InteractResult talk = sandbox_->Interact(job_, interactor);
    if (!IsRepeatable(talk.interactor.cause)) repeatable_ = false;
    CaseResult result = JudgeConversation(task_, program_, talk);
    *run = std::move(talk.program);
    return result;
  }

  // What the program leaves in output.txt stands in the place of what it prints; no such file: nothing.
  CaseResult RunOnFiles(const StdioCase& test, RunResult* run) {
    job_.files = {{"input.txt", test.input}};
    job_.collect = {"output.txt"};
    *run = sandbox_->Run(job_);
    run->stdout_bytes.clear();
    for (SourceFile& file : run->collected) run->stdout_bytes = std::move(file.bytes);
    return JudgeRun(task_, program_, test, *run);
  }

  void Count(const RunResult& run) {
    if (!IsRepeatable(run.cause)) repeatable_ = false;
    bytecodes_ = run.bytecodes < 0 || bytecodes_ < 0 ? -1 : bytecodes_ + run.bytecodes;
    cpu_ms_.push_back(run.cpu_ms);
    peak_memory_kib_ = std::max(peak_memory_kib_, run.peak_memory_kib);
  }

  void Keep(size_t number, const RunResult& run) {
    const StdioCase& test = task_.stdio[number];
    Json kept = Json::MakeObject();
    kept.Set("test", static_cast<int64_t>(number))
        .Set("input", test.input)
        .Set("output", test.output);
    outputs_.Append(kept.Set("got", SanitizeUtf8(run.stdout_bytes)));
  }

  // The special judge sees the outputs as data, in the tester's process, with nothing of the program's beside it. What it
  // rejects is counted; the verdict returned is a fault or means nothing.
  Verdict RunChecker() {
    if (task_.checker_language != "python") return RunCompiledChecker();
    Json tests = Json::MakeObject().Set("kind", "checker").Set("text", task_.checker);
    JudgeJob job;
    job.tester_spec = Json::MakeObject()
                          .Set("tests", std::move(tests))
                          .Set("partial", task_.options.partial)
                          .Dump();
    job.tester_key = StrCat("checker ", HashBytes128(job.tester_spec).Hex());
    job.tester_request =
        Json::MakeObject().Set("cases", outputs_.IsNull() ? Json::MakeArray() : outputs_).Dump();
    jail::CandidateSpec nothing;
    nothing.module_name = "solution";
    job.candidate_spec = nothing.Encode();
    job.limits = task_.limits;
    // Of all outputs together.
    const auto tests_run = static_cast<int64_t>(task_.stdio.size());
    job.limits.tester_cpu_ms =
        std::min(job.limits.tester_cpu_ms, task_.checker_cpu_ms * std::max<int64_t>(tests_run, 1));
    JudgeResult judged = sandbox_->Judge(job);
    Result<Json> said = ParseJson(judged.result);
    if (!said.ok()) {
      if (!EndedByItsOwnFault(judged.tester_cause))
        return Verdict::Fault("sandbox_fault", judged.candidate.fault);
      if (!IsRepeatable(judged.tester_cause)) repeatable_ = false;
      Reject(0, Verdict::Fail("wrong_answer", "the checker ran over its limits on the output"));
      return Verdict::Pass();
    }
    if (said->StringOr("outcome", "") == "fault") {
      return Verdict::Fault(std::string(said->StringOr("reason", "gold_checker")),
                            std::string(said->StringOr("detail", "")));
    }
    if (said->StringOr("outcome", "") == "pass") return Verdict::Pass();
    Verdict rejected = Verdict::Fail(
        "wrong_answer", std::string(said->StringOr("detail", "the checker rejects the output")));
    if (const Json* failing = said->Find("failing")) rejected.evidence.Set("failing", *failing);
    Reject(said->IntOr("passed", 0), std::move(rejected));
    return Verdict::Pass();
  }

  // The same in another language: a program with three files, in a box of its own, that prints a number above 0 for a right output.
  Verdict RunCompiledChecker() {
    int64_t held = 0;
    std::optional<Verdict> rejected;
    for (const Json& kept : outputs_.IsNull() ? Json::Array() : *outputs_.AsArray()) {
      Job job;
      job.language = task_.checker_language;
      job.source = task_.checker;
      job.files = {{"input.txt", std::string(kept.StringOr("input", ""))},
                   {"correct_output.txt", std::string(kept.StringOr("output", ""))},
                   {"solution_output.txt", std::string(kept.StringOr("got", ""))}};
      job.args = {"input.txt", "correct_output.txt", "solution_output.txt"};
      job.limits.cpu_ms = task_.checker_cpu_ms;
      job.limits.memory_mib = task_.limits.tester_memory_mib;
      RunResult run = sandbox_->Run(job);
      if (run.cause == Cause::kFault) return Verdict::Fault("sandbox_fault", run.fault);
      if (run.cause == Cause::kCompileError) {
        return Verdict::Fault("gold_checker", StrCat("the checker does not compile: ",
                                                     Shown(Trim(run.stderr_bytes))));
      }
      if (!IsRepeatable(run.cause)) repeatable_ = false;
      std::string_view said = Trim(run.stdout_bytes);
      said = said.substr(said.find_last_of(" \t\r\n") + 1);
      if (run.ok() && std::strtod(std::string(said).c_str(), nullptr) > 0) {
        ++held;
        continue;
      }
      if (rejected) continue;
      rejected = Verdict::Fail(
          "wrong_answer", StrCat("the checker rejects the output of test ", kept.IntOr("test", 0)));
      Json failing = Json::MakeObject().Set("test", kept.IntOr("test", 0));
      failing.Set("input", Shown(kept.StringOr("input", "")));
      rejected->evidence.Set("failing", failing.Set("got", Shown(kept.StringOr("got", ""))));
      if (!task_.options.partial) break;
    }
    if (rejected) Reject(held, std::move(*rejected));
    return Verdict::Pass();
  }

  // Of the outputs that the checker saw, only `held` count as passed.
  void Reject(int64_t held, Verdict verdict) {
    held = std::clamp<int64_t>(held, 0, std::max<int64_t>(passed_ - 1, 0));
    failed_ += std::max<int64_t>(passed_ - held, 1);
    passed_ = held;
    if (first_.reason.empty()) first_ = std::move(verdict);
  }

  Judged Finish() {
    int64_t total = static_cast<int64_t>(task_.stdio.size());
    Verdict verdict = failed_ == 0 ? Verdict::Pass() : std::move(first_);
    verdict.evidence.Set("passed", passed_).Set("total", total);
    if (failed_ != 0 && task_.options.partial)
      verdict.score = static_cast<double>(passed_) / static_cast<double>(total);
    return {std::move(verdict), repeatable_, bytecodes_, std::move(cpu_ms_), peak_memory_kib_};
  }

  const CodeTask& task_;
  const CodeProgram& program_;
  Sandbox* sandbox_;
  Job job_;
  int64_t passed_ = 0;
  int64_t failed_ = 0;
  int64_t bytecodes_ = 0;
  std::vector<double> cpu_ms_;
  int64_t peak_memory_kib_ = 0;
  bool repeatable_ = true;
  Verdict first_ = Verdict::Fail("");
  Json outputs_;
};

}  // namespace

Judged JudgeByStreams(const CodeTask& task, const CodeProgram& program, Sandbox* sandbox) {
  return StreamsJudge(task, program, sandbox).Judge();
}

}  // namespace assay
