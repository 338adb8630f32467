#include "cli/serve/server.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "cli/serve/routes.h"
#include "cli/serve/work_pool.h"
#include "core/text.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;

struct Found {
  size_t index = 0;  // of the route; the number of routes if there is none
  const Route* route = nullptr;
  std::string allow;  // where the path is there for other methods
};

bool Takes(const Route& route, std::string_view method) {
  return route.method == method || (route.method == "GET" && method == "HEAD");
}

Found FindRoute(std::string_view method, std::string_view path) {
  const std::vector<Route>& routes = Routes();
  Found found;
  found.index = routes.size();
  for (size_t i = 0; i < routes.size(); ++i) {
    if (routes[i].path != path) continue;
    if (Takes(routes[i], method)) return {i, &routes[i], ""};
    StrAppend(&found.allow, found.allow.empty() ? "" : ", ", routes[i].method,
              routes[i].method == "GET" ? ", HEAD" : "");
  }
  return found;
}

// "127.0.0.1:8080" -> "127.0.0.1"; "[::1]:8080" -> "::1".
std::string HostName(std::string_view host) {
  if (StartsWith(host, "[")) return std::string(host.substr(1, host.find(']') - 1));
  return std::string(host.substr(0, host.find(':')));
}

// A page from elsewhere, in a browser on this machine, must not use a server that asks for no token: neither by its own name (Origin)
// nor by a name of its own that leads here (Host).
bool FromElsewhere(const HttpRequest& head) {
  const std::string host = HostName(head.host);
  if (!host.empty() && host != "localhost" && !IsAddress(host)) return true;
  if (head.origin.empty()) return false;
  const size_t scheme = head.origin.find("://");
  return scheme == std::string::npos || head.origin.substr(scheme + 3) != head.host;
}

}  // namespace

bool SameSecret(const std::string& a, const std::string& b) {
  unsigned differ = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i)
    differ |= static_cast<unsigned char>(a[i]) ^
              static_cast<unsigned char>(b.empty() ? 0 : b[i % b.size()]);
  return differ == 0;
}

struct Server::Impl {
  ServerConfig config;
  const ServeContext* context = nullptr;
  std::unique_ptr<HttpServer> http;
  std::unique_ptr<WorkPool> pool;  // ends before the HTTP server that its threads reply to

  std::optional<HttpResponse> Look(const HttpRequest& head) const;
  void Handle(std::shared_ptr<const HttpRequest> request,
              std::shared_ptr<const std::atomic<bool>> gone, HttpServer::Reply reply);
  HttpResponse Busy() const;
  void Note(const HttpRequest& request, size_t route, const HttpResponse& response,
            Clock::time_point begin) const;
  void Publish();

  // What of the HTTP server's counters the shared ones hold already.
  struct Published {
    int64_t accepted = 0, timed_out = 0, malformed = 0, abandoned = 0, evicted = 0;

    static void Add(const std::atomic<int64_t>& now, std::atomic<int64_t>* total, int64_t* before) {
      const int64_t value = now.load();
      total->fetch_add(value - *before);
      *before = value;
    }
  } published;
};

std::optional<HttpResponse> Server::Impl::Look(const HttpRequest& head) const {
  const Found found = FindRoute(head.method, head.path);
  std::optional<HttpResponse> refusal;
  const bool open = found.route != nullptr && found.route->open;
  if (!config.token.empty() && !open &&
      !SameSecret(head.authorization, StrCat("Bearer ", config.token))) {
    refusal = HttpError(401, "Unauthorized", "send the header Authorization: Bearer TOKEN");
    refusal->headers.emplace_back("WWW-Authenticate", "Bearer");
  } else if (config.token.empty() && FromElsewhere(head)) {
    refusal = HttpError(403, "Forbidden",
                        "requests of pages from elsewhere, and by other names than localhost or an "
                        "address, need a server that asks for a token");
  } else if (found.route == nullptr && found.allow.empty()) {
    refusal = HttpError(404, "Not Found");
  } else if (found.route == nullptr) {
    refusal = HttpError(405, "Method Not Allowed");
    refusal->headers.emplace_back("Allow", found.allow);
  } else if (!found.route->at_once && pool->Load().waiting >= config.waiting_max) {
    refusal = Busy();
  }
  if (refusal) Note(head, found.index, *refusal, Clock::now());
  return refusal;
}

HttpResponse Server::Impl::Busy() const {
  context->metrics().rejected.fetch_add(1);
  HttpResponse busy = HttpError(503, "the queue is full");
  busy.headers.emplace_back("Retry-After", StrCat(pool->RetryAfterSeconds()));
  return busy;
}

void Server::Impl::Note(const HttpRequest& request, size_t route, const HttpResponse& response,
                        Clock::time_point begin) const {
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  context->metrics().CountRequest(route, response.status, seconds);
  if (!config.log) return;
  config.log(StrCat(request.client, " ", request.method, " ", request.path, " ", response.status,
                    " ", FixedDigits(seconds * 1000, 1), " ms, ", request.body.size(),
                    " bytes in, ", response.body.size(), " out"));
}

void Server::Impl::Handle(std::shared_ptr<const HttpRequest> request,
                          std::shared_ptr<const std::atomic<bool>> gone, HttpServer::Reply reply) {
  const Found found = FindRoute(request->method, request->path);
  const Clock::time_point begin = Clock::now();
  if (found.route->at_once) {
    PlanOrResponse made = found.route->plan(*context, *request);
    HttpResponse response = std::move(std::get<HttpResponse>(made));
    Note(*request, found.index, response, begin);
    return reply(std::move(response));
  }
  WorkItem item;
  item.client = request->client;
  item.gone = std::move(gone);
  item.start = [this, request, route = found.route] { return route->plan(*context, *request); };
  item.done = [this, request, reply, begin, index = found.index](HttpResponse response) {
    Note(*request, index, response, begin);
    reply(std::move(response));
  };
  if (pool->Push(std::move(item))) return;
  HttpResponse busy = Busy();
  Note(*request, found.index, busy, begin);
  reply(std::move(busy));
}

// What this process says of itself, where all processes of the server can read it.
void Server::Impl::Publish() {
  ServeMetrics& metrics = context->metrics();
  const HttpServerCounts& counts = http->counts();
  published.Add(counts.accepted, &metrics.accepted, &published.accepted);
  published.Add(counts.timed_out, &metrics.timed_out, &published.timed_out);
  published.Add(counts.malformed, &metrics.malformed, &published.malformed);
  published.Add(counts.abandoned, &metrics.abandoned, &published.abandoned);
  published.Add(counts.evicted, &metrics.evicted, &published.evicted);
  ServeGauges& gauges = metrics.gauges[std::min(config.process, kProcessesMax - 1)];
  const WorkLoad load = pool->Load();
  gauges.connections = counts.connections.load();
  gauges.body_bytes = counts.body_bytes.load();
  gauges.waiting = load.waiting;
  gauges.running = load.running;
  gauges.threads = load.threads;
}

Server::Server() : impl_(std::make_unique<Impl>()) {}
Server::~Server() { impl_->pool.reset(); }

Result<std::unique_ptr<Server>> Server::Make(const ServerConfig& config,
                                             const ServeContext& context) {
  std::unique_ptr<Server> server(new Server());
  server->impl_->config = config;
  server->impl_->context = &context;
  Result<std::unique_ptr<HttpServer>> http = HttpServer::Listen(config.http);
  if (!http.ok()) return http.error();
  server->impl_->http = std::move(*http);
  server->impl_->pool = std::make_unique<WorkPool>(config.threads, config.waiting_max);
  server->impl_->Publish();
  return server;
}

uint16_t Server::port() const { return impl_->http->port(); }

void Server::Run(std::function<bool()> stop, std::function<void()> cut_short) {
  HttpServer::Callbacks callbacks;
  Impl* impl = impl_.get();
  callbacks.look = [impl](const HttpRequest& head) { return impl->Look(head); };
  callbacks.handle = [impl](std::shared_ptr<const HttpRequest> request,
                            std::shared_ptr<const std::atomic<bool>> gone,
                            HttpServer::Reply reply) {
    impl->Handle(std::move(request), std::move(gone), std::move(reply));
  };
  callbacks.stop = [impl, stop = std::move(stop)] {
    impl->Publish();
    return stop();
  };
  callbacks.cut_short = std::move(cut_short);
  impl->http->Run(std::move(callbacks));
}

}  // namespace assay
