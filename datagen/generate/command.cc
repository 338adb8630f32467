// A generator that is a command of the user's: JSON lines to its standard input, JSON lines from its standard output.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "core/rng.h"
#include "core/rows/group_json.h"
#include "core/rows/messages.h"
#include "core/text.h"
#include "datagen/generate/generator.h"
#include "datagen/generate/rate_limit.h"

extern char** environ;

namespace assay {
namespace {

constexpr size_t kAnswerBytesMost = size_t{256} << 20;
constexpr int kPollMs = 100;

class Command : public Generator {
 public:
  Command(const GeneratorOptions& options, std::shared_ptr<RateLimit> limit)
      : options_(options), limit_(std::move(limit)) {}
  ~Command() override { Stop(); }

  Status Start() {
    int to[2], from[2];
    // A socket, not a pipe: writing to a command that is gone is an error then, not a signal.
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, to) != 0)
      return Failed("cannot be given a pipe");
    if (pipe2(from, O_CLOEXEC) != 0) {
      ::close(to[0]);
      ::close(to[1]);
      return Failed("cannot be given a pipe");
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    // A group of its own, so that all that the shell starts ends with it.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    std::string shell = "/bin/sh", option = "-c", command = options_.command;
    char* argv[] = {shell.data(), option.data(), command.data(), nullptr};
    const int code = posix_spawn(&pid_, argv[0], &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    ::close(to[0]);
    ::close(from[1]);
    in_ = to[1];
    out_ = from[0];
    if (code == 0) return {};
    pid_ = -1;
    return Error{ErrorCode::kUnavailable, StrCat("cannot run the command: ", std::strerror(code)),
                 ""};
  }

  // A command that ends is started again, and asked again as often as `retries` says; so is one that does not answer in time, for what it
  // would say later would be taken for the next problem's.
  Result<Generated> Generate(const Problem& problem, uint64_t place) override {
    for (int64_t tried = 0;; ++tried) {
      if (!limit_->Wait(options_.cancelled))
        return Error{ErrorCode::kUnavailable, "interrupted", ""};
      if (pid_ <= 0) {
        if (Status status = Start(); !status.ok()) return status.error();
      }
      broken_ = false;
      Result<Generated> answer = Ask(problem, place);
      if (!broken_) return answer;
      Stop();
      const bool interrupted = options_.cancelled != nullptr && *options_.cancelled;
      if (answer.ok() || interrupted || late_ || tried >= options_.retries) return answer;
    }
  }

 private:
  void Stop() {
    if (in_ >= 0) ::close(in_);
    if (out_ >= 0) ::close(out_);
    in_ = out_ = -1;
    held_.clear();
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }

  Result<Generated> Ask(const Problem& problem, uint64_t place) {
    late_ = false;
    Json request =
        Json()
            .Set("id", problem.id)
            .Set("prompt",
                 problem.messages.empty() ? Json(problem.prompt) : MessagesToJson(problem.messages))
            .Set("n", options_.samples)
            .Set("seed", static_cast<int64_t>(Rng(options_.seed, "generate", place).Next() >> 33));
    if (Status status = Write(request.Dump() + "\n"); !status.ok()) return status.error();
    Result<std::string> line = ReadLine();
    if (!line.ok()) return line.error();
    Result<Json> answer = ParseJson(*line);
    if (!answer.ok() || answer->Find("completions") == nullptr)
      return Failed(StrCat("answered no completions: ", Shorten(*line, 200)));
    Json row = Json().Set("completions", *answer->Find("completions"));
    for (const char* key : {"finish_reasons", "model"}) {
      if (const Json* value = answer->Find(key)) row.Set(key, *value);
    }
    Result<Group> group = GroupFromJson(row);
    if (!group.ok()) return group.error();
    Generated out;
    out.samples = std::move(group->samples);
    for (Sample& sample : out.samples) {
      if (sample.model.empty()) sample.model = options_.model;
    }
    out.completion_tokens = answer->IntOr("completion_tokens", 0);
    out.prompt_tokens = answer->IntOr("prompt_tokens", 0);
    return out;
  }

  static Error Failed(std::string what) {
    return {ErrorCode::kInput, StrCat("the command ", what),
            "it reads JSON lines {id, prompt, n, seed} and answers each with a line {completions}"};
  }

  // What it says from now on is no answer to what it is asked.
  Error Broken(std::string what) {
    broken_ = true;
    return Failed(std::move(what));
  }

  Status Write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::send(in_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return Broken("does not read its input");
      text.remove_prefix(static_cast<size_t>(count));
    }
    return {};
  }

  Result<std::string> ReadLine() {
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::duration<double>(options_.timeout_s);
    for (;;) {
      const size_t newline = held_.find('\n');
      if (newline != std::string::npos) {
        std::string line = held_.substr(0, newline);
        held_.erase(0, newline + 1);
        return line;
      }
      if (options_.cancelled != nullptr && *options_.cancelled)
        return Error{ErrorCode::kUnavailable, "interrupted", ""};
      late_ = std::chrono::steady_clock::now() > end;
      if (late_) return Broken("did not answer in time");
      if (held_.size() > kAnswerBytesMost) return Broken("answers a line that does not end");
      pollfd wait{out_, POLLIN, 0};
      if (poll(&wait, 1, kPollMs) <= 0) continue;
      char piece[65536];
      const ssize_t count = ::read(out_, piece, sizeof(piece));
      if (count == 0) return Broken("ended");
      if (count > 0) held_.append(piece, static_cast<size_t>(count));
    }
  }

  const GeneratorOptions options_;
  const std::shared_ptr<RateLimit> limit_;
  pid_t pid_ = -1;
  int in_ = -1, out_ = -1;
  std::string held_;
  bool broken_ = false, late_ = false;
};

}  // namespace

Result<std::unique_ptr<Generator>> MakeCommandGenerator(const GeneratorOptions& options,
                                                        std::shared_ptr<RateLimit> limit) {
  auto command = std::make_unique<Command>(options, std::move(limit));
  if (Status status = command->Start(); !status.ok()) return status.error();
  return std::unique_ptr<Generator>(std::move(command));
}

}  // namespace assay
