// A generator that asks an endpoint for chat completions.
#include <algorithm>
#include <utility>

#include "core/http_post.h"
#include "core/rng.h"
#include "core/rows/messages.h"
#include "core/text.h"
#include "datagen/generate/generator.h"
#include "datagen/generate/rate_limit.h"

namespace assay {
namespace {

Error Cancelled() { return {ErrorCode::kUnavailable, "interrupted", ""}; }

class Endpoint : public Generator {
 public:
  Endpoint(const GeneratorOptions& options, std::shared_ptr<RateLimit> limit)
      : options_(options), limit_(std::move(limit)) {
    while (EndsWith(url_, "/")) url_.pop_back();
    if (!EndsWith(url_, "/chat/completions")) url_ += "/chat/completions";
    http_.bearer = options.key;
    http_.timeout_s = options.timeout_s;
    http_.retries = options.retries;
    http_.cancelled = options.cancelled;
  }

  // Servers that give one choice whatever `n` says are asked again until all samples are there.
  Result<Generated> Generate(const Problem& problem, uint64_t place) override {
    Generated out;
    Rng seeds(options_.seed, "generate", place);
    while (static_cast<int64_t>(out.samples.size()) < options_.samples) {
      const size_t before = out.samples.size();
      const int64_t wanted = options_.samples - static_cast<int64_t>(before);
      const auto seed = static_cast<int64_t>(seeds.Next() >> 33);
      if (!limit_->Wait(options_.cancelled)) return Cancelled();
      Result<std::string> answer = HttpPostJson(url_, Request(problem, wanted, seed).Dump(), http_);
      if (!answer.ok()) return answer.error();
      if (Status status = Take(*answer, wanted, seed, &out); !status.ok()) return status.error();
      if (out.samples.size() == before)
        return Error{ErrorCode::kInput, "the endpoint answered without a choice",
                     "is this a chat endpoint?"};
    }
    return out;
  }

 private:
  Json Messages(const Problem& problem) const {
    Json messages = Json::MakeArray();
    const bool has_system = !problem.messages.empty() && problem.messages[0].role == "system";
    if (!options_.system.empty() && !has_system)
      messages.Append(Json().Set("role", "system").Set("content", options_.system));
    size_t next = 0;
    if (has_system) messages.Append(MessageToJson(problem.messages[next++]));
    for (const Message& message : options_.examples) messages.Append(MessageToJson(message));
    for (; next < problem.messages.size(); ++next)
      messages.Append(MessageToJson(problem.messages[next]));
    if (problem.messages.empty())
      messages.Append(Json().Set("role", "user").Set("content", problem.prompt));
    return messages;
  }

  Json Request(const Problem& problem, int64_t samples, int64_t seed) const {
    Json request = Json()
                       .Set("model", options_.model)
                       .Set("messages", Messages(problem))
                       .Set("n", samples)
                       .Set("temperature", options_.temperature)
                       .Set("top_p", options_.top_p)
                       .Set("seed", seed);
    if (options_.max_tokens > 0) request.Set("max_tokens", options_.max_tokens);
    if (!options_.stop.empty()) {
      Json stop = Json::MakeArray();
      for (const std::string& text : options_.stop) stop.Append(text);
      request.Set("stop", std::move(stop));
    }
    if (const Json::Object* extra = options_.extra.AsObject()) {
      for (const Json::Member& member : *extra) request.Set(member.key, member.value);
    }
    return request;
  }

  Status Take(const std::string& answer, int64_t wanted, int64_t seed, Generated* out) const {
    Result<Json> body = ParseJson(answer);
    const Json* choices = body.ok() ? body->Find("choices") : nullptr;
    if (choices == nullptr || !choices->IsArray()) {
      return Error{ErrorCode::kInput,
                   StrCat("the endpoint's answer has no choices: ", Shorten(answer, 200)),
                   "--endpoint names the API's base, such as http://localhost:8000/v1"};
    }
    for (const Json& choice : *choices->AsArray()) {
      if (wanted-- == 0) break;
      Sample sample;
      const Json* message = choice.Find("message");
      const Json completion = message != nullptr && message->IsObject()
                                  ? CompletionOfReply(*message)
                                  : Json(choice.StringOr("text", ""));
      if (Status status = ReadCompletion(completion, out->samples.size(), &sample); !status.ok())
        return status;
      sample.finish_reason = choice.StringOr("finish_reason", "");
      sample.model = body->StringOr("model", options_.model);
      sample.seed = seed;
      out->samples.push_back(std::move(sample));
    }
    if (const Json* usage = body->Find("usage")) {
      out->prompt_tokens += usage->IntOr("prompt_tokens", 0);
      out->completion_tokens += usage->IntOr("completion_tokens", 0);
    }
    return {};
  }

  const GeneratorOptions options_;
  const std::shared_ptr<RateLimit> limit_;
  std::string url_ = options_.endpoint;
  HttpPostOptions http_;
};

}  // namespace

std::shared_ptr<RateLimit> MakeRateLimit(int64_t requests_per_minute) {
  return std::make_shared<RateLimit>(requests_per_minute);
}

std::unique_ptr<Generator> MakeEndpointGenerator(const GeneratorOptions& options,
                                                 std::shared_ptr<RateLimit> limit) {
  return std::make_unique<Endpoint>(options, std::move(limit));
}

}  // namespace assay
