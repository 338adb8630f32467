// How a completion is drawn, by our own sampler or a server's. Plain values without LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay {

// Order of work, as in transformers: repetition penalty, temperature, top-k, top-p, min-p, draw.
struct SamplingParams {
  double temperature = 1.0;  // 0: greedy
  double top_p = 1.0;        // in (0, 1]
  int64_t top_k = 0;         // 0: off
  double min_p = 0.0;  // in [0, 1); tokens below min_p times the best one's probability are dropped
  double repetition_penalty = 1.0;  // > 0; over prompt and completion (CTRL, 1909.05858)
  int64_t max_new_tokens = 512;
  int64_t min_new_tokens = 0;     // stop tokens cannot be drawn before
  std::vector<std::string> stop;  // the text ends before the first of these
  std::vector<int64_t> stop_ids;  // empty: the model's eos_ids, else the tokenizer's eos
};

}  // namespace assay
