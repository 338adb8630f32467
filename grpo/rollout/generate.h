// Generation: batched sampling with a key/value cache. Rows live in `max_rows` slots; a finished row leaves and the next one
// enters (continuous batching); a prompt is prefilled once for all samples of its group. Every row draws from its own
// seed: same prompt, seed, settings and model give the same tokens whatever else is in the batch (up to rounding of
// logits, which can tip a draw that lies on an edge). One Generate call at a time on a Model; callbacks run on the
// calling thread between steps and should only hand work over.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/types.h"
#include "grpo/model/model.h"
#include "grpo/rollout/sampling_params.h"
#include "grpo/tokenizer/tokenizer.h"

namespace assay {

struct GenerateRequest {
  std::vector<int64_t> prompt_ids;  // not empty
  std::vector<uint64_t> seeds;      // one sample for each
};

struct Completion {
  std::vector<int64_t> ids;  // the stop token included
  std::vector<float>
      logprobs;  // of the temperature-scaled full distribution (T = 1 when greedy), before penalty and filters
  std::string text;           // without the stop token or the stop string
  std::string finish_reason;  // "stop" or "length"
  uint64_t seed = 0;
};

struct GenerateOptions {
  SamplingParams sampling;
  int64_t max_rows = 0;           // slots; 0: 64 on a CPU, as many as memory holds on a GPU
  int64_t prefill_tokens = 4096;  // prompt tokens computed at one time (at least one prompt)
  // Text as it comes, in whole UTF-8 characters; never text that could still be the start of a stop string.
  std::function<void(size_t request, size_t sample, std::string_view text)> on_text;
  // A finished sample (rewards can be computed while the others go on).
  std::function<void(size_t request, size_t sample, const Completion& completion)> on_finish;
  // Asked between steps; true ends the call with what is done so far being thrown away (kLimit "cancelled").
  std::function<bool()> cancelled;
};

struct GenerateStats {
  int64_t prompt_tokens = 0;  // prefilled
  int64_t new_tokens = 0;
  int64_t steps = 0;  // decode passes
  double prefill_s = 0;
  double decode_s = 0;
};

// result[r][s]: sample s of request r. Errors: kUsage (sampling values out of range), kInput (an empty prompt, ids outside of
// the vocabulary, prompt and completion longer than max_position), kUnavailable (out of memory), kLimit (cancelled).
Result<std::vector<std::vector<Completion>>> Generate(const Model& model,
                                                      const Tokenizer* tokenizer,
                                                      const std::vector<GenerateRequest>& requests,
                                                      const GenerateOptions& options,
                                                      GenerateStats* stats = nullptr);

// The seeds of `count` samples of problem `index` in a run: independent streams of the run's seed.
std::vector<uint64_t> SampleSeeds(uint64_t run_seed, uint64_t index, int64_t count);

// A problem's prompt as token ids: its chat messages through the template (with generation prompt), else its text.
Result<std::vector<int64_t>> PromptIds(const Tokenizer& tokenizer, const Problem& problem);
// Problems in, groups out (text, finish reason, seed, token ids, log-probs, model name): what `assay-train generate` writes.
// A problem whose prompt cannot be encoded is an error that names its id.
Result<std::vector<Group>> GenerateGroups(const Model& model, const Tokenizer& tokenizer,
                                          const std::string& model_name,
                                          const std::vector<Problem>& problems, int64_t samples,
                                          uint64_t seed, const GenerateOptions& options,
                                          GenerateStats* stats = nullptr);

}  // namespace assay
