// Groups sampled by an OpenAI-compatible server (vLLM and others): one POST of /v1/completions a problem, the prompt as token ids, n
// samples with their token ids and log-probs back, several requests at a time. Gives the records that a file of groups gives.
// Without LibTorch. Everything that a server answers is bounded and checked. Weights go to the server through files that it is told
// to load; writing them is the caller's.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/types.h"
#include "grpo/config/run_spec.h"
#include "grpo/rollout/sampling_params.h"

namespace assay {

struct ServerRequest {
  Problem problem;
  std::vector<int64_t> prompt;
  int64_t seed = 0;
};

struct ServerSampling {
  SamplingParams params;   // stop_ids are the server's own
  int64_t samples = 1;     // of each prompt
  int64_t vocab_size = 0;  // of the model that is trained: ids are below it
  double back_off_s = 0.5;
  const std::atomic<bool>* interrupted = nullptr;
};

// Errors: kUsage when server.key_env names a variable that is not set.
Result<std::string> ServerKey(const ServerSpec& server);

// Calls `on_group(index of the request, group)` on this thread for each request, in the order in which they are answered; an error
// of it ends the fetching. Errors: HttpPostJson's; kInput for an answer that lacks what training needs, with what to do.
using OnGroup = std::function<Status(size_t request, Group group)>;
Status FetchGroups(const ServerSpec& server, const ServerSampling& sampling,
                   const std::vector<ServerRequest>& requests, const OnGroup& on_group);

// Has the server load the weights in server.weights_dir and forget what it kept of the former ones: vLLM through /collective_rpc
// (it must have been started on that folder, with VLLM_SERVER_DEV_MODE=1) and /reset_prefix_cache, SGLang through
// /update_weights_from_disk. Errors: as FetchGroups; kInput when the server says that it did not.
Status LoadServerWeights(const ServerSpec& server, const ServerSampling& sampling);

// The pieces, for tests. The URL of completions for a base address with or without "/v1" and slashes at its end.
std::string CompletionsUrl(const std::string& base);
// The address of another path of the server, such as "/reset_prefix_cache".
std::string ServerUrl(const std::string& base, std::string_view path);
std::string CompletionsRequest(const ServerSpec& server, const ServerSampling& sampling,
                               const ServerRequest& request);
Result<std::vector<Sample>> ParseCompletions(std::string_view body, const ServerSpec& server,
                                             const ServerSampling& sampling);

}  // namespace assay
