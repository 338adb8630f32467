#include "datagen/select/stages.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/rng.h"
#include "core/text.h"

namespace assay {

void DropByPassRate(const SelectOptions& options, Pool* pool) {
  if (!options.min_pass_rate && !options.max_pass_rate) return;
  for (const PooledProblem& problem : pool->problems) {
    const double rate = problem.pass_rate();
    const bool fits = problem.scored > 0 && rate >= options.min_pass_rate.value_or(0) &&
                      rate <= options.max_pass_rate.value_or(1);
    if (fits) continue;
    for (const uint32_t place : pool->In(problem))
      pool->Drop(place, Reason::kPassRate, FixedDigits(rate, 3));
  }
}

namespace {

// The answer with the most votes; of equals the one whose first voter is earliest. kNone: nobody voted.
uint32_t Winner(const SelectOptions& options, const Pool& pool, const std::vector<uint32_t>& voters,
                double* share) {
  std::vector<std::pair<uint32_t, double>> votes;  // in order of first appearance
  double all = 0;
  for (const uint32_t place : voters) {
    const Candidate& sample = pool.samples[place];
    const double weight =
        options.vote == SelectOptions::Vote::kReward ? std::max(sample.reward, 0.0) : 1;
    // Nobody knows what answer some gave: they vote for nothing, and still are voters.
    all += weight;
    if (sample.answer == kNone) continue;
    const auto known = std::find_if(votes.begin(), votes.end(),
                                    [&](const auto& vote) { return vote.first == sample.answer; });
    known == votes.end() ? (void)votes.emplace_back(sample.answer, weight)
                         : (void)(known->second += weight);
  }
  const auto best = std::max_element(
      votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (best == votes.end() || !(all > 0)) return kNone;
  *share = best->second / all;
  return best->first;
}

}  // namespace

void DropMinorities(const SelectOptions& options, Pool* pool) {
  if (options.strategy != "majority") return;
  for (const PooledProblem& problem : pool->problems) {
    const std::vector<uint32_t> voters = pool->In(problem);
    double share = 0;
    const uint32_t winner = Winner(options, *pool, voters, &share);
    for (const uint32_t place : voters) {
      const Candidate& sample = pool->samples[place];
      if (winner == kNone || share < options.min_vote_share) {
        pool->Drop(place, Reason::kNoMajority);
      } else if (sample.answer != winner) {
        pool->Drop(place, Reason::kNotMajority);
      } else if (!options.vote_without_gold && !sample.right) {
        pool->Drop(place, Reason::kFailed);
      }
    }
  }
}

void DropDuplicates(const SelectOptions& options, Pool* pool) {
  // best-of-n and preference compare samples of one problem by their rewards, equal texts among them.
  const bool within = !options.keep_duplicates && options.strategy != "best-of-n" &&
                      options.strategy != "preference";
  if (within) {
    std::unordered_map<int64_t, int64_t> seen;
    for (const PooledProblem& problem : pool->problems) {
      seen.clear();
      for (const uint32_t place : pool->In(problem)) {
        const Candidate& sample = pool->samples[place];
        const auto [first, is_new] = seen.try_emplace(sample.text_id, sample.sample_id);
        if (!is_new) pool->Drop(place, Reason::kDuplicateText, StrCat("of sample ", first->second));
      }
    }
  }
  if (!options.duplicates_across) return;
  std::unordered_map<int64_t, uint32_t> first_of;
  for (uint32_t place = 0; place < pool->samples.size(); ++place) {
    const Candidate& sample = pool->samples[place];
    if (!sample.in()) continue;
    const auto [first, is_new] = first_of.try_emplace(sample.text_id, place);
    if (is_new || pool->samples[first->second].problem == sample.problem) continue;
    pool->Drop(place, Reason::kDuplicateAcross,
               StrCat("of sample ", pool->samples[first->second].sample_id));
  }
}

void DropContaminated(Pool* pool) {
  for (const PooledProblem& problem : pool->problems) {
    if (problem.contamination.empty()) continue;
    for (const uint32_t place : pool->In(problem))
      pool->Drop(place, Reason::kContaminated, problem.contamination);
  }
  for (const auto& [place, hit] : pool->contaminated) {
    if (pool->samples[place].in()) pool->Drop(place, Reason::kContaminated, hit);
  }
}

void DropNearDuplicates(const SelectOptions& options, const MinHashSettings& settings, Pool* pool) {
  if (!options.near_duplicates) return;
  std::vector<uint32_t> places;
  for (uint32_t place = 0; place < pool->samples.size(); ++place) {
    if (pool->samples[place].in() && pool->samples[place].signature != kNone)
      places.push_back(place);
  }
  std::stable_sort(places.begin(), places.end(), [&](uint32_t a, uint32_t b) {
    return pool->samples[a].reward > pool->samples[b].reward;
  });
  const auto size = static_cast<size_t>(settings.size());
  std::vector<uint16_t> signatures;
  std::vector<uint32_t> scopes;
  signatures.reserve(places.size() * size);
  for (const uint32_t place : places) {
    const uint16_t* signature = pool->Signature(place, settings.size());
    signatures.insert(signatures.end(), signature, signature + size);
    if (options.near_within_problem) scopes.push_back(pool->samples[place].problem);
  }
  const std::vector<uint32_t> roots = FindNearDuplicates(settings, signatures, scopes);
  for (size_t i = 0; i < places.size(); ++i) {
    if (roots[i] == i) continue;
    pool->Drop(places[i], Reason::kNearDuplicate,
               StrCat("of sample ", pool->samples[places[roots[i]]].sample_id));
  }
}

namespace {

// Leaves out of `kept` what the pool has dropped, and with a pair's winner its loser.
void Forget(Pool* pool, std::vector<Kept>* kept) {
  std::erase_if(*kept, [&](const Kept& row) {
    const Reason reason = pool->samples[row.place].reason;
    if (reason == Reason::kKept) return false;
    if (row.rejected != kNone) pool->Drop(row.rejected, reason);
    return true;
  });
}

// Drops all but `most` of `places`, drawn.
void DrawDown(std::vector<uint32_t> places, size_t most, Rng rng, Reason reason, Pool* pool) {
  if (places.size() <= most) return;
  rng.Shuffle(&places);
  for (size_t i = most; i < places.size(); ++i) pool->Drop(places[i], reason);
}

bool Ranks(const std::string& strategy) {
  return strategy == "top-k" || strategy == "diverse" || strategy == "shortest-correct" ||
         strategy == "fastest-correct" || strategy == "preference";
}

void BoundProblems(const SelectOptions& options, Pool* pool, std::vector<Kept>* kept) {
  const auto most = static_cast<size_t>(options.max_per_problem);
  if (most == 0) return;
  std::map<uint32_t, std::vector<uint32_t>> by_problem;
  for (const Kept& row : *kept) by_problem[pool->samples[row.place].problem].push_back(row.place);
  for (auto& [problem, places] : by_problem) {
    if (!Ranks(options.strategy)) {
      DrawDown(places, most, Rng(options.seed, "select", problem), Reason::kOverMaxPerProblem,
               pool);
      continue;
    }
    std::stable_sort(places.begin(), places.end(), [&](uint32_t a, uint32_t b) {
      return pool->samples[a].reward > pool->samples[b].reward;
    });
    for (size_t i = most; i < places.size(); ++i) pool->Drop(places[i], Reason::kOverMaxPerProblem);
  }
  Forget(pool, kept);
}

// Of a problem's pass rate: unsolved, hard, medium, easy, solved.
const char* Difficulty(double pass_rate) {
  if (pass_rate <= 0) return "unsolved";
  if (pass_rate < 1.0 / 3) return "hard";
  if (pass_rate < 2.0 / 3) return "medium";
  return pass_rate < 1 ? "easy" : "solved";
}

void Balance(const SelectOptions& options, Pool* pool, std::vector<Kept>* kept) {
  if (options.balance.empty()) return;
  std::map<std::string, std::vector<uint32_t>> parts;
  for (const Kept& row : *kept) {
    const PooledProblem& problem = pool->problems[pool->samples[row.place].problem];
    parts[options.balance == "difficulty" ? Difficulty(problem.pass_rate()) : problem.bucket]
        .push_back(row.place);
  }
  size_t least = kept->size();
  for (const auto& [name, places] : parts) least = std::min(least, places.size());
  const auto most = static_cast<size_t>(static_cast<double>(least) * options.balance_ratio);
  uint64_t index = 0;
  for (const auto& [name, places] : parts)
    DrawDown(places, most, Rng(options.seed, "balance", index++), Reason::kOverBalance, pool);
  Forget(pool, kept);
}

}  // namespace

void Bound(const SelectOptions& options, Pool* pool, std::vector<Kept>* kept) {
  BoundProblems(options, pool, kept);
  Balance(options, pool, kept);
  if (options.max_samples <= 0) return;
  std::vector<uint32_t> places;
  for (const Kept& row : *kept) places.push_back(row.place);
  DrawDown(std::move(places), static_cast<size_t>(options.max_samples), Rng(options.seed, "bound"),
           Reason::kOverMaxSamples, pool);
  Forget(pool, kept);
}

void AssignSplits(const SelectOptions& options, const Pool& pool, std::vector<Kept>* kept) {
  const Result<std::vector<SplitShare>> splits = ParseSplits(options.split);
  if (!splits.ok() || splits->empty()) return;
  for (Kept& row : *kept) {
    const PooledProblem& problem = pool.problems[pool.samples[row.place].problem];
    double at = Rng(options.seed, "split", static_cast<uint64_t>(problem.prompt_id)).Uniform();
    for (const SplitShare& split : *splits) {
      if (at < split.share) {
        row.split = split.name;
        break;
      }
      at -= split.share;
    }
  }
}

}  // namespace assay
