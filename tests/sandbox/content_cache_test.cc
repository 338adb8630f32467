// Bytes come back for exactly the key that they were kept by; whatever is done to the folder reads as absent.
#include "sandbox/content_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "core/hash.h"
#include "core/text.h"

namespace assay::sandbox {
namespace {

namespace fs = std::filesystem;

class ContentCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/assay-cache-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string Folder() const { return StrCat(root_, "/deep/cache"); }
  std::unique_ptr<ContentCache> Make(int64_t memory = 1 << 20, int64_t disk = 1 << 20) const {
    auto made = ContentCache::Open({memory, Folder(), disk});
    EXPECT_TRUE(made.ok()) << made.error().message;
    return std::move(made).value();
  }
  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(Folder())) files.push_back(entry.path());
    return files;
  }

  std::string root_;
};

TEST_F(ContentCacheTest, KeepsInMemoryAndOnDisk) {
  std::string bytes("\0\x01 binary \xff", 11);
  {
    auto cache = Make();
    EXPECT_FALSE(cache->Find("k"));
    cache->Keep("k", bytes);
    EXPECT_EQ(cache->Find("k"), bytes);
    EXPECT_FALSE(cache->Find("k "));
    EXPECT_EQ(cache->hits(), 1);
    EXPECT_EQ(cache->misses(), 2);
  }
  EXPECT_EQ(Make()->Find("k"), bytes) << "another process's";
  auto memory_only = ContentCache::Open({});
  ASSERT_TRUE(memory_only.ok());
  EXPECT_FALSE((*memory_only)->Find("k"));
}

TEST_F(ContentCacheTest, FolderIsItsUsersOwn) {
  Make();
  struct stat info;
  ASSERT_EQ(stat(Folder().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  Make()->Keep("k", "v");
  ASSERT_EQ(Files().size(), 1U);
  ASSERT_EQ(stat(Files()[0].c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  ASSERT_EQ(chmod(Folder().c_str(), 0777), 0);
  EXPECT_FALSE(ContentCache::Open({1 << 20, Folder(), 1 << 20}).ok()) << "anybody may write";
  fs::create_directory_symlink(root_, StrCat(root_, "/link"));
  EXPECT_FALSE(ContentCache::Open({1 << 20, StrCat(root_, "/link"), 1 << 20}).ok());
  std::ofstream(StrCat(root_, "/file")) << "x";
  EXPECT_FALSE(ContentCache::Open({1 << 20, StrCat(root_, "/file"), 1 << 20}).ok());
  if (geteuid() == 0) {
    ASSERT_EQ(chmod(Folder().c_str(), 0700), 0);
    ASSERT_EQ(chown(Folder().c_str(), 12345, 12345), 0);
    EXPECT_FALSE(ContentCache::Open({1 << 20, Folder(), 1 << 20}).ok()) << "another user's";
  }
}

// Every byte of an entry flipped, every length cut: absent, never wrong.
TEST_F(ContentCacheTest, DamagedEntriesAreAbsent) {
  Make()->Keep("the key", "the value");
  ASSERT_EQ(Files().size(), 1U);
  const fs::path path = Files()[0];
  std::ifstream in(path, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  auto write = [&](const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  };
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x20);
    write(damaged);
    EXPECT_FALSE(Make()->Find("the key")) << "byte " << i;
    write(whole.substr(0, i));
    EXPECT_FALSE(Make()->Find("the key")) << "cut at " << i;
  }
  write(whole + "x");
  EXPECT_FALSE(Make()->Find("the key"));
  fs::remove(path);
  fs::create_symlink("/dev/zero", path);
  EXPECT_FALSE(Make()->Find("the key"));
  fs::remove(path);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(Make()->Find("the key"));
  fs::remove(path);
  write(whole);
  EXPECT_EQ(Make()->Find("the key"), "the value") << "the control";
}

// An entry whose name is another key's hash is not that key's.
TEST_F(ContentCacheTest, TheNameAloneMeansNothing) {
  Make()->Keep("mine", "1");
  const fs::path path = Files()[0];
  fs::rename(path, StrCat(Folder(), "/", HashBytes128("another").Hex()));
  EXPECT_FALSE(Make()->Find("another"));
  EXPECT_FALSE(Make()->Find("mine"));
}

TEST_F(ContentCacheTest, BothBoundsHold) {
  auto cache = Make(20'000, 20'000);
  const std::string value(1000, 'v');
  for (int i = 0; i < 200; ++i) {
    cache->Keep(StrCat("key ", i), value);
    if (i >= 5) EXPECT_TRUE(cache->Find("key 5")) << "used all the time, after " << i;
  }
  EXPECT_TRUE(cache->Find("key 199"));
  int64_t total = 0;
  for (const fs::path& file : Files()) total += static_cast<int64_t>(fs::file_size(file));
  EXPECT_LE(total, 20'000 + 1200);
  EXPECT_GE(Files().size(), 8U);
  EXPECT_FALSE(cache->Find("key 50"));
  cache->Keep("huge", std::string(50'000, 'x'));
  EXPECT_FALSE(cache->Find("huge"));
}

TEST_F(ContentCacheTest, ManyThreadsAndProcessesMayShareAFolder) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      auto cache = Make(4'000, 40'000);
      for (int i = 0; i < 300; ++i) {
        std::string key = StrCat("k", (i * 7 + t) % 50);
        if (auto found = cache->Find(key)) EXPECT_EQ(*found, key + key);
        cache->Keep(key, key + key);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const fs::path& file : Files())
    EXPECT_EQ(file.filename().string().find(".new-"), std::string::npos);
}

}  // namespace
}  // namespace assay::sandbox
