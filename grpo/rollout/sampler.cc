#include "grpo/rollout/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "grpo/model/cpu_kernels.h"

namespace assay {
namespace {

struct Candidate {
  float weight;  // unnormalised probability
  int32_t id;
};

bool Better(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
}

// Divides positive logits and multiplies negative ones (CTRL's penalty as transformers applies it).
void Penalize(const std::vector<int64_t>& seen, double penalty, float* logits, int64_t vocab) {
  for (int64_t id : seen) {
    if (id < 0 || id >= vocab) continue;
    float& z = logits[id];
    z = static_cast<float>(z < 0 ? z * penalty : z / penalty);
  }
}

// The token at which the running sum of weights passes `target`.
int64_t PickInOrder(const float* weights, int64_t vocab, double target) {
  // Blocks first: most of the row is skipped by its sum.
  constexpr int64_t kBlock = 256;
  double sum = 0;
  int64_t last = 0;
  for (int64_t begin = 0; begin < vocab; begin += kBlock) {
    const int64_t count = std::min(kBlock, vocab - begin);
    const double block = cpu::Sum(weights + begin, count);
    if (block <= 0) continue;
    if (sum + block <= target) {
      sum += block;
      last = begin + count - 1;
      continue;
    }
    for (int64_t i = begin; i < begin + count; ++i) {
      if (weights[i] <= 0) continue;
      sum += weights[i];
      last = i;
      if (sum > target) return i;
    }
  }
  while (last > 0 && weights[last] <= 0) --last;  // rounding carried the target past the end
  return last;
}

// What top-k, top-p and min-p leave, in any order.
std::vector<Candidate> Filter(const float* weights, int64_t vocab, const DrawParams& params) {
  std::vector<Candidate> kept;
  for (int64_t i = 0; i < vocab; ++i) {
    if (weights[i] > 0) kept.push_back({weights[i], static_cast<int32_t>(i)});
  }
  if (params.top_k > 0 && static_cast<size_t>(params.top_k) < kept.size()) {
    std::nth_element(kept.begin(), kept.begin() + params.top_k, kept.end(), Better);
    kept.resize(static_cast<size_t>(params.top_k));
  }
  double total = 0;
  float best = 0;
  for (const Candidate& c : kept) {
    total += c.weight;
    best = std::max(best, c.weight);
  }
  const auto floor = static_cast<float>(best * params.min_p);
  auto drop_unlikely = [&] {
    std::erase_if(kept, [&](const Candidate& c) { return c.weight < floor; });
  };
  if (params.top_p >= 1.0) {
    drop_unlikely();
    return kept;
  }
  // The smallest set of best tokens whose mass reaches top_p; sorted a growing head at a time.
  double mass = 0;
  size_t sorted = 0;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (i == sorted) {
      const size_t next = std::min(kept.size(), std::max<size_t>(64, sorted * 4));
      std::partial_sort(kept.begin() + static_cast<int64_t>(sorted),
                        kept.begin() + static_cast<int64_t>(next), kept.end(), Better);
      sorted = next;
    }
    mass += kept[i].weight;
    if (mass >= params.top_p * total) {
      kept.resize(i + 1);
      break;
    }
  }
  drop_unlikely();
  return kept;
}

}  // namespace

Draw DrawToken(const float* logits, int64_t vocab, const DrawParams& params,
               const std::vector<int64_t>& seen, const std::vector<int64_t>& banned, Rng* rng,
               std::vector<float>* scratch) {
  const bool greedy = params.temperature <= 0;
  const float inverse = greedy ? 1.0f : static_cast<float>(1.0 / params.temperature);
  scratch->resize(static_cast<size_t>(vocab) * 2);
  float* adjusted = scratch->data();
  float* weights = adjusted + vocab;
  const float top = cpu::Max(logits, vocab);
  const double sum = cpu::ExpSum(logits, vocab, top, inverse, weights);
  const double log_sum = std::log(sum) + static_cast<double>(top) * inverse;
  const float* row = logits;
  if ((params.repetition_penalty != 1.0 && !seen.empty()) || !banned.empty()) {
    std::copy(logits, logits + vocab, adjusted);
    if (params.repetition_penalty != 1.0)
      Penalize(seen, params.repetition_penalty, adjusted, vocab);
    for (int64_t id : banned) {
      if (id >= 0 && id < vocab) adjusted[id] = -std::numeric_limits<float>::infinity();
    }
    row = adjusted;
  }
  const int64_t tokens = params.tokens > 0 ? std::min(params.tokens, vocab) : vocab;
  Draw draw;
  if (greedy) {
    draw.token = std::max_element(row, row + tokens) - row;
  } else {
    double total = tokens == vocab ? sum : cpu::Sum(weights, tokens);
    // Beside what cannot be drawn the rest may have lost its digits.
    if (row == adjusted || total < 1e-4 * sum)
      total = cpu::ExpSum(row, tokens, cpu::Max(row, tokens), inverse, weights);
    const double u = rng->Uniform();
    if (params.top_k > 0 || params.top_p < 1.0 || params.min_p > 0) {
      std::vector<Candidate> kept = Filter(weights, tokens, params);
      // In the vocabulary's order, as without filters: what a seed draws does not depend on how the best were found.
      std::sort(kept.begin(), kept.end(),
                [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
      total = 0;
      for (const Candidate& c : kept) total += c.weight;
      double running = 0;
      for (const Candidate& c : kept) {
        draw.token = c.id;
        running += c.weight;
        if (running > u * total) break;
      }
    } else {
      draw.token = PickInOrder(weights, tokens, u * total);
    }
  }
  draw.logprob = static_cast<float>(static_cast<double>(logits[draw.token]) * inverse - log_sum);
  return draw;
}

}  // namespace assay
