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
  kLinear,   // positions divided by `factor`
  kDynamic,  // NTK-aware: the base grows once a sequence is longer than original_max_position
  kLlama3,   // Llama 3.1: low frequencies divided, high ones kept, a ramp between
  kYarn,     // YaRN (2309.00071): interpolation by parts and an attention temperature
};

struct RopeConfig {
  double theta = 10000.0;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;
  int64_t original_max_position = 0;  // kDynamic, kLlama3, kYarn
  double low_freq_factor = 1.0;       // kLlama3
  double high_freq_factor = 4.0;      // kLlama3
  double beta_fast = 32.0;            // kYarn
  double beta_slow = 1.0;             // kYarn
  double attention_factor = 0.0;  // kYarn; 0: 0.1 ln(factor) + 1 (or from mscale, mscale_all_dim)
  double mscale = 0.0;            // kYarn
  double mscale_all_dim = 0.0;    // kYarn
  bool truncate = true;           // kYarn: the ramp's ends are whole numbers
};

// From a parsed config.json, as transformers 4 (rope_theta and rope_scaling) or 5 (rope_parameters with both) writes it. `max_position`:
// the model's. Errors: kInput for an unknown scaling or impossible factors.
Status ReadRope(const Json& json, int64_t max_position, RopeConfig* rope);
// As rope_parameters.
Json RopeToJson(const RopeConfig& rope);

// Inverse frequencies, head_dim / 2 of them, for sequences of at most `sequence_length` tokens (only kDynamic cares),
// and the factor that cosines and sines are multiplied by (1 except for kYarn).
struct RopeTable {
  std::vector<double> inverse_frequencies;
  double scale = 1.0;
};
RopeTable MakeRopeTable(const RopeConfig& rope, int64_t head_dim, int64_t sequence_length);

}  // namespace assay
