#include "verifiers/redteam/stage.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <random>

#include "core/hash.h"
#include "core/jsonl.h"
#include "core/text.h"

namespace assay::redteam {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPlaceholders[] = {"@FILE@", "@OPEN@",     "@TCP@",    "@TCP6@", "@UDP@",
                                         "@UNIX@", "@ABSTRACT@", "@VICTIM@", "@MARK@"};

std::string RandomWord() {
  std::random_device device;
  return HashBytes128("assay", (uint64_t{device()} << 32) | device()).Hex();
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

// Names, kinds, modes, links and contents of all that lies below, as one text.
std::string Describe(const std::string& folder) {
  std::vector<std::string> lines;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder, error)) {
    struct stat info = {};
    if (lstat(entry.path().c_str(), &info) != 0) continue;
    std::string line =
        StrCat(entry.path().string(), " ", info.st_mode, " ", info.st_uid, " ", info.st_nlink);
    if (S_ISREG(info.st_mode)) {
      Result<std::string> text = ReadFile(entry.path().string(), 1 << 20);
      StrAppend(&line, " ", info.st_size, " ", text.ok() ? *text : "");
    }
    lines.push_back(std::move(line));
  }
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) StrAppend(&all, line, "\n");
  return all;
}

Error Missing(std::string_view what) {
  return Error{ErrorCode::kUnavailable, StrCat(what, ": ", strerror(errno)), ""};
}

// The start of a file of /proc; empty if it cannot be read.
std::string ReadProc(const std::string& pid, const char* name) {
  sandbox::Fd fd(open(StrCat("/proc/", pid, "/", name).c_str(), O_RDONLY | O_CLOEXEC));
  char text[4096];
  ssize_t n = fd.valid() ? read(fd.get(), text, sizeof text) : 0;
  return std::string(text, n > 0 ? static_cast<size_t>(n) : 0);
}

bool ProcessNamed(const std::string& name) {
  DIR* proc = opendir("/proc");
  bool found = false;
  while (dirent* entry = proc == nullptr ? nullptr : readdir(proc)) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    const bool named = Trim(ReadProc(entry->d_name, "comm")) == name;
    found = found || (named && ReadProc(entry->d_name, "stat").find(") Z ") == std::string::npos);
  }
  if (proc != nullptr) closedir(proc);
  return found;
}

// A signal that this process has not acted on yet.
bool HasPendingSignal(pid_t pid) {
  const std::string status = ReadProc(std::to_string(pid), "status");
  for (std::string_view line : SplitChar(status, '\n')) {
    const bool pending = StartsWith(line, "SigPnd:") || StartsWith(line, "ShdPnd:");
    if (pending && line.find_first_of("123456789abcdef", 7) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

const std::string& Loot() {
  static const std::string* word = new std::string("loot" + RandomWord());
  return *word;
}

Stage::~Stage() {
  if (victim_ > 0) {
    kill(victim_, SIGKILL);
    waitpid(victim_, nullptr, 0);
  }
  listeners_.clear();
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

Status Stage::MakeFolder() {
  if (!folder_.empty()) return {};
  char name[] = "/tmp/assay-redteam-XXXXXX";
  if (mkdtemp(name) == nullptr) return Missing("a folder in /tmp");
  folder_ = name;
  const std::string open_folder = folder_ + "/open";
  if (Status written = WriteFileAtomic(folder_ + "/secret.txt", Loot()); !written.ok())
    return written;
  if (mkdir(open_folder.c_str(), 0777) != 0) return Missing("a folder in /tmp");
  if (Status written = WriteFileAtomic(open_folder + "/note.txt", "as it was\n"); !written.ok())
    return written;
  // Whatever our umask is: the attacks shall not be stopped by modes.
  bool opened = chmod(name, 0755) == 0 && chmod((folder_ + "/secret.txt").c_str(), 0644) == 0 &&
                chmod(open_folder.c_str(), 0777) == 0 &&
                chmod((open_folder + "/note.txt").c_str(), 0666) == 0;
  return opened ? Status() : Missing("modes in /tmp");
}

Status Stage::Listen(int family, int type, std::string* name) {
  sandbox::Fd fd(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return Missing("a socket");
  sockaddr_storage storage = {};
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  address->sa_family = static_cast<sa_family_t>(family);
  socklen_t size = sizeof(sockaddr_in);
  if (family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else if (family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_addr = in6addr_loopback;
    size = sizeof(sockaddr_in6);
  } else {
    // An abstract name starts with a zero byte, a path does not.
    auto* local = reinterpret_cast<sockaddr_un*>(address);
    const bool abstract = (*name)[0] != '/';
    memcpy(local->sun_path + (abstract ? 1 : 0), name->data(), name->size());
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name->size() + 1);
  }
  if (bind(fd.get(), address, size) != 0) return Missing("binding a socket");
  if (type == SOCK_STREAM && listen(fd.get(), 8) != 0) return Missing("listening");
  if (family == AF_UNIX && (*name)[0] == '/') chmod(name->c_str(), 0777);
  if (family != AF_UNIX) {
    if (getsockname(fd.get(), address, &size) != 0) return Missing("the port");
    // The port lies at the same place for both families.
    *name = StrCat(static_cast<int64_t>(ntohs(reinterpret_cast<sockaddr_in*>(address)->sin_port)));
  }
  listeners_.push_back(std::move(fd));
  return {};
}

Status Stage::MakeVictim() {
  if (victim_ > 0) return {};
  std::string variable = StrCat("ASSAY_REDTEAM_LOOT=", Loot());
  std::string name = Loot(), seconds = "120";
  char* argv[] = {name.data(), seconds.data(), nullptr};
  char* environment[] = {variable.data(), nullptr};
  if (int code = posix_spawn(&victim_, "/bin/sleep", nullptr, nullptr, argv, environment);
      code != 0) {
    errno = code;
    victim_ = -1;
    return Missing("/bin/sleep");
  }
  return {};
}

Result<std::string> Stage::ValueOf(std::string_view placeholder) {
  static std::atomic<int> serial{0};
  Status made;
  std::string value;
  if (placeholder == "@FILE@" || placeholder == "@OPEN@") {
    made = MakeFolder();
    value = folder_ + (placeholder == "@FILE@" ? "/secret.txt" : "/open");
  } else if (placeholder == "@TCP@") {
    made = Listen(AF_INET, SOCK_STREAM, &value);
  } else if (placeholder == "@TCP6@") {
    made = Listen(AF_INET6, SOCK_STREAM, &value);
  } else if (placeholder == "@UDP@") {
    made = Listen(AF_INET, SOCK_DGRAM, &value);
  } else if (placeholder == "@UNIX@") {
    if (made = MakeFolder(); made.ok()) {
      value = folder_ + "/open/socket";
      made = Listen(AF_UNIX, SOCK_STREAM, &value);
    }
  } else if (placeholder == "@ABSTRACT@") {
    value = StrCat("assay-redteam-", getpid(), "-", serial.fetch_add(1));
    made = Listen(AF_UNIX, SOCK_STREAM, &value);
  } else if (placeholder == "@VICTIM@") {
    made = MakeVictim();
    value = StrCat(static_cast<int64_t>(victim_));
  } else {
    // A process name has at most 15 bytes.
    mark_ = StrCat("rt", getpid() % 100000, "x", serial.fetch_add(1));
    value = mark_;
  }
  if (!made.ok()) return made.error();
  return value;
}

Result<std::string> Stage::Fill(std::string program) {
  for (const char* placeholder : kPlaceholders) {
    if (program.find(placeholder) == std::string::npos) continue;
    std::string& value = values_[placeholder];
    if (value.empty()) {
      Result<std::string> made = ValueOf(placeholder);
      if (!made.ok()) return made.error();
      value = *made;
    }
    program = Replaced(std::move(program), placeholder, value);
  }
  if (!folder_.empty()) before_ = Describe(folder_);
  return program;
}

void Stage::LookOnce(std::set<std::string>* seen) {
  if (!folder_.empty() && Describe(folder_) != before_) seen->insert("touched");
  for (const sandbox::Fd& fd : listeners_) {
    pollfd wait = {fd.get(), POLLIN, 0};
    if (poll(&wait, 1, 0) > 0) seen->insert("connected");
  }
  if (victim_ > 0) {
    int status = 0;
    const bool ended = waitpid(victim_, &status, WNOHANG | WUNTRACED) == victim_;
    // A process that ends takes its moment; the signal is there at once.
    if (ended || HasPendingSignal(victim_)) seen->insert("killed");
    if (ended && !WIFSTOPPED(status)) victim_ = -1;
  }
  if (!mark_.empty() && ProcessNamed(mark_)) seen->insert("leftover");
}

std::set<std::string> Stage::Look(std::string_view expected) {
  constexpr int kLooks = 3, kLooksForExpected = 1000;
  constexpr useconds_t kPauseUs = 5000;
  std::set<std::string> seen;
  const bool may_move = victim_ > 0 || !mark_.empty();
  for (int i = 0;; ++i) {
    LookOnce(&seen);
    const bool found = seen.count(std::string(expected)) > 0;
    const int looks = !expected.empty() ? kLooksForExpected : may_move ? kLooks : 1;
    if (found || i + 1 >= looks) return seen;
    usleep(kPauseUs);
  }
}

}  // namespace assay::redteam
