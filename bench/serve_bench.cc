// The server under load: programs a second through POST /run_code, with CLIENTS connections that each send a program of their own,
// wait for its output, and compare it with what only that program prints: an answer that went astray or got lost is counted. Starts the
// `assay serve` beside it (or uses the one at PORT). One JSON line. Server and clients share the machine's cores.
//
//   assay_bench_serve [REQUESTS] [CLIENTS] [keep-alive | new] [PORT]
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/cores.h"
#include "core/json.h"
#include "core/text.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;

struct Plan {
  int64_t requests = 3000;
  int clients = 64;
  bool keep_alive = true;
  uint16_t port = 0;
};

class Connection {
 public:
  explicit Connection(uint16_t port) {
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) Close();
  }
  ~Connection() { Close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  bool open() const { return fd_ >= 0; }

  // The body of the response; empty if there is none.
  std::string Ask(const std::string& request) {
    for (size_t sent = 0; sent < request.size();) {
      const ssize_t n = send(fd_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return "";
      sent += static_cast<size_t>(n);
    }
    std::string got;
    size_t body = std::string::npos, length = 0;
    char buffer[65536];
    while (body == std::string::npos || got.size() < body + length) {
      const ssize_t n = recv(fd_, buffer, sizeof(buffer), 0);
      if (n <= 0) return "";
      got.append(buffer, static_cast<size_t>(n));
      if (body != std::string::npos) continue;
      const size_t end = got.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      body = end + 4;
      const size_t at = AsciiLower(got.substr(0, end)).find("content-length:");
      if (at == std::string::npos) return "";
      length = static_cast<size_t>(std::atoll(got.c_str() + at + 15));
    }
    return got.substr(body);
  }

 private:
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int fd_ = -1;
};

std::string Request(int64_t number, bool keep_alive) {
  const Json body = Json()
                        .Set("code", StrCat("print(", number, " * 7 + 1)"))
                        .Set("language", "python")
                        .Set("compile_timeout", 10)
                        .Set("run_timeout", 10)
                        .Set("memory_limit_MB", 1024)
                        .Set("files", Json::MakeObject())
                        .Set("fetch_files", Json::MakeArray());
  const std::string text = body.Dump();
  return StrCat("POST /run_code HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
                keep_alive ? "" : "Connection: close\r\n", "Content-Length: ", text.size(),
                "\r\n\r\n", text);
}

struct Tally {
  std::atomic<int64_t> next{0}, lost{0}, wrong{0};
  std::vector<std::vector<double>> seconds;  // of each client
};

void Client(const Plan& plan, size_t self, Tally* tally) {
  std::unique_ptr<Connection> connection;
  for (int64_t number; (number = tally->next.fetch_add(1)) < plan.requests;) {
    const Clock::time_point begin = Clock::now();
    if (connection == nullptr) connection = std::make_unique<Connection>(plan.port);
    const std::string answer =
        connection->open() ? connection->Ask(Request(number, plan.keep_alive)) : "";
    tally->seconds[self].push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    if (answer.empty() || !plan.keep_alive) connection.reset();
    const Result<Json> json = ParseJson(answer.empty() ? "null" : answer);
    const Json* run = json.ok() ? json->Find("run_result") : nullptr;
    if (run == nullptr) {
      tally->lost.fetch_add(1);
    } else if (run->StringOr("stdout", "") != StrCat(number * 7 + 1, "\n")) {
      tally->wrong.fetch_add(1);
    }
  }
}

// `assay serve` on a free port; what it says on stderr names the port.
pid_t StartServer(uint16_t* port) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  const std::string assay =
      (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "assay").string();
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    execl(assay.c_str(), "assay", "serve", "--listen", "127.0.0.1:0", static_cast<char*>(nullptr));
    _exit(127);
  }
  close(ends[1]);
  std::string said;
  char byte = 0;
  while (read(ends[0], &byte, 1) == 1 && byte != '\n') said.push_back(byte);
  const size_t at = said.find("http://127.0.0.1:");
  *port = at == std::string::npos ? 0 : static_cast<uint16_t>(std::atoi(said.c_str() + at + 17));
  return pid;
}

int Main(int argc, char** argv) {
  Plan plan;
  if (argc > 1) plan.requests = std::atoll(argv[1]);
  if (argc > 2) plan.clients = std::max(1, std::atoi(argv[2]));
  if (argc > 3) plan.keep_alive = std::strcmp(argv[3], "new") != 0;
  if (argc > 4) plan.port = static_cast<uint16_t>(std::atoi(argv[4]));
  const pid_t server = plan.port == 0 ? StartServer(&plan.port) : -1;
  if (plan.port == 0) {
    std::fprintf(stderr,
                 "error: no server: is `assay` beside this program, and `assay doctor` content?\n");
    return 2;
  }
  Tally tally;
  tally.seconds.resize(static_cast<size_t>(plan.clients));
  const Clock::time_point begin = Clock::now();
  std::vector<std::thread> clients;
  for (size_t i = 0; i < tally.seconds.size(); ++i)
    clients.emplace_back([&plan, i, &tally] { Client(plan, i, &tally); });
  for (std::thread& client : clients) client.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (server > 0) {
    kill(server, SIGTERM);
    waitpid(server, nullptr, 0);
  }
  std::vector<double> all;
  for (const std::vector<double>& some : tally.seconds)
    all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  const auto quantile = [&](double q) {
    return 1000 *
           all[std::min(all.size() - 1, static_cast<size_t>(q * static_cast<double>(all.size())))];
  };
  std::printf("%s\n", Json()
                          .Set("bench", "serve")
                          .Set("requests", plan.requests)
                          .Set("clients", plan.clients)
                          .Set("keep_alive", plan.keep_alive)
                          .Set("cores", UsableCores())
                          .Set("requests_per_second", static_cast<double>(plan.requests) / seconds)
                          .Set("p50_ms", quantile(0.5))
                          .Set("p99_ms", quantile(0.99))
                          .Set("max_ms", 1000 * all.back())
                          .Set("lost", tally.lost.load())
                          .Set("mixed_up", tally.wrong.load())
                          .Dump()
                          .c_str());
  return tally.lost + tally.wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) { return assay::Main(argc, argv); }
