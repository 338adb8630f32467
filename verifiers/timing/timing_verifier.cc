#include "verifiers/timing/timing_verifier.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "core/text.h"
#include "verifiers/code/code_task.h"
#include "verifiers/code/judge_program.h"
#include "verifiers/timing/contest.h"

namespace assay {
namespace {

using timing::Contest;
using timing::Measure;
using timing::Standing;

constexpr size_t kMaxProgramBytes = size_t{4} << 20;

struct TimingOptions {
  timing::Rules rules;
  bool use_reference = true;
};

Options TimingTable(TimingOptions* o) {
  Options table = VerifierOptions("timing");
  table.Add(
      "measure", &o->rules.measure,
      {{"cpu", Measure::kCpu}, {"memory", Measure::kMemory}, {"bytecode", Measure::kBytecode}},
      "CPU time of all its processes; the most memory at a time; bytecodes that Python "
      "executes, the same number in every run");
  table.Add("reference", &o->use_reference, {{"row", true}, {"group", false}},
            "what programs are compared with: the row's `reference`, and the best of the group "
            "where there is none; or always the best of the group");
  table.Add("levels", &o->rules.levels.levels, "how many different scores there are").Range(2, 20);
  table
      .Add("full_at", &o->rules.levels.full_at,
           "up to this many times the reference's cost earns the full score")
      .Range(1, 100);
  table.Add("step", &o->rules.levels.step, "each such factor beyond costs a level")
      .Range(1.05, 100);
  table
      .Add("min_ms", &o->rules.min_ms,
           "runs are repeated until the reference has used so much CPU time")
      .Range(0, 10000);
  table.Add("rounds_max", &o->rules.rounds_max, "but not more often than this").Range(1, 1000);
  return table;
}

// The row with the tests of `timing` in its tests' place; nothing: it has none.
std::optional<Problem> WithTimingTests(const Problem& problem) {
  const Json* own = problem.verification_info.Find("timing");
  if (own == nullptr || !own->IsObject()) return std::nullopt;
  Problem timed = problem;
  Json& info = timed.verification_info;
  for (const char* key :
       {"timing", "test_cases", "asserts", "assert_case", "test", "inputs", "outputs"})
    info.Erase(key);
  for (const Json::Member& member : *own->AsObject()) info.Set(member.key, member.value);
  return timed;
}

const char* CostKey(Measure measure) {
  return measure == Measure::kCpu      ? "cpu_ms"
         : measure == Measure::kMemory ? "memory_kib"
                                       : "bytecodes";
}

Json Rounded(double value) { return {std::round(value * 100) / 100}; }

Verdict ToVerdict(const Standing& standing, const Contest& contest, const timing::Rules& rules,
                  bool by_reference) {
  if (standing.verdict.outcome != Outcome::kPass) return standing.verdict;
  if (!standing.counted)
    return Verdict::Fail("not_counted", "its bytecodes cannot be counted (docs/code.md)");
  const int64_t level = rules.levels.LevelOf(standing.ratio);
  Verdict verdict = Verdict::Pass("ok", rules.levels.ScoreOf(level));
  const char* key = CostKey(rules.measure);
  verdict.evidence.Set("ratio", Rounded(standing.ratio)).Set("level", level);
  verdict.evidence.Set("rounds", standing.rounds).Set(key, Rounded(standing.cost));
  verdict.evidence.Set(StrCat(by_reference ? "reference_" : "fastest_", key),
                       Rounded(contest.anchor_cost));
  return verdict;
}

class TimingVerifier : public Verifier {
 public:
  TimingVerifier(const TimingOptions& options, Sandbox* sandbox)
      : options_(options), sandbox_(sandbox) {}

  int64_t BatchSamples() const override { return 1; }

  std::vector<Verdict> Verify(const Group& group, const Json* row_options) const override {
    const auto start = std::chrono::steady_clock::now();
    std::vector<Verdict> verdicts = Judge(group, row_options);
    const auto end = std::chrono::steady_clock::now();
    const double ms = std::chrono::duration<double, std::milli>(end - start).count();
    for (Verdict& verdict : verdicts)
      verdict.ms = ms / static_cast<double>(std::max<size_t>(verdicts.size(), 1));
    return verdicts;
  }

 private:
  std::vector<Verdict> Judge(const Group& group, const Json* row_options) const {
    const size_t count = group.samples.size();
    TimingOptions options = options_;
    if (row_options != nullptr) {
      if (Status read = TimingTable(&options).Read(*row_options); !read.ok())
        return BadRowOptions(read.error(), count);
    }
    const auto bad = [count](const std::string& message) {
      return std::vector<Verdict>(count, Verdict::Fault("gold_bad_tests", message));
    };
    const Result<CodeTask> task = ReadCodeTask(group.problem, CodeOptions());
    if (!task.ok()) return bad(task.error().message);
    const std::optional<Problem> timed = WithTimingTests(group.problem);
    const Result<CodeTask> timing_task = timed ? ReadCodeTask(*timed, CodeOptions()) : task;
    if (!timing_task.ok()) return bad(StrCat("timing: ", timing_task.error().message));
    if (Status known = sandbox_->CheckLanguage(task->language); !known.ok())
      return bad(known.error().message);
    if (!task->interactor.empty() || !timing_task->interactor.empty())
      return bad("'timing' does not measure conversations with an interactor");
    if (options.rules.measure == Measure::kBytecode && task->language != "python")
      return bad("bytecodes are counted for Python alone");
    return Measured(group, *task, timed ? &*timing_task : nullptr, options);
  }

  // `timing_task`: other tests than the row's, which must be passed first; or null.
  std::vector<Verdict> Measured(const Group& group, const CodeTask& task,
                                const CodeTask* timing_task, const TimingOptions& options) const {
    std::vector<Verdict> verdicts(group.samples.size());
    std::vector<std::optional<size_t>> place(group.samples.size());
    std::vector<CodeProgram> programs;
    std::map<std::string, size_t> known;
    const bool by_reference = options.use_reference && !task.reference.empty();
    if (by_reference) programs.push_back(BuildProgram(task, task.reference));
    for (size_t i = 0; i < group.samples.size(); ++i) {
      CodeProgram program = BuildProgram(task, group.samples[i].text);
      if (program.text.empty()) {
        verdicts[i] = Verdict::Fail("no_code", "the reply holds no program");
      } else if (program.text.size() > kMaxProgramBytes) {
        verdicts[i] = Verdict::Fail("output_limit", "the program is too long");
      } else if (auto found = known.find(program.text); found != known.end()) {
        place[i] = found->second;
      } else if (Verdict first = timing_task != nullptr
                                     ? JudgeProgram(task, program, sandbox_).verdict
                                     : Verdict::Pass();
                 first.outcome != Outcome::kPass) {
        verdicts[i] = std::move(first);
      } else {
        place[i] = programs.size();
        known.emplace(program.text, programs.size());
        programs.push_back(std::move(program));
      }
    }
    const std::optional<size_t> anchor = by_reference ? std::optional<size_t>(0) : std::nullopt;
    const Contest contest = timing::Compare(timing_task != nullptr ? *timing_task : task, programs,
                                            anchor, options.rules, sandbox_);
    if (by_reference) {
      const Verdict gold = ToVerdict(contest.standings[0], contest, options.rules, true);
      const auto all = [&verdicts](const Verdict& verdict) {
        return std::vector<Verdict>(verdicts.size(), verdict);
      };
      if (gold.outcome == Outcome::kFault) return all(gold);
      if (gold.outcome != Outcome::kPass) {
        return all(Verdict::Fault("gold_reference", StrCat("the row's reference fails its tests: ",
                                                           gold.reason, ": ", gold.detail)));
      }
    }
    for (size_t i = 0; i < verdicts.size(); ++i) {
      if (place[i])
        verdicts[i] = ToVerdict(contest.standings[*place[i]], contest, options.rules, by_reference);
    }
    return verdicts;
  }

  const TimingOptions options_;
  Sandbox* const sandbox_;
};

}  // namespace

std::vector<OptionInfo> TimingOptionInfos() {
  TimingOptions defaults;
  return TimingTable(&defaults).Infos();
}

Result<std::unique_ptr<Verifier>> MakeTimingVerifier(const Json& options, const VerifierEnv& env) {
  TimingOptions read;
  if (Status status = TimingTable(&read).Read(options); !status.ok()) return status.error();
  if (env.sandbox == nullptr) {
    return Error{ErrorCode::kUnavailable, "verifier 'timing' needs the sandbox",
                 "run `assay doctor`: it says what is missing"};
  }
  return std::unique_ptr<Verifier>(std::make_unique<TimingVerifier>(read, env.sandbox));
}

}  // namespace assay
