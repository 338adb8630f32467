// Rotary position embedding: its settings in a config.json and the frequencies that they mean. Plain values without LibTorch;
// thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace assay {

// How rotary frequencies are stretched beyond the length that a model was trained on.
enum class RopeScaling {
  kNone,
  kLinear,    // positions divided by `factor`
  kDynamic,   // NTK-aware: the base grows once a sequence is longer than original_max_position
  kLlama3,    // Llama 3.1: low frequencies divided, high ones kept, a ramp between
  kYarn,      // YaRN (2309.00071): interpolation by parts and an attention temperature
  kLongRope,  // LongRoPE (2402.13753): divisors from the file, others once a sequence is longer than original_max_position
};

struct RopeConfig {
  double theta = 10000.0;
  double share =
      1.0;  // of a head's dimensions, the first ones, which are rotated (partial_rotary_factor)
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;
  int64_t original_max_position = 0;  // kDynamic, kLlama3, kYarn, kLongRope
  double low_freq_factor = 1.0;       // kLlama3
  double high_freq_factor = 4.0;      // kLlama3
  double beta_fast = 32.0;            // kYarn
  double beta_slow = 1.0;             // kYarn
  double attention_factor =
      0.0;  // kYarn; 0: 0.1 ln(factor) + 1 (or from mscale, mscale_all_dim). kLongRope: always set
  double mscale = 0.0;                            // kYarn
  double mscale_all_dim = 0.0;                    // kYarn
  bool truncate = true;                           // kYarn: the ramp's ends are whole numbers
  std::vector<double> short_factor, long_factor;  // kLongRope: one a frequency
  // The least length that kDynamic and kLongRope reckon with, so that all passes of a run take the same frequencies.
  int64_t least_length = 0;
};

// What LongRoPE multiplies cosines and sines by where a file says nothing else; `factor`: the model's length over `original`.
double LongRopeAttention(double factor, int64_t original);
// The dimensions of a head that are rotated.
int64_t RotaryDim(const RopeConfig& rope, int64_t head_dim);

// From a parsed config.json, as transformers 4 (rope_theta and rope_scaling) or 5 (rope_parameters with both) writes it; where
// rope_parameters has a set for each kind of layer, that of full attention. `theta`: where the file has none; `max_position`: the
// model's. Errors: kInput for an unknown scaling or impossible factors.
Status ReadRope(const Json& json, double theta, int64_t max_position, RopeConfig* rope);
// That of the sliding layers (rope_parameters.sliding_attention, or rope_local_base_freq).
Status ReadLocalRope(const Json& json, int64_t max_position, RopeConfig* rope);
// Lists of divisors have one a frequency. Errors: kInput.
Status CheckRope(const RopeConfig& rope, int64_t head_dim);
// As rope_parameters.
Json RopeToJson(const RopeConfig& rope);

// Inverse frequencies, half as many as rotated dimensions, for sequences of at most `sequence_length` tokens (only kDynamic and
// kLongRope care), and the factor that cosines and sines are multiplied by (1 except for kYarn and kLongRope).
struct RopeTable {
  std::vector<double> inverse_frequencies;
  double scale = 1.0;
};
RopeTable MakeRopeTable(const RopeConfig& rope, int64_t head_dim, int64_t sequence_length);

}  // namespace assay
