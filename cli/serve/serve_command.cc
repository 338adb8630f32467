// assay serve: verdicts, rewards and runs over HTTP. Several processes may stand behind one port: the first process starts them, before
// it has any thread, and starts them again when they end.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "cli/command.h"
#include "cli/serve/server.h"
#include "core/cores.h"
#include "core/jsonl.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr int kProcessesMost = static_cast<int>(kProcessesMax);

// Of all requests that are read or worked on; twice as much before one that is being read is cut off.
constexpr int64_t kBodiesBytes = int64_t{256} << 20;

struct ServeFlags {
  std::string listen = "127.0.0.1:8080";
  std::string token_file;
  std::string verifiers, rubric;
  int processes = 1;
  int64_t queue = 1024;
  int64_t body_mib = 64;
  HttpServerConfig http;
  ServeBounds bounds;
};

// "127.0.0.1:8080", "[::1]:8080", ":8080" (loopback).
Status ReadListen(const std::string& text, HttpServerConfig* http) {
  const Error bad = {ErrorCode::kUsage, StrCat("'", text, "' is no address and port"),
                     "for example 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080"};
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return bad;
  std::string address = text.substr(0, colon);
  if (address.empty() || address == "localhost") address = "127.0.0.1";
  if (StartsWith(address, "[") && EndsWith(address, "]"))
    address = address.substr(1, address.size() - 2);
  const std::string port = text.substr(colon + 1);
  int number = 0;
  for (char c : port) {
    if (c < '0' || c > '9' || number > 65535) return bad;
    number = number * 10 + (c - '0');
  }
  if (port.empty() || number > 65535 || !IsAddress(address)) return bad;
  http->address = address;
  http->port = static_cast<uint16_t>(number);
  return {};
}

// The token stands in a file or in the environment: other users of the machine can read a command line.
Result<std::string> ReadToken(const ServeFlags& flags) {
  if (!flags.token_file.empty()) {
    const Result<std::string> text = ReadFile(flags.token_file, 4096);
    if (!text.ok()) return text.error();
    const std::string token(Trim(*text));
    if (token.empty())
      return Error{ErrorCode::kUsage, StrCat("'", flags.token_file, "' is empty"),
                   "write a token into it: head -c 24 /dev/urandom | base64"};
    return token;
  }
  const char* token = std::getenv("ASSAY_TOKEN");
  return std::string(token != nullptr ? token : "");
}

Result<RubricSpec> DefaultRubric(const ServeFlags& flags) {
  if (!flags.verifiers.empty() && !flags.rubric.empty())
    return Error{ErrorCode::kUsage, "--verifier and --rubric are both given", "use one of them"};
  if (!flags.rubric.empty()) {
    const Result<std::string> text = ReadFile(flags.rubric, size_t{1} << 20);
    if (!text.ok()) return text.error();
    return RubricFromToml(*text, flags.rubric);
  }
  if (flags.verifiers.empty()) return RubricSpec();
  return RubricFromNames(flags.verifiers);
}

struct Prepared {
  ServerConfig server;
  RubricSpec rubric;
  ServeBounds bounds;
  ServeMetrics* metrics = nullptr;
};

Result<Prepared> Prepare(Context* context, const ServeFlags& flags) {
  Prepared prepared;
  prepared.server.http = flags.http;
  if (Status status = ReadListen(flags.listen, &prepared.server.http); !status.ok())
    return status.error();
  Result<std::string> token = ReadToken(flags);
  if (!token.ok()) return token.error();
  prepared.server.token = *token;
  if (token->empty() && !IsLoopback(prepared.server.http.address)) {
    return Error{ErrorCode::kUsage,
                 StrCat("anybody could run programs here: ", prepared.server.http.address,
                        " is open to other machines, and there is no token"),
                 "give --token-file FILE (or ASSAY_TOKEN), or listen on 127.0.0.1"};
  }
  Result<RubricSpec> rubric = DefaultRubric(flags);
  if (!rubric.ok()) return rubric.error();
  prepared.rubric = *rubric;
  prepared.bounds = flags.bounds;
  prepared.server.http.body_bytes_max = flags.body_mib << 20;
  // Parsed, a body takes some times as much.
  prepared.server.http.bodies_bytes_max = std::max<int64_t>(kBodiesBytes, flags.body_mib << 21);
  prepared.server.waiting_max = flags.queue;
  prepared.server.threads = context->global.Jobs();
  prepared.metrics = NewServeMetrics();
  return prepared;
}

std::function<void(const std::string&)> RequestLog(const Context& context) {
  if (!context.global.verbose) return nullptr;
  auto mutex = std::make_shared<std::mutex>();
  return [mutex](const std::string& line) {
    std::lock_guard<std::mutex> lock(*mutex);
    std::fprintf(stderr, "%s\n", line.c_str());
  };
}

std::string Url(const ServerConfig& server, uint16_t port) {
  const bool six = server.http.address.find(':') != std::string::npos;
  return StrCat("http://", six ? "[" : "", server.http.address, six ? "]" : "", ":", port);
}

// One process, from its sandbox to its end.
int ServeHere(Context* context, const Prepared& prepared, bool say) {
  const VerifierEnv env = context->MakeEnv();
  const Result<Sandbox*> sandbox = env.open_sandbox();
  if (!sandbox.ok()) return Fail(*context, sandbox.error());
  ServeContext serve(env, *sandbox, prepared.bounds, prepared.metrics, Version());
  serve.SetDefaultRubric(prepared.rubric);
  if (const auto rubric = serve.RubricFor(prepared.rubric); !rubric.ok())
    return Fail(*context, rubric.error());
  ServerConfig config = prepared.server;
  config.log = RequestLog(*context);
  Result<std::unique_ptr<Server>> server = Server::Make(config, serve);
  if (!server.ok()) return Fail(*context, server.error());
  if (say) {
    Note(*context, StrCat("listening on ", Url(config, (*server)->port()), " (", config.threads,
                          " at once, isolation ", TierName((*sandbox)->tier()),
                          config.token.empty() ? "" : ", token asked for", ")"));
  }
  (*server)->Run([context] { return context->interrupted.load(); },
                 [context] { context->CancelSandbox(); });
  if (say) Note(*context, "stopped");
  return kExitOk;
}

// The processes behind one port, as the first one sees them.
class Family {
 public:
  Family(Context* context, Prepared prepared, int processes)
      : context_(context), prepared_(std::move(prepared)), children_(processes, -1) {}

  // In the first process: until all are gone. In a child: its exit code, with *child set.
  int Run(bool* child);

 private:
  // Starts the process `place`; true in the child.
  bool Start(size_t place);
  void Collect();
  bool Restart(bool* child);
  void Stop();

  Context* context_;
  Prepared prepared_;
  std::vector<pid_t> children_;
  int failed_ = 0;  // a child could not begin: its exit code
  std::chrono::steady_clock::time_point last_start_;
};

bool Family::Start(size_t place) {
  const pid_t parent = getpid();
  last_start_ = std::chrono::steady_clock::now();
  const pid_t pid = fork();
  if (pid != 0) {
    children_[place] = pid;
    return false;
  }
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(kExitInterrupted);
  prepared_.server.process = place;
  return true;
}

void Family::Collect() {
  int status = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    for (pid_t& child : children_) {
      if (child == pid) child = -1;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) != kExitOk) failed_ = WEXITSTATUS(status);
  }
}

// A process that was killed is started again, not more than one a second.
bool Family::Restart(bool* child) {
  const auto since = std::chrono::steady_clock::now() - last_start_;
  if (since < std::chrono::seconds(1)) return false;
  for (size_t place = 0; place < children_.size(); ++place) {
    if (children_[place] != -1) continue;
    prepared_.metrics->restarts.fetch_add(1);
    Warn(*context_, StrCat("server process ", place, " ended and is started again"));
    return *child = Start(place);
  }
  return false;
}

void Family::Stop() {
  for (const pid_t child : children_) {
    if (child > 0) kill(child, SIGTERM);
  }
  while (std::any_of(children_.begin(), children_.end(), [](pid_t pid) { return pid > 0; })) {
    Collect();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

int Family::Run(bool* child) {
  for (size_t place = 0; place < children_.size(); ++place) {
    if ((*child = Start(place))) return ServeHere(context_, prepared_, place == 0);
  }
  while (!context_->interrupted && failed_ == 0) {
    Collect();
    if (!context_->interrupted && failed_ == 0 && Restart(child))
      return ServeHere(context_, prepared_, false);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  Stop();
  return failed_;
}

int RunServe(Context* context, const ServeFlags& flags) {
  context->polls_interrupted = true;
  // Programs also wait for things: with a thread a core, two that sleep would keep everybody out.
  if (context->global.jobs == 0) context->global.jobs = 2 * UsableCores();
  Result<Prepared> prepared = Prepare(context, flags);
  if (!prepared.ok()) return Fail(*context, prepared.error());
  if (flags.processes == 1) return ServeHere(context, *prepared, true);
  context->global.jobs = (context->global.jobs + flags.processes - 1) / flags.processes;
  prepared->server.threads = context->global.jobs;
  prepared->server.http.share_port = true;
  // Keeps the port for the processes, and says which it is; connections only come where somebody accepts them.
  const Result<uint16_t> port = ReservePort(prepared->server.http);
  if (!port.ok()) return Fail(*context, port.error());
  prepared->server.http.port = *port;
  bool child = false;
  Family family(context, *prepared, flags.processes);
  return family.Run(&child);
}

template <typename T>
void AddBound(CLI::App* command, const char* name, T* value, T lowest, T highest,
              const char* help) {
  command->add_option(name, *value, help)
      ->capture_default_str()
      ->check(CLI::Range(lowest, highest));
}

}  // namespace

void AddServeCommand(CLI::App* app, Context* context) {
  auto flags = std::make_shared<ServeFlags>();
  CLI::App* command = app->add_subcommand(
      "serve",
      "Verdicts, rewards and runs over HTTP, also for clients of SandboxFusion, Piston and others");
  command
      ->add_option("--listen", flags->listen,
                   "Address and port (port 0: a free one); one that other machines reach needs a "
                   "token")
      ->capture_default_str()
      ->type_name("ADDRESS:PORT");
  command
      ->add_option("--token-file", flags->token_file,
                   "File with the bearer token that requests must carry (or ASSAY_TOKEN)")
      ->type_name("FILE");
  command
      ->add_option("--verifier", flags->verifiers,
                   "What rows are scored with where a request names nothing: a,b (each weighs 1)")
      ->type_name("NAMES");
  command->add_option("--rubric", flags->rubric, "The same by a TOML file")->type_name("FILE");
  AddBound(command, "--processes", &flags->processes, 1, kProcessesMost,
           "Processes behind the port; they share -j");
  AddBound<int64_t>(command, "--queue", &flags->queue, 1, 1'000'000,
                    "Requests that may wait, in each process; more get 503 and Retry-After");
  AddBound<int64_t>(command, "--max-body-mib", &flags->body_mib, 1, 1024, "Size of a request");
  AddBound(command, "--max-run-seconds", &flags->bounds.run_seconds_max, 0.1, 86400.0,
           "The most that a request may ask for");
  AddBound<int64_t>(command, "--max-memory-mib", &flags->bounds.memory_mib_max, 16, 1 << 20,
                    "The most that a request may ask for, and what it gets if it asks for none");
  AddBound<int64_t>(command, "--output-bytes", &flags->bounds.output_bytes, 1024, 1 << 28,
                    "Of one program, stdout and stderr together");
  AddBound<int64_t>(command, "--connections", &flags->http.connections_max, 1, 1'000'000,
                    "Connections in each process; idle ones give way");
  AddBound(command, "--read-seconds", &flags->http.header_seconds, 0.1, 3600.0,
           "For a request's header, and between two pieces of its body");
  AddBound(command, "--idle-seconds", &flags->http.idle_seconds, 0.1, 86400.0,
           "A connection may be idle");
  AddBound(command, "--grace-seconds", &flags->http.grace_seconds, 0.0, 86400.0,
           "For what runs, on SIGTERM");
  command->callback([context, flags] {
    flags->http.stall_seconds = flags->http.header_seconds;
    context->run = [context, flags] { return RunServe(context, *flags); };
  });
}

}  // namespace assay
