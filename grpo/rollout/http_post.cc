#include "grpo/rollout/http_post.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "core/text.h"

#ifdef ASSAY_HAVE_CURL
#include <curl/curl.h>
#endif

namespace assay {

#ifndef ASSAY_HAVE_CURL

Result<std::string> HttpPostJson(const std::string& url, const std::string&,
                                 const HttpPostOptions&) {
  return Error{ErrorCode::kUnavailable,
               StrCat("cannot reach '", url, "': this build has no HTTP client"),
               "install libcurl4-openssl-dev, configure again and rebuild assay-train"};
}

#else

namespace {

constexpr double kConnectSeconds = 10;
constexpr double kMaxBackOff = 30;
constexpr double kMaxRetryAfter = 60;
constexpr size_t kShown = 300;  // bytes of a refusal that an error repeats

bool Cancelled(const HttpPostOptions& options) {
  return options.cancelled != nullptr && options.cancelled->load();
}

struct Answer {
  CURLcode code = CURLE_OK;
  long status = 0;  // NOLINT(google-runtime-int): libcurl's
  double retry_after_s = 0;
  std::string body;
  bool too_long = false;
};

// What libcurl's callbacks see of one attempt.
struct Attempt {
  const HttpPostOptions* options;
  Answer* answer;
};

size_t OnBytes(char* data, size_t size, size_t count, void* user) {
  const auto* attempt = static_cast<Attempt*>(user);
  const size_t bytes = size * count;
  Answer* answer = attempt->answer;
  if (answer->body.size() + bytes > static_cast<size_t>(attempt->options->max_bytes)) {
    answer->too_long = true;
    return 0;
  }
  answer->body.append(data, bytes);
  return bytes;
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return Cancelled(*static_cast<Attempt*>(user)->options) ? 1 : 0;
}

// libcurl's global state, made once before the first connection.
bool CurlReady() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready;
}

Answer PostOnce(const std::string& url, const std::string& body, const HttpPostOptions& options) {
  Answer answer;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(
      CurlReady() ? curl_easy_init() : nullptr, &curl_easy_cleanup);
  if (easy == nullptr) {
    answer.code = CURLE_FAILED_INIT;
    return answer;
  }
  Attempt attempt{&options, &answer};
  curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Expect:");  // no pause before the body
  if (!options.bearer.empty())
    headers = curl_slist_append(headers, StrCat("Authorization: Bearer ", options.bearer).c_str());
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> owned(headers,
                                                                          &curl_slist_free_all);
  CURL* handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(1000 * std::min(kConnectSeconds, options.timeout_s)));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(1000 * options.timeout_s));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &OnBytes);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &attempt);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &OnProgress);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &attempt);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  answer.code = curl_easy_perform(handle);
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
  curl_off_t retry_after = 0;
  curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &retry_after);
  answer.retry_after_s = std::min(kMaxRetryAfter, static_cast<double>(retry_after));
  return answer;
}

// Worth another try: the server was not there, broke off, was too slow, too busy or broken.
bool Passing(const Answer& answer) {
  if (answer.too_long) return false;
  if (answer.code == CURLE_OK) return answer.status == 429 || answer.status >= 500;
  return answer.code == CURLE_COULDNT_CONNECT || answer.code == CURLE_COULDNT_RESOLVE_HOST ||
         answer.code == CURLE_OPERATION_TIMEDOUT || answer.code == CURLE_GOT_NOTHING ||
         answer.code == CURLE_RECV_ERROR || answer.code == CURLE_SEND_ERROR ||
         answer.code == CURLE_PARTIAL_FILE;
}

Error ErrorOf(const std::string& url, const Answer& answer, int64_t attempts,
              const HttpPostOptions& options) {
  const std::string tries = attempts > 1 ? StrCat(" (", attempts, " attempts)") : "";
  if (answer.too_long) {
    return {ErrorCode::kLimit,
            StrCat("'", url, "' answers more than ", options.max_bytes, " bytes"),
            "ask for fewer or shorter samples at a time"};
  }
  if (answer.code == CURLE_OPERATION_TIMEDOUT) {
    return {ErrorCode::kUnavailable,
            StrCat("'", url, "' did not answer within ", FixedDigits(options.timeout_s, 1), " s",
                   tries),
            "raise server.timeout_s, or lower max_completion_length or server.concurrency"};
  }
  if (answer.code != CURLE_OK) {
    return {ErrorCode::kUnavailable,
            StrCat("cannot reach '", url, "'", tries, ": ", curl_easy_strerror(answer.code)),
            "is the server running, and server.url its address?"};
  }
  const std::string said = answer.body.substr(0, kShown);
  std::string hint = "the server's log says more";
  if (answer.status == 401 || answer.status == 403)
    hint = "set server.key_env to the name of the environment variable that holds the key";
  if (answer.status == 404)
    hint = "server.url is the address up to /v1, server.model a model that the server has";
  const bool theirs = answer.status == 429 || answer.status >= 500;
  return {theirs ? ErrorCode::kUnavailable : ErrorCode::kInput,
          StrCat("'", url, "' answers with status ", static_cast<int64_t>(answer.status), tries,
                 said.empty() ? "" : ": ", said),
          hint};
}

// False if cancelled meanwhile.
bool Wait(double seconds, const HttpPostOptions& options) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    if (Cancelled(options)) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return !Cancelled(options);
}

}  // namespace

Result<std::string> HttpPostJson(const std::string& url, const std::string& body,
                                 const HttpPostOptions& options) {
  double back_off = options.back_off_s;
  for (int64_t attempt = 0;; ++attempt) {
    Answer answer = PostOnce(url, body, options);
    if (answer.code == CURLE_OK && answer.status >= 200 && answer.status < 300)
      return std::move(answer.body);
    if (Cancelled(options)) return Error{ErrorCode::kUnavailable, "interrupted", ""};
    if (!Passing(answer) || attempt >= options.retries)
      return ErrorOf(url, answer, attempt + 1, options);
    if (!Wait(std::max(back_off, answer.retry_after_s), options))
      return Error{ErrorCode::kUnavailable, "interrupted", ""};
    back_off = std::min(2 * back_off, kMaxBackOff);
  }
}

#endif

}  // namespace assay
