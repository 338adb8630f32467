#include "core/http_post.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "core/text.h"

#ifdef ASSAY_HAVE_CURL
#include <dlfcn.h>
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#endif

namespace assay {

#ifndef ASSAY_HAVE_CURL

Result<HttpAnswer> HttpPost(const std::string& url, const std::string&, const HttpPostOptions&) {
  return Error{ErrorCode::kUnavailable,
               StrCat("cannot reach '", url, "': this build has no HTTP client"),
               "install libcurl4-openssl-dev, configure again and rebuild"};
}

#else

namespace {

constexpr double kConnectSeconds = 10;
constexpr double kMaxBackOff = 30;
constexpr double kMaxRetryAfter = 60;

// The functions of libcurl that are used here.
struct Curl {
  decltype(&::curl_global_init) global_init = nullptr;
  decltype(&::curl_easy_init) easy_init = nullptr;
  decltype(&::curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&::curl_easy_reset) easy_reset = nullptr;
  decltype(&::curl_easy_setopt) setopt = nullptr;
  decltype(&::curl_easy_perform) perform = nullptr;
  decltype(&::curl_easy_getinfo) getinfo = nullptr;
  decltype(&::curl_easy_strerror) strerror = nullptr;
  decltype(&::curl_slist_append) slist_append = nullptr;
  decltype(&::curl_slist_free_all) slist_free_all = nullptr;
};

template <typename F>
bool Load(void* library, const char* name, F* function) {
  *function = reinterpret_cast<F>(dlsym(library, name));
  return *function != nullptr;
}

// Loaded and made ready once; null if that does not work here. Never unloaded.
const Curl* LoadedCurl() {
  static const Curl* const curl = []() -> const Curl* {
    void* library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    static Curl table;
    const bool all = library != nullptr && Load(library, "curl_global_init", &table.global_init) &&
                     Load(library, "curl_easy_init", &table.easy_init) &&
                     Load(library, "curl_easy_cleanup", &table.easy_cleanup) &&
                     Load(library, "curl_easy_reset", &table.easy_reset) &&
                     Load(library, "curl_easy_setopt", &table.setopt) &&
                     Load(library, "curl_easy_perform", &table.perform) &&
                     Load(library, "curl_easy_getinfo", &table.getinfo) &&
                     Load(library, "curl_easy_strerror", &table.strerror) &&
                     Load(library, "curl_slist_append", &table.slist_append) &&
                     Load(library, "curl_slist_free_all", &table.slist_free_all);
    return all && table.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? &table : nullptr;
  }();
  return curl;
}

// This thread's handle, which keeps connections open from call to call.
CURL* ThreadHandle(const Curl& curl) {
  struct Owner {
    const Curl* curl;
    CURL* easy;
    ~Owner() {
      if (easy != nullptr) curl->easy_cleanup(easy);
    }
  };
  thread_local const Owner owner{&curl, curl.easy_init()};
  if (owner.easy != nullptr) curl.easy_reset(owner.easy);
  return owner.easy;
}

bool Cancelled(const HttpPostOptions& options) {
  return options.cancelled != nullptr && options.cancelled->load();
}

struct Attempt {
  const HttpPostOptions* options;
  CURLcode code = CURLE_OK;
  int64_t status = 0;
  double retry_after_s = 0;
  std::string body;
  bool too_long = false;
};

size_t OnBytes(char* data, size_t size, size_t count, void* user) {
  auto* attempt = static_cast<Attempt*>(user);
  const size_t bytes = size * count;
  if (attempt->body.size() + bytes > static_cast<size_t>(attempt->options->max_bytes)) {
    attempt->too_long = true;
    return 0;
  }
  attempt->body.append(data, bytes);
  return bytes;
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return Cancelled(*static_cast<Attempt*>(user)->options) ? 1 : 0;
}

void SetUp(const Curl& curl, CURL* easy, const std::string& url, const std::string& body,
           Attempt* attempt) {
  const double timeout_s = attempt->options->timeout_s;
  curl.setopt(easy, CURLOPT_URL, url.c_str());
  curl.setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl.setopt(easy, CURLOPT_POSTFIELDS, body.data());
  curl.setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl.setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl.setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
              static_cast<long>(1000 * std::min(kConnectSeconds, timeout_s)));
  curl.setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(1000 * timeout_s));
  curl.setopt(easy, CURLOPT_WRITEFUNCTION, &OnBytes);
  curl.setopt(easy, CURLOPT_WRITEDATA, attempt);
  curl.setopt(easy, CURLOPT_XFERINFOFUNCTION, &OnProgress);
  curl.setopt(easy, CURLOPT_XFERINFODATA, attempt);
  curl.setopt(easy, CURLOPT_NOPROGRESS, 0L);
}

Attempt PostOnce(const Curl& curl, const std::string& url, const std::string& body,
                 const HttpPostOptions& options) {
  Attempt attempt{&options};
  CURL* easy = ThreadHandle(curl);
  if (easy == nullptr) {
    attempt.code = CURLE_FAILED_INIT;
    return attempt;
  }
  curl_slist* headers = curl.slist_append(nullptr, "Content-Type: application/json");
  headers = curl.slist_append(headers, "Expect:");  // no pause before the body
  if (!options.bearer.empty())
    headers = curl.slist_append(headers, StrCat("Authorization: Bearer ", options.bearer).c_str());
  SetUp(curl, easy, url, body, &attempt);
  curl.setopt(easy, CURLOPT_HTTPHEADER, headers);
  attempt.code = curl.perform(easy);
  long status = 0;  // NOLINT(google-runtime-int): libcurl's
  curl.getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  attempt.status = status;
  curl_off_t retry_after = 0;
  curl.getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
  attempt.retry_after_s = std::min(kMaxRetryAfter, static_cast<double>(retry_after));
  curl.slist_free_all(headers);
  return attempt;
}

// Worth another try: the server was not there, broke off, was too slow, too busy or broken.
bool Passing(const Attempt& attempt) {
  if (attempt.too_long) return false;
  const CURLcode code = attempt.code;
  if (code == CURLE_OK) return attempt.status == 429 || attempt.status >= 500;
  return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
         code == CURLE_OPERATION_TIMEDOUT || code == CURLE_GOT_NOTHING ||
         code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_PARTIAL_FILE;
}

std::string StatusSentence(const std::string& url, int64_t status, const std::string& tries,
                           const std::string& body) {
  constexpr size_t kShown = 300;
  const std::string said = SanitizeUtf8(body.substr(0, kShown));
  return StrCat("'", url, "' answers with status ", status, tries, said.empty() ? "" : ": ", said);
}

Error ErrorOf(const std::string& url, const Attempt& attempt, int64_t attempts,
              const HttpPostOptions& options) {
  const std::string tries = attempts > 1 ? StrCat(" (", attempts, " attempts)") : "";
  if (attempt.too_long) {
    return {ErrorCode::kLimit,
            StrCat("'", url, "' answers more than ", options.max_bytes, " bytes"),
            "ask for fewer or shorter samples at a time"};
  }
  if (attempt.code == CURLE_OPERATION_TIMEDOUT) {
    return {ErrorCode::kUnavailable,
            StrCat("'", url, "' did not answer within ", FixedDigits(options.timeout_s, 1), " s",
                   tries),
            StrCat("raise ", options.settings, "timeout_s, or ask for less at a time (",
                   options.settings, "concurrency, shorter completions)")};
  }
  if (attempt.code != CURLE_OK) {
    return {ErrorCode::kUnavailable,
            StrCat("cannot reach '", url, "'", tries, ": ", LoadedCurl()->strerror(attempt.code)),
            StrCat("is the server running, and ", options.settings, "url its address?")};
  }
  return {ErrorCode::kUnavailable, StatusSentence(url, attempt.status, tries, attempt.body),
          "the server's log says more"};
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

Result<HttpAnswer> HttpPost(const std::string& url, const std::string& body,
                            const HttpPostOptions& options) {
  const Curl* curl = LoadedCurl();
  if (curl == nullptr) {
    return Error{ErrorCode::kUnavailable, StrCat("cannot reach '", url, "': there is no libcurl"),
                 "install libcurl4"};
  }
  double back_off = options.back_off_s;
  for (int64_t attempts = 1;; ++attempts) {
    Attempt attempt = PostOnce(*curl, url, body, options);
    if (attempt.code == CURLE_OK && !Passing(attempt))
      return HttpAnswer{attempt.status, std::move(attempt.body)};
    if (Cancelled(options)) return Error{ErrorCode::kUnavailable, "interrupted", ""};
    if (!Passing(attempt) || attempts > options.retries)
      return ErrorOf(url, attempt, attempts, options);
    if (!Wait(std::max(back_off, attempt.retry_after_s), options))
      return Error{ErrorCode::kUnavailable, "interrupted", ""};
    back_off = std::min(2 * back_off, kMaxBackOff);
  }
}

#endif

Result<std::string> HttpPostJson(const std::string& url, const std::string& body,
                                 const HttpPostOptions& options) {
  Result<HttpAnswer> answer = HttpPost(url, body, options);
  if (!answer.ok()) return answer.error();
  if (answer->status >= 200 && answer->status < 300) return std::move(answer->body);
  std::string hint = "the server's log says more";
  if (answer->status == 401 || answer->status == 403)
    hint = StrCat("set ", options.settings,
                  "key_env to the name of the environment variable that holds the key");
  if (answer->status == 404)
    hint = StrCat(options.settings, "url is the address up to /v1, ", options.settings,
                  "model a model that the server has");
  return Error{ErrorCode::kInput,
               StrCat("'", url, "' answers with status ", answer->status, ": ",
                      SanitizeUtf8(answer->body.substr(0, 300))),
               hint};
}

}  // namespace assay
