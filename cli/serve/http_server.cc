#include "cli/serve/http_server.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <list>
#include <set>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

// Descriptors that are left for the sandbox's pipes and workers.
constexpr int64_t kDescriptorsForOthers = 512;
constexpr size_t kReadBytes = 16 << 10;
constexpr double kDrainSeconds = 2;
constexpr size_t kFirstReadBytes = 1024;  // all that an idle connection holds

std::chrono::milliseconds Seconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

// A body that grows with what arrives: Beast's own reserves what the header promises.
struct GrowingBody {
  using value_type = std::string;
  class reader {
   public:
    template <bool kIsRequest, class Fields>
    reader(http::header<kIsRequest, Fields>&, value_type& body) : body_(body) {}
    void init(const boost::optional<uint64_t>&, error_code& error) { error = {}; }
    template <class Buffers>
    size_t put(const Buffers& buffers, error_code& error) {
      error = {};
      size_t bytes = 0;
      for (const auto& buffer : beast::buffers_range_ref(buffers)) {
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
        bytes += buffer.size();
      }
      return bytes;
    }
    void finish(error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
};

Error CannotListen(const HttpServerConfig& config, const error_code& error) {
  return {ErrorCode::kIo,
          StrCat("cannot listen on ", config.address, ":", config.port, ": ", error.message()),
          "another program may have the port: give another one with --listen"};
}

Status Bind(const HttpServerConfig& config, tcp::acceptor* acceptor) {
  error_code error;
  const asio::ip::address address = asio::ip::make_address(config.address, error);
  if (error) {
    return Error{ErrorCode::kUsage, StrCat("'", config.address, "' is no IP address"),
                 "for example 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080"};
  }
  const tcp::endpoint endpoint(address, config.port);
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && config.share_port) {
    using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
    acceptor->set_option(ReusePort(true), error);
  }
  if (!error) acceptor->bind(endpoint, error);
  if (!error) return {};
  return CannotListen(config, error);
}

}  // namespace

struct HttpServer::Impl {
  class Session;

  HttpServerConfig config;
  HttpServerCounts counts;
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  asio::steady_timer tick{io};
  asio::steady_timer accept_again{io};
  Callbacks callbacks;
  std::set<std::shared_ptr<Session>> sessions;
  std::list<Session*> idle;  // longest first
  bool stopping = false;
  Clock::time_point stop_by;

  Status Open();
  void Accept();
  void Tick();
  void BeginStop();
};

// One connection: reads a request, hands it over, writes the response, and again. All of it on the server's thread; a handler that
// comes too late finds the session closed.
class HttpServer::Impl::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Impl* server, tcp::socket socket) : server_(server), stream_(std::move(socket)) {
    error_code error;
    const tcp::endpoint other = stream_.socket().remote_endpoint(error);
    if (!error) client_ = other.address().to_string();
    stream_.socket().set_option(tcp::no_delay(true), error);
    server_->counts.connections.fetch_add(1);
  }
  ~Session() {
    server_->counts.connections.fetch_sub(1);
    CountBody(0);
  }

  void WaitForRequest();
  void Close();

 private:
  void BeginRequest();
  void OnHeader(error_code error);
  void ReadBody();
  void OnBody(error_code error);
  void Dispatch();
  void WatchClient();
  void Respond(HttpResponse response);
  void Write(HttpResponse response, bool keep_alive);
  void OnWritten(error_code error);
  void Drain();
  void Broken(error_code error);
  void LeaveIdle();
  void CountBody(int64_t bytes);
  HttpRequest Head() const;
  std::shared_ptr<Session> Self() { return shared_from_this(); }

  Impl* server_;
  beast::tcp_stream stream_;
  std::string client_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<GrowingBody>> parser_;
  std::optional<http::response<http::string_body>> response_;
  std::optional<http::response<http::empty_body>> head_response_;
  std::optional<std::list<Session*>::iterator> idle_place_;
  std::shared_ptr<std::atomic<bool>> gone_;
  Clock::time_point body_begin_;
  int64_t body_counted_ = 0;
  bool head_only_ = false;
  bool keep_alive_ = false;
  bool busy_ = false;  // the request is somebody else's
  bool closed_ = false;
};

void HttpServer::Impl::Session::CountBody(int64_t bytes) {
  server_->counts.body_bytes.fetch_add(bytes - body_counted_);
  body_counted_ = bytes;
}

void HttpServer::Impl::Session::LeaveIdle() {
  if (idle_place_) server_->idle.erase(*idle_place_);
  idle_place_.reset();
}

void HttpServer::Impl::Session::Close() {
  if (closed_) return;
  closed_ = true;
  LeaveIdle();
  if (gone_ != nullptr) gone_->store(true);
  error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
  stream_.close();
  server_->sessions.erase(Self());
}

// Between two requests a connection holds a small buffer and a place in the list of those that may be closed.
void HttpServer::Impl::Session::WaitForRequest() {
  parser_.reset();
  response_.reset();
  head_response_.reset();
  CountBody(0);
  if (buffer_.size() > 0) return BeginRequest();
  if (server_->stopping) return Close();
  buffer_.shrink_to_fit();
  idle_place_ = server_->idle.insert(server_->idle.end(), this);
  stream_.expires_after(Seconds(server_->config.idle_seconds));
  stream_.async_read_some(buffer_.prepare(kFirstReadBytes),
                          [self = Self()](error_code error, size_t bytes) {
                            self->LeaveIdle();
                            if (error) return self->Close();
                            self->buffer_.commit(bytes);
                            self->BeginRequest();
                          });
}

void HttpServer::Impl::Session::BeginRequest() {
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(server_->config.header_bytes_max));
  parser_->body_limit(static_cast<uint64_t>(server_->config.body_bytes_max));
  stream_.expires_after(Seconds(server_->config.header_seconds));
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = Self()](error_code error, size_t) { self->OnHeader(error); });
}

// What the peer did wrong gets a response where there is one to give, and the connection is closed: where its next request begins is
// anybody's guess.
void HttpServer::Impl::Session::Broken(error_code error) {
  if (closed_) return;
  keep_alive_ = false;
  if (error == beast::error::timeout) {
    server_->counts.timed_out.fetch_add(1);
    return Close();
  }
  if (error.category() != http::make_error_code(http::error::bad_method).category() ||
      error == http::error::end_of_stream || error == http::error::partial_message)
    return Close();
  server_->counts.malformed.fetch_add(1);
  if (error == http::error::body_limit) {
    return Write(HttpError(413, "Request body too large",
                           StrCat("at most ", server_->config.body_bytes_max, " bytes")),
                 false);
  }
  if (error == http::error::header_limit)
    return Write(HttpError(431, "Request header fields too large"), false);
  Write(HttpError(400, StrCat("Bad Request: ", error.message())), false);
}

HttpRequest HttpServer::Impl::Session::Head() const {
  const auto& message = parser_->get();
  const auto field = [&](http::field name) { return std::string(message[name]); };
  HttpRequest head;
  head.method = std::string(message.method_string());
  const std::string target(message.target());
  const size_t mark = target.find('?');
  head.path = target.substr(0, mark);
  if (mark != std::string::npos) head.query = target.substr(mark + 1);
  head.host = field(http::field::host);
  head.origin = field(http::field::origin);
  head.authorization = field(http::field::authorization);
  head.content_type = field(http::field::content_type);
  head.client = client_;
  return head;
}

void HttpServer::Impl::Session::OnHeader(error_code error) {
  if (closed_) return;
  if (error) return Broken(error);
  const auto& message = parser_->get();
  head_only_ = message.method() == http::verb::head;
  keep_alive_ = parser_->keep_alive() && !server_->stopping;
  std::optional<HttpResponse> refusal;
  if (server_->stopping) refusal = HttpError(503, "the server is stopping");
  if (!refusal) refusal = server_->callbacks.look(Head());
  const bool full = server_->counts.body_bytes.load() > server_->config.bodies_bytes_max;
  if (!refusal && full && !parser_->is_done()) {
    refusal = HttpError(503, "too many bytes are being read");
    refusal->headers.emplace_back("Retry-After", "1");
  }
  // A body that nobody reads stands in the way of the next request.
  if (refusal) return Write(std::move(*refusal), keep_alive_ && parser_->is_done());
  body_begin_ = Clock::now();
  if (parser_->is_done() || !beast::iequals(message[http::field::expect], "100-continue"))
    return ReadBody();
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(stream_, asio::buffer(kContinue), [self = Self()](error_code failed, size_t) {
    if (failed) return self->Close();
    self->ReadBody();
  });
}

void HttpServer::Impl::Session::ReadBody() {
  if (closed_) return;
  if (parser_->is_done()) return Dispatch();
  // A body must go on, and on the whole not too slowly.
  const HttpServerConfig& config = server_->config;
  const double allowed =
      config.stall_seconds +
      static_cast<double>(body_counted_) / static_cast<double>(config.bytes_per_second_min);
  const Clock::time_point stalled = Clock::now() + Seconds(config.stall_seconds);
  stream_.expires_at(std::min(stalled, body_begin_ + Seconds(allowed)));
  buffer_.reserve(kReadBytes);
  http::async_read_some(stream_, buffer_, *parser_,
                        [self = Self()](error_code error, size_t) { self->OnBody(error); });
}

void HttpServer::Impl::Session::OnBody(error_code error) {
  if (closed_) return;
  if (error) return Broken(error);
  CountBody(static_cast<int64_t>(parser_->get().body().size()));
  if (server_->counts.body_bytes.load() > 2 * server_->config.bodies_bytes_max) {
    HttpResponse full = HttpError(503, "too many bytes are being read");
    full.headers.emplace_back("Retry-After", "1");
    return Write(std::move(full), false);
  }
  ReadBody();
}

void HttpServer::Impl::Session::Dispatch() {
  auto request = std::make_shared<HttpRequest>(Head());
  request->body = std::move(parser_->get().body());
  gone_ = std::make_shared<std::atomic<bool>>(false);
  busy_ = true;
  stream_.expires_never();
  WatchClient();
  server_->callbacks.handle(std::move(request), gone_, [self = Self()](HttpResponse response) {
    asio::post(self->server_->io, [self, response = std::move(response)]() mutable {
      self->Respond(std::move(response));
    });
  });
}

// While a request is worked on nothing is read; that the client has closed its end is seen all the same.
void HttpServer::Impl::Session::WatchClient() {
  stream_.socket().async_wait(tcp::socket::wait_read, [self = Self()](error_code error) {
    if (error || self->closed_ || !self->busy_) return;
    char byte = 0;
    const ssize_t got =
        recv(self->stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return;  // its next request
    self->server_->counts.abandoned.fetch_add(1);
    self->Close();
  });
}

void HttpServer::Impl::Session::Respond(HttpResponse response) {
  busy_ = false;
  CountBody(0);
  if (closed_) return;
  gone_.reset();
  error_code ignored;
  stream_.socket().cancel(ignored);  // the watch
  Write(std::move(response), keep_alive_ && !server_->stopping);
}

void HttpServer::Impl::Session::Write(HttpResponse response, bool keep_alive) {
  keep_alive_ = keep_alive;
  http::response<http::string_body> out;
  out.version(11);
  out.result(static_cast<unsigned>(response.status));
  out.set(http::field::server, "assay");
  out.set(http::field::content_type, response.content_type);
  for (const auto& [name, value] : response.headers) out.set(name, value);
  out.keep_alive(keep_alive);
  const double bytes = static_cast<double>(response.body.size());
  const double rate = static_cast<double>(server_->config.bytes_per_second_min);
  stream_.expires_after(Seconds(server_->config.stall_seconds + bytes / rate));
  const auto written = [self = Self()](error_code error, size_t) { self->OnWritten(error); };
  if (head_only_) {
    head_response_.emplace(http::response_header<>(std::move(out.base())));
    head_response_->content_length(response.body.size());
    return http::async_write(stream_, *head_response_, written);
  }
  out.body() = std::move(response.body);
  out.prepare_payload();
  response_.emplace(std::move(out));
  http::async_write(stream_, *response_, written);
}

void HttpServer::Impl::Session::OnWritten(error_code error) {
  if (closed_) return;
  if (error == beast::error::timeout) server_->counts.timed_out.fetch_add(1);
  if (error) return Close();
  if (keep_alive_) return WaitForRequest();
  if (parser_ && parser_->is_done()) return Close();
  // The client may be sending still. Closed now, the connection would be reset, and the response lost with it.
  stream_.socket().shutdown(tcp::socket::shutdown_send, error);
  stream_.expires_after(Seconds(kDrainSeconds));
  Drain();
}

void HttpServer::Impl::Session::Drain() {
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(kReadBytes), [self = Self()](error_code error, size_t) {
    if (self->closed_) return;
    if (error) return self->Close();
    self->Drain();
  });
}

Status HttpServer::Impl::Open() {
  if (Status bound = Bind(config, &acceptor); !bound.ok()) return bound;
  error_code error;
  acceptor.listen(4096, error);
  if (!error) return {};
  return CannotListen(config, error);
}

void HttpServer::Impl::Accept() {
  acceptor.async_accept([this](error_code error, tcp::socket socket) {
    if (stopping || error == asio::error::operation_aborted) return;
    if (error) {  // out of descriptors, for example: not in a circle
      accept_again.expires_after(Seconds(0.05));
      accept_again.async_wait([this](error_code cancelled) {
        if (!cancelled) Accept();
      });
      return;
    }
    counts.accepted.fetch_add(1);
    if (counts.connections.load() >= config.connections_max && !idle.empty()) {
      counts.evicted.fetch_add(1);
      idle.front()->Close();
    }
    if (counts.connections.load() < config.connections_max + 1) {
      auto session = std::make_shared<Session>(this, std::move(socket));
      sessions.insert(session);
      session->WaitForRequest();
    }
    Accept();
  });
}

void HttpServer::Impl::BeginStop() {
  stopping = true;
  stop_by = Clock::now() + Seconds(config.grace_seconds);
  error_code ignored;
  acceptor.close(ignored);
  accept_again.cancel();
  while (!idle.empty()) idle.front()->Close();
}

void HttpServer::Impl::Tick() {
  if (!stopping && callbacks.stop()) BeginStop();
  if (stopping && (sessions.empty() || Clock::now() >= stop_by)) {
    if (!sessions.empty() && callbacks.cut_short) callbacks.cut_short();
    io.stop();
    return;
  }
  tick.expires_after(Seconds(0.1));
  tick.async_wait([this](error_code error) {
    if (!error) Tick();
  });
}

HttpServer::HttpServer() : impl_(std::make_unique<Impl>()) {}

HttpServer::~HttpServer() {
  const auto sessions = std::move(impl_->sessions);
  for (const auto& session : sessions) session->Close();
}

Result<std::unique_ptr<HttpServer>> HttpServer::Listen(const HttpServerConfig& config) {
  std::unique_ptr<HttpServer> server(new HttpServer());
  server->impl_->config = config;
  if (Status opened = server->impl_->Open(); !opened.ok()) return opened.error();
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    const int64_t most = static_cast<int64_t>(std::min<rlim_t>(files.rlim_max, 1 << 20));
    int64_t& connections = server->impl_->config.connections_max;
    connections = std::min(connections, std::max<int64_t>(most - kDescriptorsForOthers, most / 2));
  }
  return server;
}

uint16_t HttpServer::port() const {
  error_code error;
  const tcp::endpoint endpoint = impl_->acceptor.local_endpoint(error);
  return error ? 0 : endpoint.port();
}

const HttpServerCounts& HttpServer::counts() const { return impl_->counts; }

void HttpServer::Run(Callbacks callbacks) {
  impl_->callbacks = std::move(callbacks);
  impl_->Accept();
  impl_->Tick();
  impl_->io.run();
}

Result<uint16_t> ReservePort(const HttpServerConfig& config) {
  static asio::io_context io;
  static tcp::acceptor holder(io);  // bound, and never listening
  if (Status opened = Bind(config, &holder); !opened.ok()) return opened.error();
  error_code error;
  const tcp::endpoint endpoint = holder.local_endpoint(error);
  return endpoint.port();
}

bool IsAddress(const std::string& text) {
  error_code error;
  asio::ip::make_address(text, error);
  return !error;
}

bool IsLoopback(const std::string& address) {
  error_code error;
  const asio::ip::address parsed = asio::ip::make_address(address, error);
  return !error && parsed.is_loopback();
}

}  // namespace assay
