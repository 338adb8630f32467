#include "grpo/rollout/rollout_server.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "core/http_post.h"
#include "core/json.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr char kTokenIds[] =
    "the server must return token ids: vLLM does (return_token_ids, return_tokens_as_token_ids)";
constexpr std::string_view kTokenPrefix = "token_id:";
// An answer's bytes: for each token its id twice, text, log-probs and the best alternative, plus what is the same for all.
constexpr int64_t kBytesPerToken = 1024;
constexpr int64_t kBytesBeside = 1 << 20;

Error BadAnswer(std::string message, std::string hint) {
  return {ErrorCode::kInput, StrCat("the rollout server's answer ", message), std::move(hint)};
}

// "token_id:123" -> 123.
std::optional<int64_t> IdOfToken(const Json& token) {
  const std::string* text = token.AsString();
  if (text == nullptr || !StartsWith(*text, kTokenPrefix)) return std::nullopt;
  const char* end = text->data() + text->size();
  int64_t id = 0;
  const auto [stop, error] = std::from_chars(text->data() + kTokenPrefix.size(), end, id);
  if (error != std::errc() || stop != end) return std::nullopt;
  return id;
}

Result<std::vector<int64_t>> IdsOf(const Json& choice, const Json& logprobs) {
  std::vector<int64_t> ids;
  if (const Json* given = choice.Find("token_ids"); given != nullptr && given->IsArray()) {
    for (const Json& id : *given->AsArray()) {
      if (!id.IsInt()) return BadAnswer("has a token id that is not an integer", kTokenIds);
      ids.push_back(*id.AsInt());
    }
    return ids;
  }
  const Json* tokens = logprobs.Find("tokens");
  if (tokens == nullptr || !tokens->IsArray()) return BadAnswer("has no token ids", kTokenIds);
  for (const Json& token : *tokens->AsArray()) {
    const std::optional<int64_t> id = IdOfToken(token);
    if (!id) {
      return BadAnswer(StrCat("has no token ids: logprobs.tokens holds ",
                              token.Dump().substr(0, 40), ", not \"token_id:123\""),
                       kTokenIds);
    }
    ids.push_back(*id);
  }
  return ids;
}

Result<Sample> SampleOf(const Json& choice, const ServerSpec& server,
                        const ServerSampling& sampling) {
  const Json* logprobs = choice.Find("logprobs");
  const Json* values = logprobs == nullptr ? nullptr : logprobs->Find("token_logprobs");
  if (values == nullptr || !values->IsArray()) {
    return BadAnswer("has no log-probs (choices[].logprobs.token_logprobs)",
                     "the server must support 'logprobs' in /v1/completions, as vLLM does");
  }
  Result<std::vector<int64_t>> ids = IdsOf(choice, *logprobs);
  if (!ids.ok()) return ids.error();
  if (ids->empty()) return BadAnswer("has a completion without tokens", "");
  if (ids->size() != values->AsArray()->size()) {
    return BadAnswer(StrCat("has ", ids->size(), " token ids but ", values->AsArray()->size(),
                            " log-probs for one completion"),
                     "");
  }
  if (static_cast<int64_t>(ids->size()) > sampling.params.max_new_tokens) {
    return BadAnswer(StrCat("has a completion of ", ids->size(), " tokens, max_tokens was ",
                            sampling.params.max_new_tokens),
                     "");
  }
  Sample sample;
  for (const Json& value : *values->AsArray()) {
    const double logp = value.NumberOr(NAN);
    // A little above 0 is rounding.
    if (std::isnan(logp) || logp > 1e-3) {
      return BadAnswer(StrCat("has ", value.Dump().substr(0, 40), " for a log-probability"), "");
    }
    sample.logprobs.push_back(std::min(0.0, logp));
  }
  for (int64_t id : *ids) {
    if (id < 0 || id >= sampling.vocab_size) {
      return BadAnswer(StrCat("has token id ", id, ", but the model's vocabulary ends at ",
                              sampling.vocab_size - 1),
                       "server.model must have the tokenizer of the model that is trained");
    }
  }
  sample.token_ids = std::move(*ids);
  sample.text = choice.StringOr("text", "");
  sample.finish_reason = choice.StringOr("finish_reason", "");
  sample.model = server.model;
  return sample;
}

// Worker threads fetch, the calling thread hands on.
class Fetcher {
 public:
  Fetcher(const ServerSpec& server, const ServerSampling& sampling,
          const std::vector<ServerRequest>& requests, const HttpPostOptions& http)
      : server_(server), sampling_(sampling), requests_(requests), http_(http) {
    const int64_t workers =
        std::min<int64_t>(server.concurrency, static_cast<int64_t>(requests.size()));
    http_.cancelled = &stop_;
    for (int64_t i = 0; i < workers; ++i) threads_.emplace_back([this] { Work(); });
  }
  ~Fetcher() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  Status HandOn(const OnGroup& on_group) {
    for (size_t handed = 0; handed < requests_.size(); ++handed) {
      std::unique_lock<std::mutex> lock(mutex_);
      while (!ready_.wait_for(lock, std::chrono::milliseconds(100),
                              [this] { return !done_.empty(); })) {
        if (sampling_.interrupted != nullptr && sampling_.interrupted->load())
          return Error{ErrorCode::kUnavailable, "interrupted", ""};
      }
      auto [index, samples] = std::move(done_.front());
      done_.pop_front();
      lock.unlock();
      const Problem& problem = requests_[index].problem;
      if (!samples.ok()) {
        return Error{samples.error().code,
                     StrCat("problem '", problem.id, "': ", samples.error().message),
                     samples.error().hint};
      }
      if (Status status = on_group(index, Group{problem, std::move(*samples)}); !status.ok())
        return status;
    }
    return {};
  }

 private:
  void Work() {
    for (size_t i = next_++; i < requests_.size() && !stop_; i = next_++) {
      Result<std::string> body = HttpPostJson(
          CompletionsUrl(server_.url), CompletionsRequest(server_, sampling_, requests_[i]), http_);
      Result<std::vector<Sample>> samples = body.ok() ? ParseCompletions(*body, server_, sampling_)
                                                      : Result<std::vector<Sample>>(body.error());
      const std::lock_guard<std::mutex> lock(mutex_);
      done_.emplace_back(i, std::move(samples));
      ready_.notify_one();
    }
  }

  const ServerSpec& server_;
  const ServerSampling& sampling_;
  const std::vector<ServerRequest>& requests_;
  HttpPostOptions http_;
  std::atomic<bool> stop_ = false;
  std::atomic<size_t> next_ = 0;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::pair<size_t, Result<std::vector<Sample>>>> done_;  // guarded by mutex_
  std::vector<std::thread> threads_;                                 // last: they use the others
};

}  // namespace

Result<std::string> ServerKey(const ServerSpec& server) {
  if (server.key_env.empty()) return std::string();
  const char* key = std::getenv(server.key_env.c_str());
  if (key == nullptr || *key == '\0') {
    return Error{ErrorCode::kUsage,
                 StrCat("the environment variable '", server.key_env,
                        "' that server.key_env names is not set"),
                 "export it, or leave server.key_env out"};
  }
  return std::string(key);
}

std::string ServerUrl(const std::string& base, std::string_view path) {
  std::string url = base;
  const auto drop_slashes = [&] {
    while (!url.empty() && url.back() == '/') url.pop_back();
  };
  drop_slashes();
  if (EndsWith(url, "/v1")) url.resize(url.size() - 3);
  drop_slashes();
  return StrCat(url, path);
}

std::string CompletionsUrl(const std::string& base) { return ServerUrl(base, "/v1/completions"); }

std::string CompletionsRequest(const ServerSpec& server, const ServerSampling& sampling,
                               const ServerRequest& request) {
  const SamplingParams& params = sampling.params;
  Json prompt = Json::MakeArray();
  for (int64_t id : request.prompt) prompt.Append(id);
  Json body = Json::MakeObject();
  body.Set("model", server.model)
      .Set("prompt", prompt)
      .Set("n", sampling.samples)
      .Set("max_tokens", params.max_new_tokens)
      .Set("temperature", params.temperature)
      .Set("top_p", params.top_p)
      .Set("seed", request.seed)
      .Set("logprobs", 1)
      .Set("return_token_ids", true)
      .Set("return_tokens_as_token_ids", true);
  // Not every server knows these: sent only where the recipe asks for them.
  if (params.top_k > 0) body.Set("top_k", params.top_k);
  if (params.min_p > 0) body.Set("min_p", params.min_p);
  if (params.repetition_penalty != 1) body.Set("repetition_penalty", params.repetition_penalty);
  if (params.min_new_tokens > 0) body.Set("min_tokens", params.min_new_tokens);
  if (!params.stop.empty()) {
    Json stop = Json::MakeArray();
    for (const std::string& text : params.stop) stop.Append(text);
    body.Set("stop", stop).Set("include_stop_str_in_output", true);
  }
  return body.Dump();
}

Result<std::vector<Sample>> ParseCompletions(std::string_view body, const ServerSpec& server,
                                             const ServerSampling& sampling) {
  Result<Json> answer = ParseJson(body);
  if (!answer.ok())
    return BadAnswer(StrCat("is not JSON: ", answer.error().message),
                     "is server.url an OpenAI-compatible server?");
  const Json* choices = answer->Find("choices");
  if (choices == nullptr || !choices->IsArray()) {
    return BadAnswer("has no 'choices'", "is server.url an OpenAI-compatible server?");
  }
  const Json::Array& given = *choices->AsArray();
  if (static_cast<int64_t>(given.size()) != sampling.samples) {
    return BadAnswer(StrCat("has ", given.size(), " choices, n was ", sampling.samples),
                     "the server must give num_generations samples at once; does it limit 'n'?");
  }
  std::vector<Sample> samples;
  for (const Json& choice : given) {
    Result<Sample> sample = SampleOf(choice, server, sampling);
    if (!sample.ok()) return sample.error();
    samples.push_back(std::move(*sample));
  }
  return samples;
}

namespace {

Result<HttpPostOptions> HttpOptions(const ServerSpec& server, const ServerSampling& sampling) {
  Result<std::string> key = ServerKey(server);
  if (!key.ok()) return key.error();
  HttpPostOptions http;
  http.bearer = std::move(*key);
  http.timeout_s = server.timeout_s;
  http.retries = server.retries;
  http.back_off_s = sampling.back_off_s;
  http.settings = "server.";
  return http;
}

}  // namespace

Status LoadServerWeights(const ServerSpec& server, const ServerSampling& sampling) {
  Result<HttpPostOptions> http = HttpOptions(server, sampling);
  if (!http.ok()) return http.error();
  http->max_bytes = kBytesBeside;
  http->cancelled = sampling.interrupted;
  const auto post = [&](std::string_view path, const Json& body) -> Status {
    Result<std::string> answer = HttpPostJson(ServerUrl(server.url, path), body.Dump(), *http);
    if (!answer.ok()) {
      return Error{answer.error().code, StrCat("pushing weights: ", answer.error().message),
                   server.push == "vllm" ? "vLLM offers this with VLLM_SERVER_DEV_MODE=1"
                                         : answer.error().hint};
    }
    const Result<Json> said = ParseJson(*answer);
    if (said.ok() && said->IsObject() && !said->BoolOr("success", true))
      return BadAnswer(StrCat("to ", path, " says that it failed: ", answer->substr(0, 200)),
                       "does the server see server.weights_dir under the same path?");
    return {};
  };
  if (server.push == "sglang") {
    return post("/update_weights_from_disk",
                Json::MakeObject().Set("model_path", server.weights_dir).Set("flush_cache", true));
  }
  if (Status s = post("/collective_rpc", Json::MakeObject().Set("method", "reload_weights"));
      !s.ok())
    return s;
  return post("/reset_prefix_cache", Json::MakeObject());
}

Status FetchGroups(const ServerSpec& server, const ServerSampling& sampling,
                   const std::vector<ServerRequest>& requests, const OnGroup& on_group) {
  Result<HttpPostOptions> http = HttpOptions(server, sampling);
  if (!http.ok()) return http.error();
  http->max_bytes =
      kBytesBeside + sampling.samples * sampling.params.max_new_tokens * kBytesPerToken;
  Fetcher fetcher(server, sampling, requests, *http);
  return fetcher.HandOn(on_group);
}

}  // namespace assay
