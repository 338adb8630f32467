// What passes between the HTTP server and those who answer: plain values, without a word of the library that carries them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"

namespace assay {

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // "/v1/score": the target up to its query; not decoded
  std::string query;   // "verifier=math"; empty if there is none
  std::string host, origin, authorization, content_type;
  std::string client;  // the other end's address, without its port
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // further ones

  static HttpResponse OfJson(int status, const Json& body);
};

// A query ("a=1&b=2") as an object of texts, percent signs decoded; of a key that comes twice the first counts.
Json QueryObject(std::string_view query);

// Our own errors, in the shape that FastAPI gives its: {"detail": "Not Found"}; with a hint, {"detail", "error": {"message", "hint"}}.
HttpResponse HttpError(int status, const std::string& message, const std::string& hint = "");

}  // namespace assay
