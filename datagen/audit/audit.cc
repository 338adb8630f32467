#include "datagen/audit/audit.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include "core/jsonl.h"
#include "core/rng.h"
#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "core/text.h"
#include "datagen/audit/mutants.h"
#include "datagen/audit/probes.h"
#include "datagen/audit/row_checks.h"
#include "verifiers/code/judge_program.h"

namespace assay {
namespace {

using audit::Frame;
using audit::Probe;

struct Row {
  AuditRow out;
  Problem problem;
  std::string gold;      // its first answer
  std::string solution;  // worked, or a program
  std::string plain;     // PlainPrompt
  bool code = false;
};

// What stands in for what is right: everything but form, length, cost.
bool IsMain(const RubricTerm& term) {
  for (const char* aside : {"format", "length", "repetition", "language", "lint", "timing",
                            "readability", "reflection"}) {
    if (term.verifier == aside) return false;
  }
  return true;
}

Result<std::vector<Row>> ReadRows(const AuditOptions& options, AuditReport* report) {
  std::vector<Row> rows;
  for (const std::string& file : options.files) {
    Result<std::unique_ptr<LineReader>> reader = LineReader::Open(file);
    if (!reader.ok()) return reader.error();
    LineReader::Line line;
    while (options.rows_max == 0 || static_cast<int64_t>(rows.size()) < options.rows_max) {
      Result<bool> more = (*reader)->Next(&line);
      if (!more.ok()) return more.error();
      if (!*more) break;
      if (Trim(line.text).empty()) continue;
      Result<Json> json = ParseJson(line.text);
      Status status = json.ok() ? ToAssayRow("", &*json) : Status(json.error());
      Result<Problem> problem =
          status.ok() ? ProblemFromJson(*json) : Result<Problem>(status.error());
      if (!problem.ok()) {
        ++report->bad_lines;
        continue;
      }
      Row row;
      row.problem = std::move(problem).value();
      row.out = {row.problem.id, line.number, file, {}};
      row.code = audit::HasTests(row.problem);
      if (!row.problem.answers.empty()) row.gold = row.problem.answers[0];
      row.solution = audit::SolutionOf(row.problem, options.reference_key);
      row.plain = audit::PlainPrompt(row.problem);
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

// Doubles and contradictions need all rows at once.
void FindDoubles(std::vector<Row>* rows) {
  std::unordered_map<std::string, size_t> first;
  for (size_t i = 0; i < rows->size(); ++i) {
    Row& row = (*rows)[i];
    if (row.plain.empty()) continue;
    auto [found, fresh] = first.emplace(row.plain, i);
    if (fresh) continue;
    const Row& other = (*rows)[found->second];
    const bool differs = !row.code && row.gold != other.gold;
    row.out.findings.push_back(
        {differs ? "contradiction" : "double",
         differs ? StrCat("line ", other.out.line, " asks the same and has '",
                          Shorten(other.gold, 80), "', this one '", Shorten(row.gold, 80), "'")
                 : StrCat("line ", other.out.line, " asks the same")});
  }
}

std::string MostFrequentGold(const std::vector<Row>& rows) {
  std::map<std::string, int64_t> counts;
  std::string best;
  for (const Row& row : rows) {
    if (row.code || row.gold.empty()) continue;
    const int64_t count = ++counts[row.gold];
    if (best.empty() || count > counts[best]) best = row.gold;
  }
  return best;
}

class RowAudit {
 public:
  RowAudit(const AuditOptions& options, const Rubric& rubric, Sandbox* sandbox,
           const std::string& frequent, const std::string& other, Row* row)
      : options_(options), rubric_(rubric), sandbox_(sandbox), row_(*row) {
    guesses_ = {frequent, other};
    const std::vector<RubricTerm>& terms = rubric.spec().terms;
    for (size_t t = 0; t < terms.size() && !main_; ++t) {
      if (IsMain(terms[t])) main_ = t;
    }
    if (!main_) main_ = 0;  // no terms: the row's task names the one
  }

  // Adds to `row` its findings, to the result its sums.
  AuditReport Run() {
    ++sums_.rows;
    ++(row_.code ? sums_.code_rows : sums_.text_rows);
    if (!row_.solution.empty()) ++sums_.with_reference;
    const bool passes = row_.code ? CheckReference() : CheckGold();
    LookAtPrompt();
    AskProbes();
    if (row_.code && passes) AskMutants();
    for (const AuditFinding& finding : row_.out.findings) kinds_.emplace(finding.kind, 1);
    sums_.kinds = kinds_;
    return std::move(sums_);
  }

 private:
  void Find(const char* kind, std::string detail) {
    row_.out.findings.push_back({kind, SanitizeUtf8(Shorten(detail, 400))});
  }

  GroupScore Score(const std::vector<std::string>& replies, int64_t cpu_ms) {
    Group group;
    group.problem = row_.problem;
    if (row_.code) {
      group.problem.verification_info.Erase("reference");  // it is judged here once, by itself
      if (cpu_ms > 0) {
        Json limits = Json::MakeObject();
        if (const Json* own = group.problem.verification_info.Find("limits");
            own != nullptr && own->IsObject())
          limits = *own;
        for (const char* key : {"cpu_ms", "tester_cpu_ms"})
          limits.Set(key, std::min(cpu_ms, limits.IntOr(key, cpu_ms)));
        // Long on the clock: on a busy machine a program would be said to have been kept waiting.
        limits.Set("wall_ms", 8000 + 4 * cpu_ms);
        group.problem.verification_info.Set("limits", std::move(limits));
      }
    }
    for (const std::string& reply : replies) {
      Sample sample;
      sample.text = reply;
      group.samples.push_back(std::move(sample));
    }
    GroupScore score = rubric_.Score(group);
    for (const SampleScore& sample : score.samples) {
      ++sums_.verdicts;
      if (Main(sample).reason == "undecided") ++sums_.undecided;
    }
    return score;
  }

  const Verdict& Main(const SampleScore& sample) const {
    static const Verdict kNone = Verdict::Abstain("no_task");
    return *main_ < sample.verdicts.size() ? sample.verdicts[*main_] : kNone;
  }

  // Instructions, puzzles and schemas say by themselves what is right: a row lacks something only where no reply can be judged.
  bool NeedsGold() {
    const GroupScore score = Score({"x"}, 0);
    const Outcome outcome = Main(score.samples[0]).outcome;
    return outcome == Outcome::kFault || outcome == Outcome::kAbstain;
  }

  // Its own answer in every frame; the one that earns most is what probes stand in.
  bool CheckGold() {
    if (row_.gold.empty()) {
      if (NeedsGold()) Find("no_gold", "the row has no answer");
      return false;
    }
    const std::vector<Frame>& frames = audit::AnswerFrames();
    std::vector<std::string> replies;
    for (const Frame& frame : frames) replies.push_back(frame.Around(row_.gold));
    const bool worked = !row_.solution.empty();
    if (worked) replies.push_back(row_.solution);
    const GroupScore score = Score(replies, 0);
    std::string failed;
    bool any_pass = false;
    const Verdict* first = nullptr;
    for (size_t i = 0; i < frames.size(); ++i) {
      const SampleScore& sample = score.samples[i];
      AddFrame(frames[i].name, sample);
      const Verdict& verdict = Main(sample);
      if (first == nullptr) first = &verdict;
      any_pass = any_pass || verdict.outcome == Outcome::kPass;
      if (verdict.outcome != Outcome::kPass)
        StrAppend(&failed, failed.empty() ? "" : "; ", frames[i].name);
      if (sample.reward && (!gold_reward_ || *sample.reward > *gold_reward_)) {
        gold_reward_ = sample.reward;
        frame_ = &frames[i];
      }
    }
    if (StartsWith(first->reason, "gold_")) {
      Find("gold_unread",
           StrCat(first->reason, ": ", first->detail, " ('", Shorten(row_.gold, 100), "')"));
    } else if (!any_pass) {
      Find(first->reason == "undecided" ? "undecided" : "gold_fails",
           StrCat("'", Shorten(row_.gold, 100),
                  "' does not pass as its own answer: ", first->reason));
    } else if (failed.find("box") == 0 || failed.find("sentence") != std::string::npos) {
      Find("gold_frames", StrCat("'", Shorten(row_.gold, 100), "' fails in: ", failed));
    }
    if (worked && any_pass) CheckWorked(Main(score.samples.back()));
    return any_pass;
  }

  void CheckWorked(const Verdict& verdict) {
    if (verdict.outcome != Outcome::kFail || verdict.reason == "no_answer") return;
    const Json* extracted = verdict.evidence.Find("extracted");
    Find("solution_disagrees",
         StrCat("the row's worked solution does not end in '", Shorten(row_.gold, 80),
                "': ", verdict.reason,
                extracted != nullptr
                    ? StrCat(", it gives '", Shorten(extracted->ScalarText(), 80), "'")
                    : ""));
  }

  void AddFrame(const char* name, const SampleScore& sample) {
    ProbeSum& sum = sums_.frames[name];
    ++sum.rows;
    if (Main(sample).outcome == Outcome::kPass) ++sum.passed;
    sum.reward += sample.reward.value_or(0);
  }

  bool CheckReference() {
    frame_ = &audit::ProgramFrames()[0];
    if (row_.solution.empty()) return false;
    const std::vector<Frame>& frames = audit::ProgramFrames();
    std::vector<std::string> replies;
    const bool is_reply = row_.solution.find("```") != std::string::npos;
    for (const Frame& frame : frames)
      replies.push_back(is_reply ? row_.solution : frame.Around(row_.solution));
    const GroupScore score = Score(replies, 0);
    const SampleScore* best = nullptr;
    for (size_t i = 0; i < frames.size(); ++i) {
      AddFrame(frames[i].name, score.samples[i]);
      const std::optional<double>& reward = score.samples[i].reward;
      const bool passes = Main(score.samples[i]).outcome == Outcome::kPass;
      if (!passes || !reward || (gold_reward_ && *reward <= *gold_reward_)) continue;
      gold_reward_ = reward;
      frame_ = &frames[i];
      best = &score.samples[i];
    }
    const Verdict& verdict = Main(best != nullptr ? *best : score.samples[0]);
    if (StartsWith(verdict.reason, "gold_")) {
      Find("gold_unread", StrCat(verdict.reason, ": ", verdict.detail));
    } else if (verdict.outcome == Outcome::kFail) {
      Find("gold_fails",
           StrCat("the row's solution fails its tests: ", verdict.reason, ": ", verdict.detail));
    } else if (verdict.outcome == Outcome::kPass) {
      MeasureReference();
    }
    return verdict.outcome == Outcome::kPass;
  }

  void MeasureReference() {
    if (sandbox_ == nullptr) return;
    Result<CodeTask> task = ReadCodeTask(row_.problem, CodeOptions());
    if (!task.ok()) return;
    task->exact_usage = true;
    const Judged judged =
        JudgeProgram(*task, BuildProgram(*task, frame_->Around(row_.solution)), sandbox_);
    double most = 0;
    for (double ms : judged.cpu_ms) most = std::max(most, ms);
    if (2 * most > static_cast<double>(task->limits.cpu_ms)) {
      Find("tight_limit",
           StrCat("the solution takes ", FixedDigits(most, 0), " ms of ", task->limits.cpu_ms));
    }
  }

  void LookAtPrompt() {
    const std::string told = row_.code ? audit::ProgramInPrompt(row_.problem.prompt, row_.solution)
                                       : audit::AnswerInPrompt(row_.problem.prompt, row_.gold);
    if (!told.empty()) Find("prompt_tells", told);
  }

  void AskProbes() {
    std::vector<Probe> probes = row_.code ? audit::ProgramProbes(row_.problem)
                                          : audit::AnswerProbes(row_.problem, row_.gold, guesses_);
    if (frame_ == nullptr) frame_ = &audit::AnswerFrames()[0];
    // What may hang is asked by itself, under a lower limit.
    const auto hangs = std::stable_partition(probes.begin(), probes.end(), [](const Probe& probe) {
      return probe.kind != Probe::Kind::kHang;
    });
    const std::vector<Probe> hanging(hangs, probes.end());
    probes.erase(hangs, probes.end());
    Ask(probes, options_.probe_cpu_ms);
    if (!hanging.empty()) Ask(hanging, options_.hang_cpu_ms);
  }

  void Ask(const std::vector<Probe>& probes, int64_t cpu_ms) {
    std::vector<std::string> replies;
    for (const Probe& probe : probes)
      replies.push_back(probe.raw ? probe.content : frame_->Around(probe.content));
    const GroupScore score = Score(replies, cpu_ms);
    std::string paid;
    for (size_t i = 0; i < probes.size(); ++i) {
      const SampleScore& sample = score.samples[i];
      const Verdict& verdict = Main(sample);
      const bool passes = verdict.outcome == Outcome::kPass;
      ProbeSum& sum = sums_.probes[probes[i].name];
      ++sum.rows;
      sum.passed += passes ? 1 : 0;
      if (sample.reward) {
        sum.reward += *sample.reward;
        sum.gold_reward += gold_reward_.value_or(0);
      }
      // Where an answer is asked for, a guess may be right; no constant passes tests that are worth their name.
      if (passes && (probes[i].kind == Probe::Kind::kNothing || row_.code))
        StrAppend(&paid, paid.empty() ? "" : ", ", probes[i].name);
      // Such a program does nothing by itself: whatever ran into a limit, the tests asked for it.
      const bool limit = verdict.reason == "cpu_limit" || verdict.reason == "wall_limit" ||
                         verdict.reason == "memory_limit";
      if (probes[i].kind == Probe::Kind::kHang && limit)
        Find("tests_hang",
             StrCat("tests run as long as the program wants them to: ", verdict.reason));
    }
    if (!paid.empty()) Find("pays_unsolved", StrCat("passes: ", paid));
  }

  void AskMutants() {
    if (options_.mutants <= 0 || row_.solution.find("```") != std::string::npos) return;
    const std::vector<audit::Mutant> mutants = audit::MakeMutants(
        row_.solution, options_.mutants, options_.seed + static_cast<uint64_t>(row_.out.line));
    if (mutants.empty()) return;
    std::vector<std::string> replies;
    for (const audit::Mutant& mutant : mutants) replies.push_back(frame_->Around(mutant.program));
    const GroupScore score = Score(replies, options_.probe_cpu_ms);
    int64_t alive = 0;
    std::string living;
    for (size_t i = 0; i < mutants.size(); ++i) {
      if (Main(score.samples[i]).outcome != Outcome::kPass) continue;
      if (++alive <= 4) StrAppend(&living, living.empty() ? "" : "; ", mutants[i].change);
    }
    const auto count = static_cast<int64_t>(mutants.size());
    sums_.mutants += count;
    sums_.mutants_alive += alive;
    if (alive >= 2 &&
        static_cast<double>(alive) >= options_.weak_share * static_cast<double>(count))
      Find("weak_tests", StrCat(alive, " of ", count, " changes to the solution pass: ", living));
  }

  const AuditOptions& options_;
  const Rubric& rubric_;
  Sandbox* const sandbox_;
  Row& row_;
  audit::Guesses guesses_;
  std::optional<size_t> main_;
  const Frame* frame_ = nullptr;
  std::optional<double> gold_reward_;
  std::map<std::string, int64_t> kinds_;
  AuditReport sums_;
};

void AddSums(const std::map<std::string, ProbeSum>& from, std::map<std::string, ProbeSum>* to) {
  for (const auto& [name, sum] : from) {
    ProbeSum& total = (*to)[name];
    total.rows += sum.rows;
    total.passed += sum.passed;
    total.reward += sum.reward;
    total.gold_reward += sum.gold_reward;
  }
}

void AddReport(const AuditReport& from, AuditReport* to) {
  to->rows += from.rows;
  to->text_rows += from.text_rows;
  to->code_rows += from.code_rows;
  to->with_reference += from.with_reference;
  for (const auto& [kind, count] : from.kinds) to->kinds[kind] += count;
  AddSums(from.probes, &to->probes);
  AddSums(from.frames, &to->frames);
  to->mutants += from.mutants;
  to->mutants_alive += from.mutants_alive;
  to->verdicts += from.verdicts;
  to->undecided += from.undecided;
}

// Another row's answer, never the same as its own.
std::string OtherGold(const std::vector<Row>& rows, size_t at, uint64_t seed) {
  Rng rng(seed, "other answers", at);
  for (int tried = 0; tried < 20; ++tried) {
    const Row& other = rows[static_cast<size_t>(rng.Below(rows.size()))];
    if (!other.code && !other.gold.empty() && other.gold != rows[at].gold) return other.gold;
  }
  return "";
}

}  // namespace

const std::vector<AuditKind>& AuditKinds() {
  static const std::vector<AuditKind> kKinds = {
      {"gold_unread", "the row's answer or tests cannot be read"},
      {"gold_fails", "the row's own answer or solution does not pass"},
      {"gold_frames", "the row's own answer passes in some frames and not in the usual ones"},
      {"no_gold", "the row has nothing by which a reply can be judged"},
      {"undecided", "whether the row's answer equals itself is not decided"},
      {"solution_disagrees", "the row's worked solution ends in another answer"},
      {"pays_unsolved", "a reply that solves nothing passes"},
      {"weak_tests", "tests let too many changes to the solution pass"},
      {"tests_hang", "tests run as long as the program wants them to"},
      {"tight_limit", "the row's solution takes more than half of its limit"},
      {"double", "an earlier row asks the same"},
      {"contradiction", "an earlier row asks the same and has another answer"},
      {"prompt_tells", "the prompt holds its answer"}};
  return kKinds;
}

Result<AuditReport> Audit(const AuditOptions& options, const Rubric& rubric, Sandbox* sandbox) {
  AuditReport report;
  Result<std::vector<Row>> rows = ReadRows(options, &report);
  if (!rows.ok()) return rows.error();
  FindDoubles(&*rows);
  const std::string frequent = MostFrequentGold(*rows);
  std::atomic<size_t> next{0};
  std::mutex mutex;
  const auto work = [&] {
    for (size_t at = next++; at < rows->size(); at = next++) {
      if (options.interrupted != nullptr && *options.interrupted) return;
      Row& row = (*rows)[at];
      const AuditReport one =
          RowAudit(options, rubric, sandbox, frequent, OtherGold(*rows, at, options.seed), &row)
              .Run();
      std::lock_guard<std::mutex> lock(mutex);
      AddReport(one, &report);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < options.jobs; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  report.interrupted = options.interrupted != nullptr && *options.interrupted;
  for (Row& row : *rows) {
    if (!row.out.findings.empty()) report.findings.push_back(std::move(row.out));
  }
  return report;
}

}  // namespace assay
