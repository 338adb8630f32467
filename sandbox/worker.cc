#include "sandbox/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/process.hpp>

#include <cstdlib>

#include "core/text.h"
#include "sandbox/weakened.h"

namespace assay::sandbox {
namespace {

namespace bp = boost::process;

constexpr int kControlFd = 3;
constexpr int kStartMs = 20'000;
constexpr int kEndMs = 3'000;

Error NoWorker(std::string message) {
  return Error{ErrorCode::kUnavailable, std::move(message),
               "run `assay doctor` to see what this machine lacks"};
}

bool IsExecutable(const std::string& path) { return access(path.c_str(), X_OK) == 0; }

bool WaitReadable(int fd, int timeout_ms) {
  pollfd wait = {fd, POLLIN, 0};
  int ready;
  do {
    ready = poll(&wait, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

// The shared library of the Python whose standard library is named ("/opt/x/lib/python3.12"), where it has one. Modules of a standard library
// that are not files of it stand in this one, and in no other build's.
std::string SharedLibraryOf(const std::string& standard_library) {
  const size_t slash = standard_library.rfind('/');
  if (slash == std::string::npos) return "";
  const std::string folder = standard_library.substr(0, slash);
  const std::string name = StrCat("lib", standard_library.substr(slash + 1), ".so.1.0");
  for (const char* place : {"/", "/x86_64-linux-gnu/"}) {
    const std::string path = StrCat(folder, place, name);
    if (access(path.c_str(), R_OK) == 0) return path;
  }
  return "";
}

}  // namespace

Result<std::string> FindJail(const std::string& configured) {
  if (!configured.empty()) {
    if (IsExecutable(configured)) return configured;
    return NoWorker(StrCat("no executable '", configured, "'"));
  }
  if (const char* named = getenv("ASSAY_JAIL"); named != nullptr && named[0] != '\0') {
    if (IsExecutable(named)) return std::string(named);
    return NoWorker(StrCat("ASSAY_JAIL names '", named, "', which is no executable"));
  }
  char self[4096];
  ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
  std::string folder(self, n > 0 ? static_cast<size_t>(n) : 0);
  folder = folder.substr(0, folder.rfind('/'));
  for (const char* place : {"/assay-jail", "/../libexec/assay/assay-jail"}) {
    if (IsExecutable(folder + place)) return folder + place;
  }
  return NoWorker(StrCat("assay-jail is not beside ", folder));
}

Result<std::unique_ptr<Worker>> Worker::Start(const std::string& jail_path,
                                              const WorkerConfig& config) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return NoWorker(StrCat("socketpair: ", strerror(errno)));
  std::unique_ptr<Worker> worker(new Worker);
  worker->socket_ = Fd(pair[0]);
  // dup2 onto itself would keep close-on-exec: the end to pass on lies above the number that it gets.
  Fd low(pair[1]);
  Fd theirs(fcntl(low.get(), F_DUPFD_CLOEXEC, kControlFd + 1));
  try {
    std::error_code code;
    bp::environment environment;
    if ((config.without & kWithoutEnvironment) != 0) {
      for (const auto& entry : boost::this_process::environment())
        environment[entry.get_name()] = entry.to_string();
    }
    // Symbols resolved in each box would dirty its pages; the jail clears all variables when it has started.
    environment["LD_BIND_NOW"] = "1";
    // In the place of the library of that name that the jail was linked with.
    const std::string library = SharedLibraryOf(config.python_library);
    if (!library.empty()) environment["LD_PRELOAD"] = library;
#ifdef __SANITIZE_ADDRESS__
    // A box's bad memory is its own affair: it ends as it would without the sanitizer.
    environment["ASAN_OPTIONS"] = "allocator_may_return_null=1:handle_segv=0:detect_leaks=0";
#endif
    bp::child child(jail_path, "worker", environment, bp::posix::fd.bind(kControlFd, theirs.get()),
                    bp::std_in<bp::null, bp::std_out> bp::null, bp::std_err > bp::null, code);
    if (code) return NoWorker(StrCat("cannot start ", jail_path, ": ", code.message()));
    worker->pid_ = child.id();
    child.detach();
  } catch (const std::exception& error) {
    return NoWorker(StrCat("cannot start ", jail_path, ": ", error.what()));
  }
  low.Reset();
  theirs.Reset();
  Frame frame;
  if (!SendFrame(worker->socket(), FrameType::kConfig, config.Encode()) ||
      !WaitReadable(worker->socket(), kStartMs) || !ReceiveFrame(worker->socket(), &frame) ||
      frame.type != FrameType::kHello || !WorkerHello::Decode(frame.payload, &worker->hello_)) {
    return NoWorker(StrCat(jail_path, " did not start"));
  }
  if (!worker->hello_.error.empty()) return NoWorker(worker->hello_.error);
  return worker;
}

namespace {

// The groups of a worker that was killed before it could remove them.
void RemoveGroups(const WorkerHello& hello) {
  constexpr std::string_view kOn = " control group=on: ";
  for (const std::string& layer : hello.layers) {
    size_t at = layer.find(kOn);
    if (at != std::string::npos) rmdir(layer.substr(at + kOn.size()).c_str());
  }
}

}  // namespace

Worker::~Worker() {
  End();
  RemoveGroups(hello_);
}

void Worker::HangUp() { shutdown(socket_.get(), SHUT_RDWR); }

void Worker::End() {
  socket_.Reset();
  if (pid_ <= 0) return;
  // The end of its socket ends it. One that does not is killed; its zygote and all boxes die with it.
  for (int waited_ms = 0; waited_ms < kEndMs; ++waited_ms) {
    pid_t done = waitpid(pid_, nullptr, WNOHANG);
    if (done == pid_ || (done < 0 && errno != EINTR)) return;
    usleep(1000);
  }
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

}  // namespace assay::sandbox
