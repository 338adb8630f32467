#include "verifiers/lint/bounded_tool.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/text.h"

namespace assay::lint {
namespace {

Error Unavailable(std::string_view what) {
  return {ErrorCode::kUnavailable, StrCat(what, ": ", strerror(errno)), ""};
}

// A folder that goes with its owner.
class Folder {
 public:
  Folder() {
    const char* base = std::getenv("TMPDIR");
    path_ = StrCat(base != nullptr && *base != '\0' ? base : "/tmp", "/assay-tool-XXXXXX");
    if (mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Actions {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  Actions() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~Actions() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
};

// In a process group of its own; -1 with errno.
pid_t Spawn(const std::vector<std::string>& argv, const std::string& folder, int output_fd) {
  Actions actions;
  posix_spawn_file_actions_addopen(&actions.files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions.files, output_fd, 1);
  posix_spawn_file_actions_addopen(&actions.files, 2, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addchdir_np(&actions.files, folder.c_str());
  posix_spawnattr_setflags(&actions.attributes, POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> words = argv;
  // One thread: what is bounded is small, and others of ours run beside it.
  std::vector<std::string> settings = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8",
                                       "RAYON_NUM_THREADS=1", StrCat("HOME=", folder)};
  std::vector<char*> words_z, settings_z;
  for (std::string& word : words) words_z.push_back(word.data());
  for (std::string& setting : settings) settings_z.push_back(setting.data());
  words_z.push_back(nullptr);
  settings_z.push_back(nullptr);
  pid_t pid = -1;
  errno = posix_spawn(&pid, words_z[0], &actions.files, &actions.attributes, words_z.data(),
                      settings_z.data());
  return errno == 0 ? pid : -1;
}

void Limit(pid_t pid, const ToolLimits& limits) {
  const auto set = [pid](__rlimit_resource what, int64_t value) {
    const rlimit bound{static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
    prlimit(pid, what, &bound, nullptr);
  };
  set(RLIMIT_CPU, limits.cpu_s);
  set(RLIMIT_AS, limits.memory_mib << 20);
  set(RLIMIT_FSIZE, int64_t{1} << 20);
  set(RLIMIT_CORE, 0);
}

// Until the output's end; false where time or room for it ran out.
bool ReadAll(int fd, const ToolLimits& limits, std::string* out) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::milliseconds(limits.wall_ms);
  char buffer[65536];
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) return false;
    pollfd wait{fd, POLLIN, 0};
    const int ready = poll(&wait, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t size = read(fd, buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return size == 0;
    if (out->size() + static_cast<size_t>(size) > limits.output_bytes) return false;
    out->append(buffer, static_cast<size_t>(size));
  }
}

}  // namespace

std::string FindInPath(const std::string& name) {
  const char* path = std::getenv("PATH");
  for (std::string_view folder : SplitChar(path == nullptr ? "" : path, ':')) {
    const std::string file = StrCat(folder, "/", name);
    if (StartsWith(folder, "/") && access(file.c_str(), X_OK) == 0 &&
        std::filesystem::is_regular_file(file))
      return file;
  }
  return "";
}

Result<ToolRun> RunBounded(const std::vector<std::string>& argv, const std::vector<ToolFile>& files,
                           const ToolLimits& limits) {
  const Folder folder;
  if (folder.path().empty()) return Unavailable("making a folder for a tool");
  for (const ToolFile& file : files) {
    std::ofstream stream(folder.path() + "/" + file.name, std::ios::binary);
    stream << file.bytes;
    if (!stream.flush()) return Unavailable(StrCat("writing ", file.name));
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Unavailable("pipe");
  const pid_t pid = Spawn(argv, folder.path(), ends[1]);
  const int failed = errno;
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    errno = failed;
    return Unavailable(argv[0]);
  }
  Limit(pid, limits);
  ToolRun run;
  const bool read_all = ReadAll(ends[0], limits, &run.output);
  close(ends[0]);
  if (!read_all) kill(-pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  run.ended = read_all && WIFEXITED(status);
  if (run.ended) run.exit_code = WEXITSTATUS(status);
  return run;
}

}  // namespace assay::lint
