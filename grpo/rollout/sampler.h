// Drawing one token from a row of logits. Plain pointers, no LibTorch; a pure function of its arguments and the Rng, of
// which every draw but a greedy one takes exactly one number. Thread-safe for distinct scratch and Rng.
#pragma once

#include <cstdint>
#include <vector>

#include "core/rng.h"

namespace assay {

// The part of SamplingParams (grpo/generate.h) that shapes the distribution.
struct DrawParams {
  double temperature = 1.0;
  double top_p = 1.0;
  int64_t top_k = 0;
  double min_p = 0.0;
  double repetition_penalty = 1.0;
  // Ids from here on are no tokens (a padded embedding's last rows) and are never drawn; 0: all ids are tokens.
  int64_t tokens = 0;
};

struct Draw {
  int64_t token = 0;
  float logprob =
      0;  // log-softmax(logits / T) of the token, untouched by penalty, bans and filters; T = 1 when greedy
};

// `seen`: distinct ids that the penalty falls on; `banned`: ids that cannot be drawn. A row whose logits are all NaN or
// -infinity draws token 0 with log-prob NaN.
Draw DrawToken(const float* logits, int64_t vocab, const DrawParams& params,
               const std::vector<int64_t>& seen, const std::vector<int64_t>& banned, Rng* rng,
               std::vector<float>* scratch);

}  // namespace assay
