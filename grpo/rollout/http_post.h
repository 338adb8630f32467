// One JSON document posted over HTTP, by libcurl where the build has it. Bounded in size and time, repeated after what passes by
// itself (connection errors, timeouts, 429, 5xx). Thread-safe: every call has a connection of its own. Not a general client: no
// redirects, no streaming, no other methods.
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
};

// The body of a 2xx answer. Errors: kUnavailable (a build without libcurl; nobody answers, or not in time), kInput (the server
// refuses: status and the beginning of what it says), kLimit (an answer over max_bytes).
Result<std::string> HttpPostJson(const std::string& url, const std::string& body,
                                 const HttpPostOptions& options);

}  // namespace assay
