#include "verifiers/code/code_verifier.h"

#include <chrono>
#include <string>
#include <unordered_map>

#include "core/text.h"
#include "sandbox/jail/judge_spec.h"
#include "sandbox/sandbox.h"
#include "verifiers/code/code_task.h"
#include "verifiers/code/inprocess.h"

namespace assay {

const char* const kCodeOptionsHelp =
    "partial: true | false (default false): the score is the fraction of tests passed\n"
    "cut: none | humaneval (default none): cut base-model text at HumanEval's stop words\n"
    "match: lines | tokens | exact (default lines): how standard output is compared\n"
    "float_tol: number (default none): how far numbers may differ\n"
    "unordered: true | false (default false): lists match in any order\n"
    "limits: {cpu_ms, wall_ms, memory_mib, ..}\n"
    "judge: split | inprocess (default split): tests apart from the program, or forgeable beside "
    "it\n"
    "accept_forgeable: true | false (default false): needed for judge = inprocess";

namespace {

constexpr size_t kMaxProgramBytes = size_t{4} << 20;
bool EndedByItsOwnFault(Cause cause) {
  switch (cause) {
    case Cause::kOk:
    case Cause::kNonzeroExit:
    case Cause::kFault:
    case Cause::kCompileError:
      return false;
    default:
      return true;
  }
}

// ------------------------------------------------------------------------------------------------------- standard streams

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
  if (!task.checker.empty() ||
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

class StdioJudge {
 public:
  StdioJudge(const CodeTask& task, Sandbox* sandbox) : task_(task), sandbox_(sandbox) {}

  Verdict Judge(const CodeProgram& program) {
    Job job;
    job.language = task_.language;
    job.source = program.text;
    job.limits = task_.limits;
    job.allow = task_.allow;
    for (size_t i = 0; i < task_.stdio.size(); ++i) {
      job.stdin_bytes = task_.stdio[i].input;
      RunResult run = sandbox_->Run(job);
      CaseResult result = JudgeRun(task_, program, task_.stdio[i], run);
      if (result.verdict.outcome == Outcome::kFault) return result.verdict;
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
      if (Verdict checked = RunChecker(); checked.outcome == Outcome::kFault) return checked;
    }
    return Finish();
  }

 private:
  void Keep(size_t number, const RunResult& run) {
    const StdioCase& test = task_.stdio[number];
    Json kept = Json::MakeObject();
    kept.Set("test", static_cast<int64_t>(number))
        .Set("input", test.input)
        .Set("output", test.output);
    outputs_.Append(kept.Set("got", SanitizeUtf8(run.stdout_bytes)));
  }

  // The special judge sees the outputs as data, in the tester's process, with nothing of the program's beside it.
  Verdict RunChecker() {
    Json tests = Json::MakeObject().Set("kind", "checker").Set("text", task_.checker);
    JudgeJob job;
    job.tester_spec = Json::MakeObject()
                          .Set("tests", std::move(tests))
                          .Set("partial", task_.options.partial)
                          .Dump();
    job.tester_key = StrCat("checker ", task_.checker);
    job.tester_request =
        Json::MakeObject().Set("cases", outputs_.IsNull() ? Json::MakeArray() : outputs_).Dump();
    jail::CandidateSpec nothing;
    nothing.module_name = "solution";
    job.candidate_spec = nothing.Encode();
    job.limits = task_.limits;
    JudgeResult judged = sandbox_->Judge(job);
    Result<Json> said = ParseJson(judged.result);
    if (!said.ok()) {
      return EndedByItsOwnFault(judged.tester_cause)
                 ? Verdict::Fail("wrong_answer", "the checker ran over its limits on the output")
                 : Verdict::Fault("sandbox_fault", judged.candidate.fault);
    }
    if (said->StringOr("outcome", "") == "fault") {
      return Verdict::Fault(std::string(said->StringOr("reason", "gold_checker")),
                            std::string(said->StringOr("detail", "")));
    }
    if (said->StringOr("outcome", "") == "pass") return Verdict::Pass();
    int64_t held = task_.options.partial ? said->IntOr("passed", 0) : 0;
    failed_ += passed_ - held;
    passed_ = held;
    if (first_.reason.empty()) {
      first_ = Verdict::Fail(
          "wrong_answer", std::string(said->StringOr("detail", "the checker rejects the output")));
      if (const Json* failing = said->Find("failing")) first_.evidence.Set("failing", *failing);
    }
    return Verdict::Pass();
  }

  Verdict Finish() {
    int64_t total = static_cast<int64_t>(task_.stdio.size());
    if (failed_ == 0) {
      Verdict pass = Verdict::Pass();
      pass.evidence = Json::MakeObject().Set("passed", passed_).Set("total", total);
      return pass;
    }
    if (task_.options.partial) {
      first_.score = static_cast<double>(passed_) / static_cast<double>(total);
      first_.evidence.Set("passed", passed_).Set("total", total);
    }
    return first_;
  }

  const CodeTask& task_;
  Sandbox* sandbox_;
  int64_t passed_ = 0;
  int64_t failed_ = 0;
  Verdict first_ = Verdict::Fail("");
  Json outputs_;
};

// ------------------------------------------------------------------------------------------------------------ the judge

Verdict FromTester(const Json& said, bool partial) {
  std::string outcome(said.StringOr("outcome", ""));
  std::string reason(said.StringOr("reason", ""));
  std::string detail(said.StringOr("detail", ""));
  if (outcome == "fault") return Verdict::Fault(reason, detail);
  Verdict verdict = outcome == "pass" ? Verdict::Pass() : Verdict::Fail(reason, detail);
  int64_t passed = said.IntOr("passed", -1), total = said.IntOr("total", -1);
  for (const char* key : {"failing", "passed", "total", "program_line", "exception", "failures"}) {
    if (const Json* value = said.Find(key)) verdict.evidence.Set(key, *value);
  }
  if (outcome != "pass" && partial && passed > 0 && total > 0) {
    verdict.score = static_cast<double>(passed) / static_cast<double>(total);
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

Verdict JudgeByTester(const CodeTask& task, const CodeProgram& program, Sandbox* sandbox) {
  jail::CandidateSpec candidate;
  candidate.program = program.text;
  candidate.module_name = "solution";
  candidate.first_line = program.first_line;
  candidate.records = task.records;
  JudgeJob job;
  job.tester_key = task.tester_key;
  job.tester_spec = task.tester_spec;
  job.candidate_spec = candidate.Encode();
  job.limits = task.limits;
  job.allow = task.allow;
  return ReadJudgeResult(sandbox->Judge(job), task);
}

class CodeVerifier : public Verifier {
 public:
  CodeVerifier(CodeOptions options, Sandbox* sandbox)
      : options_(std::move(options)), sandbox_(sandbox) {}

  std::vector<Verdict> Verify(const Group& group, const Json* row_options) const override {
    CodeOptions options = options_;
    if (row_options != nullptr) {
      Result<CodeOptions> merged = ReadCodeOptions(*row_options, options_);
      if (!merged.ok())
        return All(group, Verdict::Fault("gold_bad_options", merged.error().message));
      options = *merged;
    }
    if (options.inprocess && !options_.accept_forgeable) {
      return All(group, Verdict::Fault(
                            "gold_bad_options",
                            "the row wants judge = inprocess, which the rubric does not accept"));
    }
    Result<CodeTask> task = ReadCodeTask(group.problem, options);
    if (!task.ok()) return All(group, Verdict::Fault("gold_bad_tests", task.error().message));
    std::vector<Verdict> verdicts;
    std::unordered_map<std::string, size_t> judged;  // program -> its first sample
    for (const Sample& sample : group.samples) {
      CodeProgram program = BuildProgram(*task, sample.text);
      auto [found, fresh] = judged.emplace(program.text, verdicts.size());
      verdicts.push_back(fresh ? JudgeOne(*task, program) : verdicts[found->second]);
      if (!fresh) verdicts.back().ms = 0;
    }
    return verdicts;
  }

 private:
  static std::vector<Verdict> All(const Group& group, const Verdict& verdict) {
    return std::vector<Verdict>(group.samples.size(), verdict);
  }

  Verdict JudgeOne(const CodeTask& task, const CodeProgram& program) const {
    if (program.text.empty()) return Verdict::Fail("no_code", "the reply holds no program");
    if (program.text.size() > kMaxProgramBytes)
      return Verdict::Fail("output_limit", "the program is too long");
    const auto start = std::chrono::steady_clock::now();
    Verdict verdict = task.by_stdio()          ? StdioJudge(task, sandbox_).Judge(program)
                      : task.options.inprocess ? JudgeInProcess(task, program, sandbox_)
                                               : JudgeByTester(task, program, sandbox_);
    verdict.ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    return verdict;
  }

  CodeOptions options_;
  Sandbox* sandbox_;
};

}  // namespace

Result<std::unique_ptr<Verifier>> MakeCodeVerifier(const Json& options, const VerifierEnv& env) {
  Result<CodeOptions> read = ReadCodeOptions(options, CodeOptions());
  if (!read.ok()) return read.error();
  if (read->inprocess && !read->accept_forgeable) {
    return Error{ErrorCode::kUsage,
                 "verifier 'code': verdicts of judge = inprocess can be forged by the program",
                 "say accept_forgeable = true if that is acceptable, or leave the tests apart "
                 "(judge = split)"};
  }
  if (env.sandbox == nullptr) {
    return Error{ErrorCode::kUnavailable, "verifier 'code' needs the sandbox",
                 "run `assay doctor`: it says what is missing"};
  }
  return std::unique_ptr<Verifier>(
      std::make_unique<CodeVerifier>(std::move(read).value(), env.sandbox));
}

}  // namespace assay
