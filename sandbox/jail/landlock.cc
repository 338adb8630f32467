#include "sandbox/jail/landlock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/text.h"

namespace assay::jail {

using sandbox::Fd;

namespace {

// The layout of the newest version we use; older kernels take a prefix of it.
struct RulesetAttr {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};

constexpr uint64_t kExecute = 1 << 0, kReadFile = 1 << 2, kReadDir = 1 << 3, kWriteFile = 1 << 1;
constexpr uint64_t kReadOnly = kExecute | kReadFile | kReadDir;
constexpr uint64_t kFileRights =
    kExecute | kReadFile | kWriteFile | 1 << 14 | 1 << 15;  // what a file, not a folder, may carry

// Every right that this version of the kernel can forbid.
uint64_t HandledFs(int abi) {
  uint64_t bits = 13;
  if (abi >= 2) bits = 14;  // refer
  if (abi >= 3) bits = 15;  // truncate
  if (abi >= 5) bits = 16;  // ioctl on devices
  return (uint64_t{1} << bits) - 1;
}

size_t AttrSize(int abi) { return abi >= 6 ? 24 : abi >= 4 ? 16 : 8; }

bool AddRule(int ruleset, const std::string& path, uint64_t rights) {
  Fd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd.valid()) return errno == ENOENT;
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return false;
  if (!S_ISDIR(info.st_mode)) rights &= kFileRights;
  landlock_path_beneath_attr rule = {};
  rule.allowed_access = rights;
  rule.parent_fd = fd.get();
  return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

}  // namespace

int LandlockAbi() {
  long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

Result<Fd> BuildRuleset(const std::vector<std::string>& read_only, const std::string& scratch) {
  int abi = LandlockAbi();
  RulesetAttr attr = {HandledFs(abi), 3 /* TCP bind, connect */, 3 /* abstract sockets, signals */};
  Fd ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attr, AttrSize(abi), 0)));
  bool ok = ruleset.valid();
  for (const std::string& path : read_only) ok = ok && AddRule(ruleset.get(), path, kReadOnly);
  for (const char* device : {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"}) {
    ok = ok && AddRule(ruleset.get(), device, kReadFile | kWriteFile);
  }
  ok = ok && AddRule(ruleset.get(), scratch, attr.handled_access_fs);
  if (!ok) return Error{ErrorCode::kUnavailable, StrCat("Landlock rules: ", strerror(errno)), ""};
  return ruleset;
}

bool EnterRuleset(int ruleset) { return syscall(SYS_landlock_restrict_self, ruleset, 0) == 0; }

namespace {

// One pass over the names in `folder`: what can be removed is; a folder that is not empty is moved up into `top`, so that no
// depth is ever walked. False if nothing more can be done here.
bool RemoveNames(int folder, int top, int64_t* counter, bool* moved) {
  Fd copy(dup(folder));
  lseek(copy.get(), 0, SEEK_SET);
  DIR* dir = fdopendir(copy.get());
  if (dir == nullptr) return false;
  copy.Release();
  bool ok = true;
  while (dirent* entry = readdir(dir)) {
    const char* name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    if (unlinkat(folder, name, 0) == 0 || unlinkat(folder, name, AT_REMOVEDIR) == 0) continue;
    fchmodat(folder, name, 0700, 0);
    if (unlinkat(folder, name, AT_REMOVEDIR) == 0) continue;
    std::string up = StrCat(".removed-", (*counter)++);
    if (folder == top || renameat(folder, name, top, up.c_str()) != 0) {
      ok = ok && folder == top;
    } else {
      *moved = true;
    }
  }
  closedir(dir);
  return ok;
}

}  // namespace

bool EmptyFolder(const std::string& path) {
  int64_t counter = 0;
  for (int round = 0; round < 1'000'000; ++round) {
    Fd top(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    bool moved = false;
    if (!top.valid() || !RemoveNames(top.get(), top.get(), &counter, &moved)) return false;
    // What is left are folders with something in them: empty each into the top.
    DIR* dir = fdopendir(dup(top.get()));
    if (dir == nullptr) return false;
    rewinddir(dir);
    bool left = false;
    bool ok = true;
    while (dirent* entry = readdir(dir)) {
      if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
      left = true;
      fchmodat(top.get(), entry->d_name, 0700, 0);
      Fd inner(openat(top.get(), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      ok = ok && inner.valid() && RemoveNames(inner.get(), top.get(), &counter, &moved);
    }
    closedir(dir);
    if (!left) return true;
    if (!ok) return false;
  }
  return false;
}

}  // namespace assay::jail
