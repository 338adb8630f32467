#include "sandbox/content_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "core/hash.h"
#include "core/text.h"
#include "sandbox/proto.h"

namespace assay::sandbox {
namespace {

constexpr char kMagic[8] = {'A', 'S', 'S', 'A', 'Y', 'C', '1', '\n'};
constexpr std::string_view kTemporary = ".new-";
constexpr int64_t kTemporaryLivesSeconds = 3600;
constexpr double kKeptByEviction = 0.8;

// What an entry's file begins with; then the key, then the bytes.
struct Header {
  char magic[8];
  uint64_t key_size;
  uint64_t bytes_size;
  uint64_t check_high;
  uint64_t check_low;
};

Hash128 Checksum(std::string_view body) { return HashBytes128(body, 0x61737361792d6363); }

std::string FileName(std::string_view key) { return HashBytes128(key).Hex(); }

bool MakeFolders(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (mkdir(path.substr(0, slash).c_str(), 0700) != 0 && errno != EEXIST) return false;
  }
  return mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
}

bool ReadAll(int fd, size_t size, std::string* out) {
  out->resize(size);
  size_t at = 0;
  while (at < size) {
    ssize_t n = pread(fd, out->data() + at, size - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += static_cast<size_t>(n);
  }
  return true;
}

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

struct FolderEntry {
  std::string name;
  int64_t bytes = 0;
  timespec used = {};
};

// Regular files of a folder; left-over temporary files are removed.
std::vector<FolderEntry> ListEntries(int folder_fd) {
  std::vector<FolderEntry> entries;
  int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* folder = fd >= 0 ? fdopendir(fd) : nullptr;
  if (folder == nullptr) {
    if (fd >= 0) close(fd);
    return entries;
  }
  const time_t now = time(nullptr);
  while (dirent* item = readdir(folder)) {
    struct stat info;
    std::string_view name = item->d_name;
    if (fstatat(folder_fd, item->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode))
      continue;
    if (StartsWith(name, kTemporary)) {
      if (now - info.st_mtim.tv_sec > kTemporaryLivesSeconds) unlinkat(folder_fd, item->d_name, 0);
      continue;
    }
    entries.push_back({std::string(name), info.st_size, info.st_mtim});
  }
  closedir(folder);
  return entries;
}

}  // namespace

Result<std::unique_ptr<ContentCache>> ContentCache::Open(const ContentCacheOptions& options) {
  std::unique_ptr<ContentCache> cache(new ContentCache(options));
  if (!options.folder.empty()) {
    if (Status opened = cache->OpenFolder(); !opened.ok()) return opened.error();
  }
  return cache;
}

ContentCache::~ContentCache() {
  if (folder_fd_ >= 0) close(folder_fd_);
}

// The folder is looked at through the descriptor that is used from then on: what its name means later does not matter.
Status ContentCache::OpenFolder() {
  Error error{ErrorCode::kUnavailable, StrCat("cannot keep a cache in '", options_.folder, "'"),
              ""};
  if (MakeFolders(options_.folder)) {
    folder_fd_ = open(options_.folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }
  struct stat info;
  if (folder_fd_ < 0 || fstat(folder_fd_, &info) != 0) {
    StrAppend(&error.message, ": ", strerror(errno));
    return error;
  }
  if (info.st_uid != geteuid() || (info.st_mode & 077) != 0) {
    error.message += info.st_uid != geteuid() ? ": it belongs to another user"
                                              : ": other users have access to it";
    error.hint = "whoever can write there decides verdicts: name a folder of your own, mode 0700";
    return error;
  }
  for (const FolderEntry& entry : ListEntries(folder_fd_)) folder_bytes_ += entry.bytes;
  return {};
}

std::optional<std::string> ContentCache::Find(std::string_view key) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    std::string text(key);
    if (auto found = young_.find(text); found != young_.end()) {
      ++hits_;
      return found->second;
    }
    if (auto found = old_.find(text); found != old_.end()) {
      ++hits_;
      std::string bytes = std::move(found->second);
      old_.erase(found);
      KeepInMemory(key, bytes);
      return bytes;
    }
  }
  std::optional<std::string> bytes;
  if (folder_fd_ >= 0) bytes = ReadEntry(key);
  ++(bytes ? hits_ : misses_);
  if (bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    KeepInMemory(key, *bytes);
  }
  return bytes;
}

void ContentCache::Keep(std::string_view key, std::string_view bytes) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    KeepInMemory(key, bytes);
  }
  if (folder_fd_ >= 0) WriteEntry(key, bytes);
}

void ContentCache::KeepInMemory(std::string_view key, std::string_view bytes) {
  const int64_t half = options_.memory_bytes / 2;
  const int64_t size = static_cast<int64_t>(key.size() + bytes.size()) + 128;
  if (size > half) return;
  if (young_bytes_ + size > half) {
    old_ = std::move(young_);
    young_ = Entries();
    young_bytes_ = 0;
  }
  if (young_.emplace(key, bytes).second) young_bytes_ += size;
}

std::optional<std::string> ContentCache::ReadEntry(std::string_view key) const {
  Fd fd(openat(folder_fd_, FileName(key).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info;
  if (!fd.valid() || fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  if (info.st_uid != geteuid() || info.st_size < static_cast<off_t>(sizeof(Header)) ||
      info.st_size > options_.folder_bytes) {
    return std::nullopt;
  }
  std::string file;
  if (!ReadAll(fd.get(), static_cast<size_t>(info.st_size), &file)) return std::nullopt;
  Header header;
  memcpy(&header, file.data(), sizeof header);
  std::string_view body = std::string_view(file).substr(sizeof header);
  if (memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.key_size != key.size() ||
      header.key_size > body.size() || header.bytes_size != body.size() - header.key_size ||
      Checksum(body) != Hash128{header.check_high, header.check_low} ||
      body.substr(0, key.size()) != key) {
    return std::nullopt;
  }
  futimens(fd.get(), nullptr);  // used now
  return std::string(body.substr(key.size()));
}

void ContentCache::WriteEntry(std::string_view key, std::string_view bytes) {
  std::string file(sizeof(Header), '\0');
  StrAppend(&file, key, bytes);
  Header header;
  memcpy(header.magic, kMagic, sizeof kMagic);
  header.key_size = key.size();
  header.bytes_size = bytes.size();
  Hash128 check = Checksum(std::string_view(file).substr(sizeof header));
  header.check_high = check.high;
  header.check_low = check.low;
  memcpy(file.data(), &header, sizeof header);
  if (static_cast<int64_t>(file.size()) > options_.folder_bytes / 4) return;
  std::string temporary = StrCat(kTemporary, getpid(), "-", written_.fetch_add(1));
  Fd fd(openat(folder_fd_, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
               0600));
  if (!fd.valid()) return;
  if (!WriteAll(fd.get(), file) ||
      renameat(folder_fd_, temporary.c_str(), folder_fd_, FileName(key).c_str()) != 0) {
    unlinkat(folder_fd_, temporary.c_str(), 0);
    return;
  }
  if (folder_bytes_.fetch_add(static_cast<int64_t>(file.size())) +
          static_cast<int64_t>(file.size()) >
      options_.folder_bytes) {
    Evict();
  }
}

// Other processes write here too: what is there is counted anew.
void ContentCache::Evict() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (folder_bytes_ <= options_.folder_bytes) return;  // another thread has done it
  std::vector<FolderEntry> entries = ListEntries(folder_fd_);
  int64_t total = 0;
  for (const FolderEntry& entry : entries) total += entry.bytes;
  std::sort(entries.begin(), entries.end(), [](const FolderEntry& a, const FolderEntry& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  const double goal = kKeptByEviction * static_cast<double>(options_.folder_bytes);
  for (const FolderEntry& entry : entries) {
    if (static_cast<double>(total) <= goal) break;
    if (unlinkat(folder_fd_, entry.name.c_str(), 0) == 0) total -= entry.bytes;
  }
  folder_bytes_ = total;
}

std::string UserCacheFolder() {
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  if (xdg != nullptr && xdg[0] == '/') return StrCat(xdg, "/assay");
  const char* home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? StrCat(home, "/.cache/assay") : "";
}

}  // namespace assay::sandbox
