// One JSON document posted over HTTP, by libcurl, which is loaded when it is first needed: it would double the time in which `assay`
// starts. Bounded in size and time, repeated after what passes by itself (connection errors, timeouts, 429, 5xx). Thread-safe; each
// thread keeps its last connections open. Not a general client: no redirects, no streaming, no other methods.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "core/result.h"

namespace assay {

struct HttpPostOptions {
  std::string bearer;      // "Authorization: Bearer ..", unless empty; never part of an error
  double timeout_s = 600;  // of one attempt
  int64_t retries = 5;     // attempts after the first
  double back_off_s =
      0.5;  // before the first retry; doubles up to 30 s; a server's Retry-After counts up to 60 s
  int64_t max_bytes = 64 << 20;                  // of an answer
  const std::atomic<bool>* cancelled = nullptr;  // looked at several times a second
  // What hints call the settings: "server." makes them server.url, server.timeout_s, server.key_env.
  std::string settings;
};

struct HttpAnswer {
  int64_t status = 0;
  std::string body;
};

// What the server said, unless it was a status that passes by itself and did not. Errors: kUnavailable (no libcurl; nobody answers, or
// not in time, or 429 and 5xx to the end), kLimit (an answer over max_bytes).
Result<HttpAnswer> HttpPost(const std::string& url, const std::string& body,
                            const HttpPostOptions& options);

// The body of a 2xx answer. Errors: HttpPost's; kInput (the server refuses: status and the beginning of what it says).
Result<std::string> HttpPostJson(const std::string& url, const std::string& body,
                                 const HttpPostOptions& options);

}  // namespace assay
