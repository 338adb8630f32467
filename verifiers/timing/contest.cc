#include "verifiers/timing/contest.h"

#include <algorithm>
#include <cmath>

#include "verifiers/code/judge_program.h"

namespace assay::timing {

int64_t Levels::LevelOf(double ratio) const {
  int64_t level = 0;
  for (double edge = full_at; level + 1 < levels && ratio > edge; edge *= step) ++level;
  return level;
}

double Levels::ScoreOf(int64_t level) const {
  return 1 - static_cast<double>(level) / static_cast<double>(levels - 1);
}

double Levels::DistanceToEdge(double ratio) const {
  double distance = HUGE_VAL, edge = full_at;
  for (int64_t i = 0; i + 1 < levels; ++i, edge *= step)
    distance = std::min(distance, std::abs(std::log(ratio / edge)));
  return distance;
}

double Levels::LastEdge() const {
  return full_at * std::pow(step, static_cast<double>(levels - 2));
}

namespace {

constexpr int64_t kRoundsMin = 3;
// Nearer to an edge than this, a program is measured for twice as many rounds.
constexpr double kNearEdge = 0.12;

// The least of every run so far, one a test where tests have runs of their own: what disturbs a run only adds to it.
class Least {
 public:
  void Add(const std::vector<double>& runs) {
    if (runs_.size() < runs.size()) runs_.resize(runs.size(), HUGE_VAL);
    for (size_t i = 0; i < runs.size(); ++i) runs_[i] = std::min(runs_[i], runs[i]);
  }
  double sum() const {
    double sum = 0;
    for (double run : runs_) sum += run;
    return sum;
  }
  size_t runs() const { return runs_.size(); }

 private:
  std::vector<double> runs_;
};

struct Entry {
  CodeProgram program;
  Least least;
  bool ended = false;  // nothing more is learnt from running it
};

class Measuring {
 public:
  Measuring(const CodeTask& task, const std::vector<CodeProgram>& programs,
            std::optional<size_t> anchor, const Rules& rules, Sandbox* sandbox)
      : task_(task), rules_(rules), anchor_(anchor), sandbox_(sandbox) {
    task_.exact_usage = true;
    contest_.standings.resize(programs.size());
    for (const CodeProgram& program : programs) entries_.push_back({program, {}, false});
    for (Standing& standing : contest_.standings) standing.verdict = Verdict::Pass();
  }

  Contest Run() {
    const Sandbox::SameWorkers same(sandbox_);
    // A reference that fails leaves nothing to compare with.
    if (anchor_) RunOne(*anchor_);
    if (anchor_ && Of(*anchor_).verdict.outcome != Outcome::kPass) return std::move(contest_);
    for (int64_t done = 1;; ++done) {
      RunRound(done % 2 == 0);
      Rank();
      if (!anchor_cost_) break;
      if (done == 1) planned_ = PlannedRounds();
      EndWhoIsClear(done);
      const int64_t most = rules_.measure == Measure::kCpu ? 2 * planned_ : planned_;
      if (NobodyIsLeft() || done >= most) break;
    }
    return std::move(contest_);
  }

 private:
  Standing& Of(size_t at) { return contest_.standings[at]; }

  // Back and forth, so that nobody always runs behind the same one.
  void RunRound(bool backwards) {
    RunEmpty();
    for (size_t i = 0; i < entries_.size(); ++i) {
      const size_t at = backwards ? entries_.size() - 1 - i : i;
      if (!entries_[at].ended) RunOne(at);
    }
  }

  void RunOne(size_t at) {
    Entry& entry = entries_[at];
    Standing& standing = Of(at);
    const bool bytecode = rules_.measure == Measure::kBytecode;
    Judged judged = JudgeProgram(task_, entry.program, sandbox_);
    // What passed before and now met a wall clock or a lost worker was disturbed: that round does not count.
    if (judged.verdict.outcome != Outcome::kPass && !judged.repeatable && standing.rounds > 0)
      return;
    if (judged.verdict.outcome != Outcome::kPass) {
      standing.verdict = std::move(judged.verdict);
      entry.ended = true;
      return;
    }
    if (bytecode) {
      judged = CountBytecodes(task_, entry.program, sandbox_);
      standing.counted = judged.verdict.outcome == Outcome::kPass && judged.bytecodes >= 0;
    }
    ++standing.rounds;
    entry.least.Add(Costs(judged));
  }

  std::vector<double> Costs(const Judged& judged) const {
    if (rules_.measure == Measure::kMemory) return {static_cast<double>(judged.peak_memory_kib)};
    if (rules_.measure == Measure::kBytecode)
      return {static_cast<double>(std::max<int64_t>(judged.bytecodes, 0))};
    return judged.cpu_ms;
  }

  // What a box costs that does nothing, in the same worker: other languages' programs begin with more than that.
  void RunEmpty() {
    if (task_.language != "python" || rules_.measure == Measure::kBytecode) return;
    CodeProgram nothing;
    nothing.text = "pass\n";
    const std::vector<double> costs = Costs(JudgeProgram(task_, nothing, sandbox_));
    if (costs.empty()) return;
    empty_.Add({costs[0]});
    empties_.push_back(costs[0]);
  }

  // How far boxes that do nothing differ: on a busy machine by more than short work takes.
  double Spread() const {
    if (empties_.empty()) return 0;
    std::vector<double> sorted = empties_;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2] - sorted[0];
  }

  double EmptyCost(const Least& beside) const {
    return empty_.sum() * static_cast<double>(std::max<size_t>(beside.runs(), 1));
  }

  // Below this two costs are alike: it is added to both, so that ratios of next to nothing are near 1.
  double Unit(const Least& beside) const {
    const double empty = EmptyCost(beside);
    if (rules_.measure == Measure::kMemory) return 1024 + 0.05 * empty;
    if (rules_.measure == Measure::kBytecode) return 1000;
    return 1 + 0.1 * empty + Spread();
  }

  void Rank() {
    anchor_cost_.reset();
    for (size_t i = 0; i < entries_.size(); ++i) {
      Standing& standing = Of(i);
      if (standing.verdict.outcome != Outcome::kPass || !standing.counted) continue;
      const Least& least = entries_[i].least;
      standing.cost = std::max(least.sum() - EmptyCost(least), 0.0);
      if (anchor_ ? *anchor_ == i : !anchor_cost_ || standing.cost < *anchor_cost_) {
        anchor_cost_ = standing.cost;
        anchor_gross_ = least.sum();
      }
    }
    if (!anchor_cost_) return;
    contest_.anchor_cost = *anchor_cost_;
    for (size_t i = 0; i < entries_.size(); ++i) {
      const double unit = Unit(entries_[i].least);
      Of(i).ratio = (Of(i).cost + unit) / (*anchor_cost_ + unit);
    }
  }

  int64_t PlannedRounds() const {
    constexpr double kLongMs = 300;
    if (rules_.measure == Measure::kBytecode) return 1;  // the same every time
    if (rules_.measure == Measure::kMemory) return 2;
    const int64_t least = anchor_gross_ > kLongMs ? 2 : kRoundsMin;
    const double wanted = std::ceil(rules_.min_ms / std::max(*anchor_cost_, 0.1));
    return std::clamp(static_cast<int64_t>(wanted), least, std::max(least, rules_.rounds_max));
  }

  bool IsAnchor(size_t at) const {
    return anchor_ ? *anchor_ == at : contest_.standings[at].cost == *anchor_cost_;
  }

  // Those so slow that no disturbance explains it, at once; those far from every edge, when the planned rounds are over.
  void EndWhoIsClear(int64_t done) {
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (IsAnchor(i)) continue;
      const bool hopeless = Of(i).ratio > 2 * rules_.levels.LastEdge();
      const bool clear = done >= planned_ && rules_.levels.DistanceToEdge(Of(i).ratio) > kNearEdge;
      if (hopeless || clear) entries_[i].ended = true;
    }
  }

  bool NobodyIsLeft() const {
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (!entries_[i].ended && !IsAnchor(i)) return false;
    }
    return true;
  }

  CodeTask task_;
  const Rules& rules_;
  const std::optional<size_t> anchor_;
  Sandbox* const sandbox_;
  std::vector<Entry> entries_;
  Least empty_;
  std::vector<double> empties_;
  std::optional<double> anchor_cost_;
  double anchor_gross_ = 0;
  int64_t planned_ = 1;
  Contest contest_;
};

}  // namespace

Contest Compare(const CodeTask& task, const std::vector<CodeProgram>& programs,
                std::optional<size_t> anchor, const Rules& rules, Sandbox* sandbox) {
  return Measuring(task, programs, anchor, rules, sandbox).Run();
}

}  // namespace assay::timing
