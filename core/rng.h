// Seeded randomness that is the same on every machine and standard library: xoshiro256** seeded by SplitMix64,
// with named streams so that one run seed gives independent sequences per purpose. Not thread-safe (one Rng
// a thread), not cryptographic.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

class Rng {
 public:
  explicit Rng(uint64_t seed);
  // An independent stream of the same run seed: Rng(7, "shuffle", epoch).
  Rng(uint64_t seed, std::string_view stream, uint64_t index = 0);

  uint64_t Next();                 // uniform over 64 bits
  uint64_t Below(uint64_t bound);  // uniform over [0, bound); bound > 0; no modulo bias
  double Uniform();                // uniform over [0, 1), 53 bits
  double Normal();                 // mean 0, deviation 1 (polar Box-Muller, Marsaglia 1964)

  // Fisher-Yates.
  template <typename T>
  void Shuffle(std::vector<T>* items) {
    for (size_t i = items->size(); i > 1; --i) std::swap((*items)[i - 1], (*items)[Below(i)]);
  }

  // For checkpoints: the whole state, and back.
  struct State {
    uint64_t words[4];
    double spare_normal;
    bool has_spare;
  };
  State Save() const { return state_; }
  void Restore(const State& state) { state_ = state; }

 private:
  State state_;
};

}  // namespace assay
