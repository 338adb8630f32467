// HttpServer: HTTP/1.1 over TCP, on one thread that never waits for anything but sockets. It reads whole requests within bounds (bytes,
// time, memory of all bodies together), hands them over, and writes the responses. No request, however it is broken or slow, keeps it
// from the others; when there are too many connections, the one that was idle longest is closed. What a request means is not its
// business, nor are TLS and HTTP/2: put a proxy in front for those. Boost.Beast does the protocol and stays inside http_server.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/serve/http.h"
#include "core/result.h"

namespace assay {

struct HttpServerConfig {
  std::string address = "127.0.0.1";
  uint16_t port = 8080;     // 0: one that is free
  bool share_port = false;  // other processes listen on the same one (SO_REUSEPORT)
  int64_t body_bytes_max = int64_t{64} << 20;
  int64_t bodies_bytes_max = int64_t{1} << 30;  // of all requests that are being read or worked on
  int64_t header_bytes_max = 16 << 10;
  int64_t connections_max = 20'000;         // fewer where the limit on descriptors is lower
  double header_seconds = 10;               // from a request's first byte
  double stall_seconds = 10;                // between two pieces of a body
  int64_t bytes_per_second_min = 16 << 10;  // of a body as a whole, beyond the first seconds
  double idle_seconds = 75;                 // between two requests
  double grace_seconds = 30;                // for what runs, when it is told to stop
};

// What the server counts; read from any thread.
struct HttpServerCounts {
  std::atomic<int64_t> connections{0};  // now
  std::atomic<int64_t> accepted{0};
  std::atomic<int64_t> timed_out{0};   // slow requests that were cut off
  std::atomic<int64_t> malformed{0};   // requests that are no HTTP, or over a bound
  std::atomic<int64_t> abandoned{0};   // clients that went before they had their response
  std::atomic<int64_t> evicted{0};     // idle connections that gave way
  std::atomic<int64_t> body_bytes{0};  // now, of all requests
};

class HttpServer {
 public:
  // Called once, from any thread.
  using Reply = std::function<void(HttpResponse)>;
  struct Callbacks {
    // On the server's thread, when the header is there: a response refuses the request before its body is read.
    std::function<std::optional<HttpResponse>(const HttpRequest& head)> look;
    // On the server's thread, with the whole request: must return at once. `gone` is set when the client has closed its connection.
    std::function<void(std::shared_ptr<const HttpRequest> request,
                       std::shared_ptr<const std::atomic<bool>> gone, Reply reply)>
        handle;
    // On the server's thread, ten times a second: true ends the server.
    std::function<bool()> stop;
    // On the server's thread: the grace is over, and something still runs.
    std::function<void()> cut_short;
  };

  // Binds and listens. Errors: kUsage for an address that is none, kIo where the port is taken.
  static Result<std::unique_ptr<HttpServer>> Listen(const HttpServerConfig& config);
  ~HttpServer();

  uint16_t port() const;
  const HttpServerCounts& counts() const;
  // Serves until `stop` says so; then no connection is accepted any more, idle ones are closed, and requests that are on their way are
  // answered, for at most `grace_seconds`.
  void Run(Callbacks callbacks);

 private:
  HttpServer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Binds the address for processes that will share its port, and keeps it for this process's life. Gives the port.
Result<uint16_t> ReservePort(const HttpServerConfig& config);
// True for addresses of this machine alone: 127.x.x.x and ::1.
bool IsLoopback(const std::string& address);
bool IsAddress(const std::string& text);

}  // namespace assay
