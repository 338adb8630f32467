#include "datagen/pipeline/command.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/jsonl.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr size_t kTailBytes = 1500;

std::string Tail(const std::string& log, off_t from) {
  Result<std::string> text = ReadFile(log);
  if (!text.ok()) return "";
  std::string said = text->substr(std::min(text->size(), static_cast<size_t>(from)));
  if (said.size() > kTailBytes) said = said.substr(said.size() - kTailBytes);
  return SanitizeUtf8(said);
}

[[noreturn]] void Become(std::vector<char*>& argv, int log) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == 1) _exit(127);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null >= 0) dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  // Threads that spin while they wait stand still on a machine with more work than cores.
  setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/0);
  execv(argv[0], argv.data());
  _exit(127);
}

}  // namespace

Result<CommandResult> RunCommand(const std::vector<std::string>& argv, const std::string& log,
                                 const std::atomic<bool>* interrupted) {
  if (access(argv[0].c_str(), X_OK) != 0)
    return Error{ErrorCode::kUnavailable, StrCat("'", argv[0], "' is not there"),
                 "training is off: build with LibTorch (`make setup build`)"};
  const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0)
    return Error{ErrorCode::kIo, StrCat("cannot write '", log, "': ", std::strerror(errno)), ""};
  const off_t begin = lseek(file, 0, SEEK_END);
  std::vector<std::string> words = argv;
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) Become(pointers, file);
  close(file);
  if (child < 0)
    return Error{ErrorCode::kIo, StrCat("cannot start a process: ", std::strerror(errno)), ""};
  int status = 0;
  bool told = false;
  while (true) {
    const pid_t ended = waitpid(child, &status, told ? 0 : WNOHANG);
    if (ended == child) break;
    if (ended < 0 && errno != EINTR)
      return Error{ErrorCode::kIo, StrCat("lost a process: ", std::strerror(errno)), ""};
    if (!told && interrupted != nullptr && interrupted->load()) {
      kill(child, SIGTERM);
      told = true;
    }
    if (!told) usleep(20000);
  }
  CommandResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.tail = Tail(log, begin);
  return result;
}

}  // namespace assay
