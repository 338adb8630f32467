#include "verifiers/code/code_verifier.h"

#include <chrono>
#include <string>
#include <unordered_map>

#include "core/text.h"
#include "sandbox/sandbox.h"
#include "verifiers/code/code_task.h"
#include "verifiers/code/judge_program.h"
#include "verifiers/code/verdict_cache.h"

namespace assay {

namespace {

constexpr size_t kMaxProgramBytes = size_t{4} << 20;

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
    Judged judged = JudgeProgram(plain, program, sandbox_);
    Verdict& verdict = judged.verdict;
    if (task.options.measure && verdict.outcome == Outcome::kPass && task.language == "python") {
      Judged counted = CountBytecodes(task, program, sandbox_);
      bool same = counted.verdict.outcome == Outcome::kPass && counted.bytecodes >= 0;
      verdict.evidence.Set("bytecodes", same ? Json(counted.bytecodes) : Json());
      judged.repeatable = judged.repeatable && counted.repeatable;
    }
    if (verdict.outcome == Outcome::kPass || verdict.outcome == Outcome::kFail)
      verdict.evidence.Set("isolation", TierName(sandbox_->tier()));
    return judged;
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
