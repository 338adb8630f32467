// What each strategy chooses among the samples that are still in.
#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>

#include "core/rng.h"
#include "datagen/select/stages.h"

namespace assay {
namespace {

class Choice {
 public:
  Choice(const SelectOptions& options, const MinHashSettings& settings, Pool* pool)
      : options_(options), settings_(settings), pool_(*pool) {}

  std::vector<Kept> Make() {
    const std::string& strategy = options_.strategy;
    if (strategy == "top-k" && options_.top_within == SelectOptions::Within::kAll) {
      TopOfAll();
    } else {
      for (uint32_t place = 0; place < pool_.problems.size(); ++place) ChooseOf(place);
    }
    // Input order reads best; for best-of-n that is the problems' order of appearance.
    if (strategy != "best-of-n" && strategy != "preference") {
      std::sort(kept_.begin(), kept_.end(),
                [](const Kept& a, const Kept& b) { return a.place < b.place; });
    }
    return std::move(kept_);
  }

 private:
  const Candidate& At(uint32_t place) const { return pool_.samples[place]; }
  size_t K() const { return static_cast<size_t>(options_.k == 0 ? 1 : options_.k); }

  void ChooseOf(uint32_t problem_place) {
    const PooledProblem& problem = pool_.problems[problem_place];
    std::vector<uint32_t> in = pool_.In(problem);
    if (in.empty()) return;
    const std::string& strategy = options_.strategy;
    if (strategy == "best-of-n") {
      KeepFirst(Sorted(in, &Choice::BestRank), 1, "best_reward", Reason::kNotBest, problem);
    } else if (strategy == "top-k") {
      KeepFirst(Sorted(in, &Choice::BestRank), K(), "top_k", Reason::kNotInTop, problem);
    } else if (strategy == "shortest-correct") {
      KeepFirst(Sorted(in, &Choice::ShortRank), K(), "shortest", Reason::kNotShortest, problem);
    } else if (strategy == "fastest-correct") {
      KeepFastest(in, problem);
    } else if (strategy == "diverse") {
      KeepDiverse(Sorted(in, &Choice::BestRank), problem);
    } else if (strategy == "preference") {
      KeepPairs(in, problem_place);
    } else {
      const char* why = strategy == "all-correct" ? "all_pass"
                        : strategy == "majority"  ? "majority"
                        : strategy == "pass-rate" ? "pass_rate"
                                                  : "all";
      for (const uint32_t place : in) Keep(place, why, problem);
    }
  }

  using Rank = std::tuple<double, bool, int64_t, uint32_t>;
  // The highest reward, then what was not cut off, then the shorter text, then the earlier one.
  Rank BestRank(uint32_t place) const {
    return {-At(place).reward, At(place).truncated, At(place).length, place};
  }
  Rank ShortRank(uint32_t place) const {
    return {static_cast<double>(At(place).length), At(place).truncated, 0, place};
  }
  Rank FastRank(uint32_t place) const {
    return {At(place).cost, At(place).truncated, At(place).length, place};
  }
  std::vector<uint32_t> Sorted(std::vector<uint32_t> places, Rank (Choice::*rank)(uint32_t) const) {
    std::sort(places.begin(), places.end(),
              [&](uint32_t a, uint32_t b) { return (this->*rank)(a) < (this->*rank)(b); });
    return places;
  }

  Json Decision(uint32_t place, const char* why, const PooledProblem& problem) const {
    return Json()
        .Set("kept", why)
        .Set("reward", At(place).scored ? Json(At(place).reward) : Json())
        .Set("of", static_cast<int64_t>(problem.samples.size()));
  }
  void Keep(uint32_t place, const char* why, const PooledProblem& problem) {
    kept_.push_back({place, kNone, Decision(place, why, problem).Dump()});
  }

  void KeepFirst(const std::vector<uint32_t>& ranked, size_t most, const char* why, Reason reason,
                 const PooledProblem& problem) {
    for (size_t i = 0; i < ranked.size(); ++i) {
      if (i < most) {
        Keep(ranked[i], why, problem);
      } else {
        pool_.Drop(ranked[i], reason);
      }
    }
  }

  void KeepFastest(std::vector<uint32_t> in, const PooledProblem& problem) {
    const auto unknown = std::stable_partition(
        in.begin(), in.end(), [&](uint32_t place) { return !std::isnan(At(place).cost); });
    for (auto place = unknown; place != in.end(); ++place) pool_.Drop(*place, Reason::kNoCost);
    in.erase(unknown, in.end());
    KeepFirst(Sorted(std::move(in), &Choice::FastRank), K(), "fastest", Reason::kNotFastest,
              problem);
  }

  double Similarity(uint32_t a, uint32_t b) const {
    if (At(a).signature == kNone || At(b).signature == kNone)
      return At(a).signature == At(b).signature ? 1 : 0;
    return SignatureSimilarity(pool_.Signature(a, settings_.size()),
                               pool_.Signature(b, settings_.size()), settings_.size());
  }

  // Farthest first: the best, then again and again the one whose nearest among those taken is farthest (Gonzalez 1985).
  void KeepDiverse(const std::vector<uint32_t>& ranked, const PooledProblem& problem) {
    std::vector<double> nearest(ranked.size(), -1);
    std::vector<bool> taken(ranked.size(), false);
    size_t last = 0;
    for (size_t count = 0; count < std::min(K(), ranked.size()); ++count) {
      taken[last] = true;
      Json decision = Decision(ranked[last], "diverse", problem);
      if (count > 0) decision.Set("similarity", nearest[last]);
      kept_.push_back({ranked[last], kNone, decision.Dump()});
      size_t next = ranked.size();
      for (size_t i = 0; i < ranked.size(); ++i) {
        if (taken[i]) continue;
        nearest[i] = std::max(nearest[i], Similarity(ranked[i], ranked[last]));
        if (next == ranked.size() || nearest[i] < nearest[next]) next = i;
      }
      last = next;
    }
    for (size_t i = 0; i < ranked.size(); ++i) {
      if (!taken[i]) pool_.Drop(ranked[i], Reason::kLessDiverse);
    }
  }

  // Pairs of a right reply and one that earned less, each reply in one pair at most.
  void KeepPairs(const std::vector<uint32_t>& in, uint32_t problem_place) {
    const PooledProblem& problem = pool_.problems[problem_place];
    std::vector<uint32_t> ranked = Sorted(in, &Choice::BestRank), losers = ranked;
    std::vector<uint32_t> winners;
    for (const uint32_t place : ranked) {
      if (At(place).right) winners.push_back(place);
    }
    Rng rng(options_.seed, "preference", problem_place);
    std::vector<uint32_t> used;
    size_t pairs = 0;
    for (const uint32_t winner : winners) {
      if (pairs == K()) break;
      if (std::find(used.begin(), used.end(), winner) != used.end()) continue;
      const uint32_t loser = LoserFor(winner, losers, used, &rng);
      if (loser == kNone) continue;
      Json decision = Decision(winner, "preference", problem);
      decision.Set("rejected_reward", At(loser).reward);
      kept_.push_back({winner, loser, decision.Dump()});
      used.push_back(winner);
      used.push_back(loser);
      ++pairs;
    }
    for (const uint32_t place : in) {
      if (std::find(used.begin(), used.end(), place) == used.end())
        pool_.Drop(place, Reason::kNoPair);
    }
  }

  bool MayLose(uint32_t winner, uint32_t loser) const {
    const double gap = At(winner).reward - At(loser).reward;
    if (!At(loser).scored || At(loser).text_id == At(winner).text_id || !(gap > 0) ||
        gap < options_.margin)
      return false;
    const bool wrong_only = options_.rejected == SelectOptions::Rejected::kBestWrong ||
                            options_.rejected == SelectOptions::Rejected::kNearest;
    return !wrong_only || !At(loser).right;
  }

  // `losers` stand from the best to the worst.
  uint32_t LoserFor(uint32_t winner, const std::vector<uint32_t>& losers,
                    const std::vector<uint32_t>& used, Rng* rng) const {
    std::vector<uint32_t> fitting;
    for (const uint32_t loser : losers) {
      if (MayLose(winner, loser) && std::find(used.begin(), used.end(), loser) == used.end())
        fitting.push_back(loser);
    }
    if (fitting.empty()) return kNone;
    switch (options_.rejected) {
      case SelectOptions::Rejected::kBestWrong:
        return fitting.front();
      case SelectOptions::Rejected::kWorst:
        return fitting.back();
      case SelectOptions::Rejected::kRandom:
        return fitting[rng->Below(fitting.size())];
      case SelectOptions::Rejected::kNearest:
        return *std::max_element(fitting.begin(), fitting.end(), [&](uint32_t a, uint32_t b) {
          return Similarity(winner, a) < Similarity(winner, b);
        });
    }
    return kNone;
  }

  void TopOfAll() {
    std::vector<uint32_t> in;
    for (uint32_t place = 0; place < pool_.samples.size(); ++place) {
      if (At(place).in()) in.push_back(place);
    }
    const std::vector<uint32_t> ranked = Sorted(std::move(in), &Choice::BestRank);
    for (size_t i = 0; i < ranked.size(); ++i) {
      if (i < K()) {
        Keep(ranked[i], "top_k", pool_.problems[At(ranked[i]).problem]);
      } else {
        pool_.Drop(ranked[i], Reason::kNotInTop);
      }
    }
  }

  const SelectOptions& options_;
  const MinHashSettings& settings_;
  Pool& pool_;
  std::vector<Kept> kept_;
};

}  // namespace

std::vector<Kept> Choose(const SelectOptions& options, const MinHashSettings& settings,
                         Pool* pool) {
  return Choice(options, settings, pool).Make();
}

}  // namespace assay
