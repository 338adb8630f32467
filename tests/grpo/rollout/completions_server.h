// Starts tests/grpo/completions_server.py for a test and kills it afterwards. One thread.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace assay {

// For tests that need the trainer's HTTP client.
inline constexpr bool kHttpClient = ASSAY_HTTP_CLIENT != 0;

class CompletionsServer {
 public:
  CompletionsServer() {
    setenv("no_proxy", "127.0.0.1", 1);
    int out[2];
    if (pipe(out) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(out[1], 1);
      close(out[0]);
      close(out[1]);
      execl("/usr/bin/python3", "python3", ASSAY_COMPLETIONS_SERVER, nullptr);
      _exit(127);
    }
    close(out[1]);
    char c = 0;
    while (read(out[0], &c, 1) == 1 && c != '\n') port_ += c;
    close(out[0]);
  }
  ~CompletionsServer() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  CompletionsServer(const CompletionsServer&) = delete;
  CompletionsServer& operator=(const CompletionsServer&) = delete;

  bool running() const { return !port_.empty(); }
  // The base address under which the server behaves in that way.
  std::string Url(const std::string& way) const {
    return "http://127.0.0.1:" + port_ + "/" + way + "/v1";
  }

 private:
  pid_t pid_ = -1;
  std::string port_;
};

}  // namespace assay
