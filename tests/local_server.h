// Starts a Python script that prints its port and serves until it is killed, for a test, and kills it afterwards. One thread.
#pragma once

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace assay {

class LocalServer {
 public:
  explicit LocalServer(const std::string& script) {
    setenv("no_proxy", "127.0.0.1", 1);
    int out[2];
    if (pipe(out) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(out[1], 1);
      close(out[0]);
      close(out[1]);
      execl("/usr/bin/python3", "python3", script.c_str(), nullptr);
      _exit(127);
    }
    close(out[1]);
    char c = 0;
    while (read(out[0], &c, 1) == 1 && c != '\n') port_ += c;
    close(out[0]);
  }
  ~LocalServer() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

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
