#include "datagen/select/pool.h"

#include <array>
#include <iterator>

namespace assay {
namespace {

constexpr const char* kNames[] = {"kept",           "not_scored",       "truncated",
                                  "finish_reason",  "abstained",        "failed",
                                  "reward_too_low", "reward_too_high",  "verdict",
                                  "too_short",      "too_long",         "no_token_count",
                                  "no_match",       "forbidden_match",  "language",
                                  "repetition",     "readability",      "shape",
                                  "pass_rate",      "no_majority",      "not_majority",
                                  "duplicate_text", "duplicate_across", "contaminated",
                                  "near_duplicate", "not_best",         "not_shortest",
                                  "no_cost",        "not_fastest",      "not_in_top",
                                  "less_diverse",   "no_pair",          "over_max_per_problem",
                                  "over_balance",   "over_max_samples"};
static_assert(std::size(kNames) == static_cast<size_t>(Reason::kReasons));

}  // namespace

const char* ReasonName(Reason reason) { return kNames[static_cast<size_t>(reason)]; }

uint32_t Pool::ProblemPlace(int64_t problem_id) {
  const auto [place, is_new] =
      places_.try_emplace(problem_id, static_cast<uint32_t>(problems.size()));
  if (is_new) problems.emplace_back();
  return place->second;
}

void Pool::Drop(uint32_t place, Reason reason, std::string detail) {
  samples[place].reason = reason;
  if (!detail.empty()) details[place] = std::move(detail);
}

std::vector<uint32_t> Pool::In(const PooledProblem& problem) const {
  std::vector<uint32_t> in;
  for (const uint32_t place : problem.samples) {
    if (samples[place].in()) in.push_back(place);
  }
  return in;
}

std::vector<std::pair<std::string, int64_t>> Pool::Decisions() const {
  std::array<int64_t, static_cast<size_t>(Reason::kReasons)> counts{};
  for (const Candidate& sample : samples) ++counts[static_cast<size_t>(sample.reason)];
  std::vector<std::pair<std::string, int64_t>> decisions;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (i == 0 || counts[i] > 0) decisions.emplace_back(kNames[i], counts[i]);
  }
  return decisions;
}

}  // namespace assay
