// A generator that asks an endpoint for chat completions.
#include <algorithm>
#include <chrono>
#include <thread>
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

constexpr double kBackOffMost = 30;  // seconds

// An answer that is none: worth another try, where the server did not mean it so.
struct NoAnswer {
  std::string why;
  bool passes = true;
};

// The body of a 2xx answer, or what is wrong with it.
Result<Json> BodyOf(const std::string& answer, NoAnswer* none) {
  const Error error{ErrorCode::kInput, "", ""};
  if (StartsWith(Trim(answer), "data:")) {
    *none = {"the endpoint streams its answer, though nobody asked for that", false};
    return error;
  }
  Result<Json> body = ParseJson(answer);
  const Json* choices = body.ok() ? body->Find("choices") : nullptr;
  if (choices != nullptr && choices->IsArray() && !choices->AsArray()->empty()) return body;
  const Json* said = body.ok() ? body->Find("error") : nullptr;
  if (said != nullptr && !said->IsNull()) {
    none->why = StrCat("the endpoint answers with an error: ",
                       Shorten(said->IsObject() ? said->Dump() : said->ScalarText(), 200));
  } else {
    none->why = StrCat("the endpoint's answer has no choices: ", Shorten(answer, 200));
  }
  return error;
}

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
      Result<Json> body = Ask(problem, wanted, seed);
      if (!body.ok()) return body.error();
      if (Status status = Take(*body, wanted, seed, &out); !status.ok()) return status.error();
    }
    return out;
  }

 private:
  // Asked again where the answer is broken; HttpPost does that where there is none.
  Result<Json> Ask(const Problem& problem, int64_t wanted, int64_t seed) {
    double back_off = http_.back_off_s;
    for (int64_t tries = 0;; ++tries) {
      if (!limit_->Wait(options_.cancelled)) return Cancelled();
      const int64_t samples = one_at_a_time_ ? 1 : wanted;
      Result<HttpAnswer> answer = HttpPost(url_, Request(problem, samples, seed).Dump(), http_);
      if (!answer.ok()) return answer.error();
      // Some servers refuse to give several choices.
      if (samples > 1 && (answer->status == 400 || answer->status == 422)) {
        if (!limit_->Wait(options_.cancelled)) return Cancelled();
        Result<HttpAnswer> one = HttpPost(url_, Request(problem, 1, seed).Dump(), http_);
        if (!one.ok()) return one.error();
        one_at_a_time_ = one->status == 200;
        if (one_at_a_time_) answer = std::move(one);
      }
      if (answer->status < 200 || answer->status >= 300) return Refused(*answer);
      NoAnswer none;
      Result<Json> body = BodyOf(answer->body, &none);
      if (body.ok()) return body;
      if (!none.passes || tries >= options_.retries)
        return Error{ErrorCode::kInput, none.why,
                     "--endpoint names the base of a chat API, such as http://localhost:8000/v1"};
      if (!Pause(back_off)) return Cancelled();
      back_off = std::min(2 * back_off, kBackOffMost);
    }
  }

  Error Refused(const HttpAnswer& answer) const {
    std::string hint = "the server's log says more";
    if (answer.status == 401 || answer.status == 403)
      hint = "put the key into OPENAI_API_KEY, or name its variable with --key-variable";
    if (answer.status >= 300 && answer.status < 400)
      hint = "it points elsewhere: give --endpoint the address itself (https, for one)";
    if (answer.status == 404)
      hint = "--endpoint is the address up to /v1, --model a model that the server has";
    // What is wrong with one request is not what is wrong with all.
    const bool of_request = answer.status == 400 || answer.status == 413 || answer.status == 422;
    return {of_request ? ErrorCode::kInput : ErrorCode::kUnavailable,
            StrCat("'", url_, "' answers with status ", answer.status, ": ",
                   SanitizeUtf8(answer.body.substr(0, 300))),
            std::move(hint)};
  }

  // False if interrupted meanwhile.
  bool Pause(double seconds) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (std::chrono::steady_clock::now() < end) {
      if (options_.cancelled != nullptr && *options_.cancelled) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return true;
  }

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

  Status Take(const Json& body, int64_t wanted, int64_t seed, Generated* out) const {
    for (const Json& choice : *body.Find("choices")->AsArray()) {
      if (wanted-- == 0) break;
      Sample sample;
      const Json* message = choice.Find("message");
      const Json completion = message != nullptr && message->IsObject()
                                  ? CompletionOfReply(*message)
                                  : Json(choice.StringOr("text", ""));
      if (Status status = ReadCompletion(completion, out->samples.size(), &sample); !status.ok())
        return status;
      sample.finish_reason = choice.StringOr("finish_reason", "");
      sample.model = body.StringOr("model", options_.model);
      sample.seed = seed;
      out->samples.push_back(std::move(sample));
    }
    const Json* usage = body.Find("usage");
    if (usage == nullptr || !usage->IsObject()) {
      ++out->uncounted;
      return {};
    }
    out->prompt_tokens += usage->IntOr("prompt_tokens", 0);
    out->completion_tokens += usage->IntOr("completion_tokens", 0);
    return {};
  }

  const GeneratorOptions options_;
  const std::shared_ptr<RateLimit> limit_;
  std::string url_ = options_.endpoint;
  HttpPostOptions http_;
  bool one_at_a_time_ = false;  // the server refuses more than one choice
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
