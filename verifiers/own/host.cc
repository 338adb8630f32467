#include "verifiers/own/host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/text.h"

extern char** environ;

namespace assay::own {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kSocketFd = 3;
constexpr int kProgressFd = 4;
constexpr size_t kWordsBytes = 4096;
constexpr int kPollMs = 100;
constexpr size_t kHeaderBytes = 4;

std::string Framed(std::string_view payload) {
  std::string out;
  out.reserve(kHeaderBytes + payload.size());
  for (size_t i = 0; i < kHeaderBytes; ++i)
    out.push_back(static_cast<char>((payload.size() >> (8 * i)) & 0xFF));
  out.append(payload);
  return out;
}

size_t LengthIn(std::string_view header) {
  size_t length = 0;
  for (size_t i = 0; i < kHeaderBytes; ++i)
    length |= static_cast<size_t>(static_cast<unsigned char>(header[i])) << (8 * i);
  return length;
}

// Attributes and file actions of posix_spawn, released together.
struct SpawnPlan {
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

// A process group of its own, so that all of it can be killed; signals as a program expects to find them.
void SetAttributes(posix_spawnattr_t* attributes) {
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(attributes, &none);
  posix_spawnattr_setsigdefault(attributes, &all);
  posix_spawnattr_setpgroup(attributes, 0);
  posix_spawnattr_setflags(attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

struct Ends {
  int ours = -1, theirs = -1;
  ~Ends() {
    if (ours >= 0) close(ours);
    if (theirs >= 0) close(theirs);
  }
};

// Above the numbers that the child gets, so that no dup2 there hits a descriptor that is still needed.
int Raised(int fd) {
  const int high = fcntl(fd, F_DUPFD_CLOEXEC, kProgressFd + 1);
  close(fd);
  return high;
}

}  // namespace

Result<std::unique_ptr<Host>> Host::Start(const std::vector<std::string>& argv) {
  const auto failed = [&](int code) {
    return Error{ErrorCode::kUnavailable, StrCat("cannot start '", argv[0], "': ", strerror(code)),
                 "name a program that is there, by its path or as it stands on PATH"};
  };
  Ends socket, words, progress;
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return failed(errno);
  socket.ours = pair[0];
  socket.theirs = Raised(pair[1]);
  if (pipe2(pair, O_CLOEXEC) != 0) return failed(errno);
  words.ours = pair[0];
  words.theirs = Raised(pair[1]);
  progress.theirs = memfd_create("progress", MFD_CLOEXEC);
  if (progress.theirs < 0 || ftruncate(progress.theirs, sizeof(uint64_t)) != 0)
    return failed(errno);
  progress.theirs = Raised(progress.theirs);
  if (socket.theirs < 0 || words.theirs < 0 || progress.theirs < 0) return failed(errno);
  void* shared = mmap(nullptr, sizeof(uint64_t), PROT_READ, MAP_SHARED, progress.theirs, 0);
  if (shared == MAP_FAILED) return failed(errno);
  std::unique_ptr<Host> host(new Host());
  host->progress_ = static_cast<volatile uint64_t*>(shared);
  fcntl(socket.ours, F_SETFL, O_NONBLOCK);
  fcntl(words.ours, F_SETFL, O_NONBLOCK);

  SpawnPlan plan;
  SetAttributes(&plan.attributes);
  posix_spawn_file_actions_addopen(&plan.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&plan.actions, words.theirs, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&plan.actions, words.theirs, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&plan.actions, socket.theirs, kSocketFd);
  posix_spawn_file_actions_adddup2(&plan.actions, progress.theirs, kProgressFd);
  std::vector<char*> arguments;
  for (const std::string& one : argv) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = -1;
  const int code =
      posix_spawnp(&pid, arguments[0], &plan.actions, &plan.attributes, arguments.data(), environ);
  if (code != 0) return failed(code);
  host->owner_ = getpid();
  host->pid_ = pid;
  host->socket_ = std::exchange(socket.ours, -1);
  host->words_fd_ = std::exchange(words.ours, -1);
  return host;
}

Host::~Host() {
  if (pid_ > 0 && owner_ == getpid()) {
    kill(-pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (socket_ >= 0) close(socket_);
  if (words_fd_ >= 0) close(words_fd_);
  if (progress_ != nullptr) munmap(const_cast<uint64_t*>(progress_), sizeof(uint64_t));
}

uint64_t Host::At() const { return *progress_; }

void Host::ReadWords() {
  char buffer[4096];
  ssize_t got;
  while ((got = read(words_fd_, buffer, sizeof(buffer))) > 0) {
    words_.append(buffer, static_cast<size_t>(got));
    if (words_.size() > 2 * kWordsBytes) words_.erase(0, words_.size() - kWordsBytes);
  }
}

Host::End Host::Ask(std::string_view request, double quiet_s_max,
                    const std::atomic<bool>* interrupted, std::string* answer) {
  if (request.size() > kHostAnswerBytesMax) return End::kDied;
  return Exchange(Framed(request), quiet_s_max, interrupted, answer);
}

Host::End Host::Exchange(std::string_view out, double quiet_s_max,
                         const std::atomic<bool>* interrupted, std::string* answer) {
  const auto patience = std::chrono::duration<double>(quiet_s_max);
  Clock::time_point heard = Clock::now();
  std::string in;
  size_t wanted = kHeaderBytes;
  uint64_t at = At();
  for (;;) {
    if (interrupted != nullptr && interrupted->load()) return End::kInterrupted;
    if (At() != at) {
      at = At();
      heard = Clock::now();
    }
    if (Clock::now() - heard > patience) return End::kTimedOut;
    pollfd polls[2] = {{socket_, static_cast<short>(POLLIN | (out.empty() ? 0 : POLLOUT)), 0},
                       {words_fd_, POLLIN, 0}};
    if (poll(polls, 2, kPollMs) < 0 && errno != EINTR) return End::kDied;
    if ((polls[1].revents & POLLIN) != 0) ReadWords();
    if ((polls[0].revents & POLLOUT) != 0 && !out.empty()) {
      const ssize_t sent = send(socket_, out.data(), out.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) return End::kDied;
      if (sent > 0) out.remove_prefix(static_cast<size_t>(sent));
    }
    if ((polls[0].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    const size_t before = in.size();
    in.resize(wanted);
    const ssize_t got = recv(socket_, in.data() + before, wanted - before, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return End::kDied;
    in.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got > 0) heard = Clock::now();
    if (in.size() < wanted) continue;
    if (wanted > kHeaderBytes) {
      *answer = in.substr(kHeaderBytes);
      return End::kAnswered;
    }
    const size_t length = LengthIn(in);
    if (length == 0 || length > kHostAnswerBytesMax) return End::kDied;
    wanted = kHeaderBytes + length;
  }
}

std::string Host::LastWords() {
  ReadWords();
  std::string how;
  int status = 0;
  // It has closed its socket, or is about to: a moment for it to end by itself.
  for (int waited_ms = 0; pid_ > 0 && waited_ms < 200; waited_ms += 10) {
    const pid_t ended = waitpid(pid_, &status, WNOHANG);
    if (ended == pid_) {
      kill(-pid_, SIGKILL);
      pid_ = -1;
      if (WIFSIGNALED(status))
        how = StrCat("killed by signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")");
      if (WIFEXITED(status)) how = StrCat("exit code ", WEXITSTATUS(status));
      break;
    }
    usleep(10'000);
  }
  ReadWords();
  const std::string_view words = Trim(words_);
  const std::string_view end = words.substr(words.size() - std::min(words.size(), kWordsBytes));
  if (how.empty() || end.empty()) return SanitizeUtf8(how.empty() ? end : std::string_view(how));
  return SanitizeUtf8(StrCat(how, "; its last words: ", end));
}

}  // namespace assay::own
