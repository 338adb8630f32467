// ContentCache: bytes kept by the whole text of what they were made from, in memory and, where a folder is given, on disk. Both
// are bounded; what is over the bound goes, oldest use first. A key is compared whole and never by its hash alone, so nobody
// who writes part of a key (a candidate's source) can reach another key's entry.
//
// Thread-safe, and several processes may share a folder: entries appear by rename. The folder is its user's own (0700); entries that
// are damaged, foreign or too large read as absent. Failing to write is no error: what is not kept is made again. It is not a
// store: anything may be gone at any time. It knows nothing of what the bytes mean: readers check them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/result.h"

namespace assay::sandbox {

struct ContentCacheOptions {
  int64_t memory_bytes = 64 << 20;
  std::string folder;  // "" = memory only; its parents are made where they are missing
  int64_t folder_bytes = int64_t{1} << 30;
};

class ContentCache {
 public:
  // Errors: kUnavailable, if the folder cannot be made, is another user's, or lets others in.
  static Result<std::unique_ptr<ContentCache>> Open(const ContentCacheOptions& options);
  ~ContentCache();
  ContentCache(const ContentCache&) = delete;
  ContentCache& operator=(const ContentCache&) = delete;

  std::optional<std::string> Find(std::string_view key);
  void Keep(std::string_view key, std::string_view bytes);

  int64_t hits() const { return hits_; }
  int64_t misses() const { return misses_; }

 private:
  explicit ContentCache(const ContentCacheOptions& options) : options_(options) {}
  using Entries = std::unordered_map<std::string, std::string>;

  Status OpenFolder();
  void KeepInMemory(std::string_view key, std::string_view bytes);  // mutex_ held
  std::optional<std::string> ReadEntry(std::string_view key) const;
  void WriteEntry(std::string_view key, std::string_view bytes);
  void Evict();

  const ContentCacheOptions options_;
  std::mutex mutex_;
  // Two generations: a find moves an entry into the young one; when that is full, the old one goes.
  Entries young_;
  Entries old_;
  int64_t young_bytes_ = 0;
  int folder_fd_ = -1;
  std::atomic<int64_t> folder_bytes_{0};
  std::atomic<int64_t> written_{0};
  std::atomic<int64_t> hits_{0};
  std::atomic<int64_t> misses_{0};
};

// $XDG_CACHE_HOME/assay, else ~/.cache/assay; "" if there is neither.
std::string UserCacheFolder();

}  // namespace assay::sandbox
