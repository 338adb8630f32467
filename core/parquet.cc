#include "core/parquet.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "core/byte_source.h"
#include "core/jsonl.h"
#include "core/text.h"

extern char** environ;

namespace assay {
namespace {

constexpr int kExitNoPyarrow = 3;

std::string ProgramPath() {
  if (const char* path = std::getenv("ASSAY_PARQUET"); path != nullptr && *path != '\0')
    return path;
  std::error_code ignored;
  return (std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "assay-parquet")
      .string();
}

std::string Interpreter() {
  const char* python = std::getenv("ASSAY_PYARROW");
  return python != nullptr && *python != '\0' ? python : "python3";
}

Error Missing(const std::string& what) {
  return {ErrorCode::kUnavailable, StrCat("Parquet needs pyarrow: ", what),
          "python3 -m pip install pyarrow, or ASSAY_PYARROW=/path/to/a/python that has it"};
}

// Starts the program; its standard output is `out_fd` unless that is -1.
Result<pid_t> Start(const std::vector<std::string>& arguments, int out_fd) {
  const std::string program = ProgramPath();
  if (::access(program.c_str(), R_OK) != 0) return Missing(StrCat("no program at '", program, "'"));
  std::vector<std::string> words = {Interpreter(), program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (out_fd >= 0) posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  pid_t pid = -1;
  const int code = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) return Missing(StrCat("cannot run '", words[0], "'"));
  return pid;
}

Status Wait(pid_t pid, const std::string& path) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFEXITED(status) && WEXITSTATUS(status) == kExitNoPyarrow)
    return Missing(StrCat("'", Interpreter(), "' does not have it"));
  return Error{ErrorCode::kInput, StrCat("'", path, "' cannot be read or written as Parquet"),
               "what pyarrow says of it stands above"};
}

}  // namespace

Result<std::unique_ptr<ParquetLines>> ParquetLines::Open(const std::string& path) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return IoError("cannot make a pipe for", path, errno);
  std::unique_ptr<ParquetLines> lines(new ParquetLines());
  lines->path_ = path;
  lines->fd_ = ends[0];
  Result<pid_t> pid = Start({"read", path}, ends[1]);
  ::close(ends[1]);
  if (!pid.ok()) return pid.error();
  lines->pid_ = *pid;
  return lines;
}

ParquetLines::~ParquetLines() {
  if (fd_ >= 0) ::close(fd_);
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  (void)Wait(pid_, path_);
}

Status ParquetLines::Finish() {
  const pid_t pid = pid_;
  pid_ = -1;
  return pid < 0 ? Status() : Wait(pid, path_);
}

Status WriteParquet(const std::string& lines_path, const std::string& path,
                    const std::string& schema_json) {
  const std::string schema_path = StrCat(lines_path, ".schema");
  if (Status status = WriteFileAtomic(schema_path, schema_json); !status.ok()) return status;
  Result<pid_t> pid = Start({"write", lines_path, path, schema_path}, -1);
  Status status = pid.ok() ? Wait(*pid, path) : Status(pid.error());
  ::unlink(schema_path.c_str());
  return status;
}

}  // namespace assay
