#include "verifiers/code/code_verifier.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <unordered_map>

#include "core/text.h"
#include "sandbox/jail/judge_spec.h"
#include "sandbox/sandbox.h"
#include "verifiers/code/code_task.h"
#include "verifiers/code/stdio_judge.h"
#include "verifiers/code/verdict_cache.h"

namespace assay {

namespace {

constexpr size_t kMaxProgramBytes = size_t{4} << 20;
// How much longer a program may take while its bytecodes are counted.
constexpr int64_t kMeasuredSlowdown = 20;

// ------------------------------------------------------------------------------------------------------------ the judge

Verdict FromTester(const Json& said, bool partial) {
  std::string outcome(said.StringOr("outcome", ""));
  std::string reason(said.StringOr("reason", ""));
  std::string detail(said.StringOr("detail", ""));
  if (outcome == "fault") return Verdict::Fault(reason, detail);
  Verdict verdict = outcome == "pass" ? Verdict::Pass() : Verdict::Fail(reason, detail);
  int64_t passed = said.IntOr("passed", -1), total = said.IntOr("total", -1);
  for (const char* key : {"failing", "passed", "total", "program_line", "exception", "failures",
                          "decided_by", "forgeable"}) {
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
  bool try_beside =
      false;  // it may be the two processes that fail, and the row's tests may run in one
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
  JudgeResult result = sandbox->Judge(job);
  bool repeatable = IsRepeatable(result.candidate.cause) && IsRepeatable(result.tester_cause);
  ByTester by;
  by.judged = {ReadJudgeResult(result, task), repeatable, result.candidate.bytecodes};
  const Verdict& verdict = by.judged.verdict;
  Result<Json> said = ParseJson(result.result);
  by.try_beside = verdict.outcome != Outcome::kPass && verdict.reason != "sandbox_fault" &&
                  said.ok() && said->BoolOr("beside", false) &&
                  !EndedByItsOwnFault(result.candidate.cause);
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
  if (!apart.try_beside || !task.options.beside) return std::move(apart.judged);
  Judged beside = JudgeBeside(task, program, sandbox);
  beside.repeatable = beside.repeatable && apart.judged.repeatable;
  return beside;
}

class CodeVerifier : public Verifier {
 public:
  CodeVerifier(CodeOptions options, Sandbox* sandbox, std::unique_ptr<VerdictCache> cache)
      : options_(std::move(options)), sandbox_(sandbox), cache_(std::move(cache)) {}

  std::vector<Verdict> Verify(const Group& group, const Json* row_options) const override {
    CodeOptions options = options_;
    if (row_options != nullptr) {
      Result<CodeOptions> merged = ReadCodeOptions(*row_options, options_);
      if (!merged.ok()) return BadRowOptions(merged.error(), group.samples.size());
      options = *merged;
    }
    if (options.inprocess && !options_.accept_forgeable) {
      return All(group, Verdict::Fault(
                            "gold_bad_options",
                            "the row wants judge = inprocess, which the rubric does not accept"));
    }
    Result<CodeTask> task = ReadCodeTask(group.problem, options);
    if (!task.ok()) return All(group, Verdict::Fault("gold_bad_tests", task.error().message));
    for (const std::string& language :
         {task->language, task->checker_language, task->interactor_language}) {
      Status known = sandbox_->CheckLanguage(language);
      if (!known.ok()) {
        return All(group, Verdict::Fault("gold_bad_tests",
                                         StrCat(known.error().message, ": ", known.error().hint)));
      }
    }
    std::string key;
    if (cache_ != nullptr) key = cache_->TaskKey(*task, sandbox_->Identity(task->language));
    if (!task->reference.empty() && options.check_reference) {
      Verdict gold = JudgeOne(*task, key, BuildProgram(*task, task->reference));
      if (gold.outcome == Outcome::kFail) {
        return All(group,
                   Verdict::Fault("gold_reference", StrCat("the row's reference fails its tests: ",
                                                           gold.reason, ": ", gold.detail)));
      }
      if (gold.outcome == Outcome::kFault) return All(group, gold);
    }
    std::vector<Verdict> verdicts;
    std::unordered_map<std::string, size_t> judged;  // program -> its first sample
    for (const Sample& sample : group.samples) {
      CodeProgram program = BuildProgram(*task, sample.text);
      auto [found, fresh] = judged.emplace(program.text, verdicts.size());
      verdicts.push_back(fresh ? JudgeOne(*task, key, program) : verdicts[found->second]);
      if (!fresh) verdicts.back().ms = 0;
    }
    return verdicts;
  }

 private:
  static std::vector<Verdict> All(const Group& group, const Verdict& verdict) {
    return std::vector<Verdict>(group.samples.size(), verdict);
  }

  // `ms` is what this call took: next to nothing where the verdict was known.
  Verdict JudgeOne(const CodeTask& task, const std::string& key, const CodeProgram& program) const {
    if (program.text.empty()) return Verdict::Fail("no_code", "the reply holds no program");
    if (program.text.size() > kMaxProgramBytes)
      return Verdict::Fail("output_limit", "the program is too long");
    const auto start = std::chrono::steady_clock::now();
    std::optional<Verdict> verdict;
    if (cache_ != nullptr) verdict = cache_->Find(key, program);
    if (!verdict) {
      Judged judged = JudgeAnew(task, program);
      if (cache_ != nullptr) cache_->Keep(key, program, judged);
      verdict = std::move(judged.verdict);
    }
    verdict->ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    return std::move(*verdict);
  }

  // A program that passes is run once more to be measured, with room for what counting costs: the verdict is the unmeasured
  // run's.
  Judged JudgeAnew(const CodeTask& task, const CodeProgram& program) const {
    CodeTask plain = task;
    plain.options.measure = false;
    Judged judged = JudgeBy(task.options.measure ? plain : task, program);
    Verdict& verdict = judged.verdict;
    if (task.options.measure && verdict.outcome == Outcome::kPass && task.language == "python") {
      CodeTask measured = task;
      measured.limits.cpu_ms *= kMeasuredSlowdown;
      measured.limits.wall_ms *= kMeasuredSlowdown;
      Judged counted = JudgeBy(measured, program);
      bool same = counted.verdict.outcome == Outcome::kPass && counted.bytecodes >= 0;
      verdict.evidence.Set("bytecodes", same ? Json(counted.bytecodes) : Json());
      judged.repeatable = judged.repeatable && counted.repeatable;
    }
    if (verdict.outcome == Outcome::kPass || verdict.outcome == Outcome::kFail)
      verdict.evidence.Set("isolation", TierName(sandbox_->tier()));
    return judged;
  }

  Judged JudgeBy(const CodeTask& task, const CodeProgram& program) const {
    return task.by_stdio() ? JudgeByStreams(task, program, sandbox_)
                           : JudgeByTests(task, program, sandbox_);
  }

  CodeOptions options_;
  Sandbox* sandbox_;
  std::unique_ptr<VerdictCache> cache_;  // null: every program is judged anew
};

}  // namespace

std::vector<OptionInfo> CodeOptionInfos() {
  CodeOptions defaults;
  return CodeOptionTable(&defaults).Infos();
}

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
  std::unique_ptr<VerdictCache> cache;
  if (env.cache_verdicts) {
    Result<std::unique_ptr<VerdictCache>> opened = VerdictCache::Open(env.cache_folder);
    if (!opened.ok()) return opened.error();
    cache = std::move(opened).value();
  }
  return std::unique_ptr<Verifier>(
      std::make_unique<CodeVerifier>(std::move(read).value(), env.sandbox, std::move(cache)));
}

}  // namespace assay
