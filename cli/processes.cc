#include "cli/processes.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/text.h"

extern char** environ;

namespace assay {
namespace {

// A port of this machine that nobody listens at; 0 if there is none.
int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  int port = 0;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0)
    port = ntohs(address.sin_port);
  (void)close(fd);
  return port;
}

// What the process of this rank finds in its environment beside what is there.
std::vector<std::string> EnvironmentOf(int rank, int count, int port) {
  std::vector<std::string> all = {StrCat("RANK=", rank), StrCat("LOCAL_RANK=", rank),
                                  StrCat("WORLD_SIZE=", count), "MASTER_ADDR=127.0.0.1",
                                  StrCat("MASTER_PORT=", port)};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('=') + 1);
    const bool ours = std::any_of(all.begin(), all.begin() + 5,
                                  [&](const std::string& set) { return StartsWith(set, name); });
    if (!ours) all.push_back(text);
  }
  return all;
}

std::vector<char*> Pointers(std::vector<std::string>* words) {
  std::vector<char*> pointers;
  for (std::string& word : *words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

void EndAll(const std::vector<pid_t>& children, int signal) {
  for (const pid_t child : children) {
    if (child > 0) kill(child, signal);
  }
}

// The signal that interrupted this process; 0: none yet. A second one means it.
volatile std::sig_atomic_t g_signal = 0;
void OnSignal(int signal) {
  if (g_signal != 0) _exit(kExitInterrupted);
  g_signal = signal;
}

// They poll for it as a single run does. Of Ctrl-C the terminal has told them already, and a second signal would end them at once.
void PassOn(const std::vector<pid_t>& children, int signal) {
  if (signal == SIGTERM || isatty(STDIN_FILENO) == 0) EndAll(children, SIGTERM);
}

}  // namespace

int RunProcesses(Context* context, int count, const std::vector<std::string>& words) {
  const int port = FreePort();
  if (port == 0)
    return Fail(*context, {ErrorCode::kUnavailable, "no port is free for several processes", ""});
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
  std::vector<pid_t> children;
  for (int rank = 0; rank < count; ++rank) {
    std::vector<std::string> argv = words, environment = EnvironmentOf(rank, count, port);
    pid_t child = -1;
    const int code = posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, Pointers(&argv).data(),
                                 Pointers(&environment).data());
    if (code != 0) {
      EndAll(children, SIGKILL);
      return Fail(*context, {ErrorCode::kUnavailable,
                             StrCat("cannot start a process: ", std::strerror(code)), ""});
    }
    children.push_back(child);
  }
  int result = kExitOk, left = count;
  bool told = false;
  while (left > 0) {
    if (g_signal != 0 && !told) {
      told = true;
      PassOn(children, g_signal);
    }
    int status = 0;
    const pid_t ended = waitpid(-1, &status, WNOHANG);
    if (ended == 0) {
      (void)usleep(50000);
      continue;
    }
    if (ended < 0 && errno != EINTR) break;
    const auto found = std::find(children.begin(), children.end(), ended);
    if (found == children.end()) continue;
    *found = 0;
    --left;
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (code == kExitOk || result != kExitOk) continue;
    result = code;
    if (code != kExitInterrupted) EndAll(children, SIGKILL);
  }
  return result;
}

}  // namespace assay
