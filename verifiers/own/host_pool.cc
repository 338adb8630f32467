#include "verifiers/own/host_pool.h"

#include <chrono>
#include <utility>

#include "core/text.h"

namespace assay::own {

Result<std::unique_ptr<HostPool>> HostPool::Open(HostPoolOptions options) {
  std::unique_ptr<HostPool> pool(new HostPool(std::move(options)));
  Result<std::unique_ptr<Host>> first = pool->StartHost(&pool->greeting_);
  if (!first.ok()) return first.error();
  pool->idle_.push_back(std::move(*first));
  return pool;
}

Result<std::unique_ptr<Host>> HostPool::StartHost(Json* greeting) const {
  Result<std::unique_ptr<Host>> host = Host::Start(options_.argv);
  if (!host.ok()) return host.error();
  std::string answer;
  const Host::End end =
      (*host)->Ask(options_.hello, options_.start_s, options_.interrupted, &answer);
  if (end == Host::End::kTimedOut) {
    return Error{ErrorCode::kUnavailable,
                 StrCat("'", options_.argv[0], "' was not ready within ",
                        FixedDigits(options_.start_s, 0), " s"),
                 "do less while the file is imported"};
  }
  if (end != Host::End::kAnswered) {
    return Error{
        ErrorCode::kUnavailable,
        StrCat("'", options_.argv[0], "' ended before it was ready: ", (*host)->LastWords()), ""};
  }
  Result<Json> said = ParseJson(answer);
  if (!said.ok() || said->Find("error") != nullptr || said->Find("ok") == nullptr) {
    return Error{ErrorCode::kUsage,
                 said.ok() ? std::string(said->StringOr("error", "it does not answer as agreed"))
                           : said.error().message,
                 said.ok() ? std::string(said->StringOr("hint", "")) : ""};
  }
  *greeting = *said->Find("ok");
  return host;
}

HostPool::Reply HostPool::Ask(std::string_view request) {
  using Kind = Reply::Kind;
  std::unique_ptr<Host> host;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    while (busy_ >= options_.processes && !Interrupted())
      freed_.wait_for(lock, std::chrono::milliseconds(100));
    if (Interrupted()) return {Kind::kInterrupted, Json(), "interrupted"};
    ++busy_;
    if (!idle_.empty()) {
      host = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  Reply reply;
  if (host == nullptr) {
    Json greeting;
    Result<std::unique_ptr<Host>> started = StartHost(&greeting);
    if (started.ok()) {
      host = std::move(*started);
    } else {
      reply.words = started.error().message;
    }
  }
  if (host != nullptr) {
    std::string answer;
    const Host::End end = host->Ask(request, options_.quiet_s, options_.interrupted, &answer);
    reply.kind = end == Host::End::kAnswered   ? Kind::kAnswer
                 : end == Host::End::kDied     ? Kind::kDied
                 : end == Host::End::kTimedOut ? Kind::kTimedOut
                                               : Kind::kInterrupted;
    if (end == Host::End::kAnswered) {
      Result<Json> parsed = ParseJson(answer);
      if (parsed.ok()) {
        reply.answer = std::move(*parsed);
      } else {
        reply.kind = Kind::kDied;
        reply.words = "its answer is no JSON";
      }
    } else if (end == Host::End::kDied) {
      reply.words = host->LastWords();
    }
    if (reply.kind != Kind::kAnswer) {
      reply.at = host->At();
      host.reset();
    }
  }
  std::lock_guard<std::mutex> lock(mutex_);
  --busy_;
  if (host != nullptr) idle_.push_back(std::move(host));
  freed_.notify_one();
  return reply;
}

}  // namespace assay::own
