// Server: one process of `assay serve`. Joins the HTTP server, the table of routes and the pool of threads: who may ask (token,
// origin), what is answered at once, what waits in the queue, what is counted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cli/serve/http_server.h"
#include "cli/serve/serve_context.h"
#include "core/result.h"

namespace assay {

struct ServerConfig {
  HttpServerConfig http;
  std::string token;           // empty: none is asked for
  int threads = 2;             // pieces of work at once
  int64_t waiting_max = 1024;  // requests in the queue
  size_t process = 0;          // its place among the server's processes
  std::function<void(const std::string& line)>
      log;  // a line for each request; may be empty; from any thread
};

class Server {
 public:
  // Listens. `context` must outlive it.
  static Result<std::unique_ptr<Server>> Make(const ServerConfig& config,
                                              const ServeContext& context);
  ~Server();
  uint16_t port() const;
  // Serves until `stop` says so (HttpServer::Run); `cut_short`: what still runs must end now.
  void Run(std::function<bool()> stop, std::function<void()> cut_short);

 private:
  Server();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// True if both are the same; takes as long whether they are or not.
bool SameSecret(const std::string& a, const std::string& b);

}  // namespace assay
