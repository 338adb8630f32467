// The memory limit means the same however this machine lets us watch it: with control groups, without (sampling alone), and in the
// Landlock tier. Whoever goes beyond it ends for that and nothing else, be the machine's page cache cold and its cores busy;
// whoever only comes near it does not.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "core/text.h"
#include "sandbox/weakened.h"
#include "tests/sandbox/sandbox_fixture.h"

namespace assay {
namespace {

struct Regime {
  const char* name;
  const char* isolation;
  uint32_t without;
};

void PrintTo(const Regime& regime, std::ostream* out) { *out << regime.name; }

class MemoryTest : public ::testing::TestWithParam<Regime> {
 protected:
  void SetUp() override {
    SandboxConfig config;
    config.jail_path = JailPath();
    config.isolation = GetParam().isolation;
    auto made = CreateWeakened(config, GetParam().without);
    if (!made.ok()) GTEST_SKIP() << "no such sandbox on this machine: " << made.error().message;
    pool_ = std::move(made).value();
  }
  RunResult Run(const std::string& language, const std::string& source, int64_t memory_mib) {
    Job job;
    job.language = language;
    job.source = source;
    job.limits.memory_mib = memory_mib;
    // Time enough on any machine: what is not stopped for its memory is an error here.
    job.limits.wall_ms = 60'000;
    return pool_->Run(job);
  }
  std::unique_ptr<Sandbox> pool_;
};

// A program that must be read from disk again, page by page, is where a limit on memory alone turns into a crawl.
void DropFromPageCache(const char* path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  close(fd);
}

TEST_P(MemoryTest, BombsOfPython) {
  for (const char* bomb :
       {"x = []\nwhile True: x.append(bytearray(1 << 20))",
        "x = []\nwhile True: x.append(b'x' * 5000)",
        // Beyond its limit, and then busy for ever.
        "x = bytearray(b'x') * (150 << 20)\nwhile True: pass", "x = b'x' * (64 << 30)",
        "import os, time\nfor _ in range(8):\n  if os.fork() == 0:\n    x = bytearray(b'x') * (40 "
        "<< 20)\n    time.sleep(50)\n    os._exit(0)\ntime.sleep(50)"}) {
    RunResult result = Run("python", bomb, 128);
    EXPECT_EQ(result.cause, Cause::kMemoryLimit) << bomb << "\n" << Show(result);
  }
}

TEST_P(MemoryTest, BombsOfNode) {
  DropFromPageCache("/usr/bin/node");
  for (const char* bomb :
       {"const a = []; for (;;) a.push(Buffer.alloc(16 << 20, 1))",
        "const a = []; for (;;) a.push(new Array(1e6).fill(1.5))",
        "const a = []; for (let i = 0;; ++i) a.push({i, s: 'x' + i})",
        "let s = 'abc'; const a = []; for (let i = 0;; ++i) a.push((s + i).repeat(1000))"}) {
    RunResult result = Run("javascript", bomb, 256);
    if (result.cause == Cause::kNonzeroExit && result.exit_code == 126)
      GTEST_SKIP() << "node is not installed";
    EXPECT_EQ(result.cause, Cause::kMemoryLimit) << bomb << "\n" << Show(result);
  }
}

TEST_P(MemoryTest, WhoComesNearPasses) {
  RunResult python = Run("python", "x = bytearray(b'x') * (116 << 20)\nprint(len(x))", 128);
  EXPECT_EQ(python.cause, Cause::kOk) << Show(python);
  RunResult refused =
      Run("python", "try: x = bytearray(64 << 30)\nexcept MemoryError: print('too much')\n", 128);
  EXPECT_EQ(refused.stdout_bytes, "too much\n") << Show(refused);
  EXPECT_EQ(refused.cause, Cause::kOk) << Show(refused);
  // Shared by nine processes, it is there once.
  RunResult family = Run("python",
                         "import os\nx = bytearray(b'x') * (60 << 20)\nfor _ in range(8):\n  if "
                         "os.fork() == 0:\n    for i in range(0, len(x), 4096): x[i]\n    "
                         "os._exit(0)\nwhile True:\n  try: os.wait()\n  except OSError: break\n"
                         "print('ok')",
                         128);
  EXPECT_EQ(family.stdout_bytes, "ok\n") << Show(family);
  // Garbage is not memory: it is collected before the limit is met.
  DropFromPageCache("/usr/bin/node");
  for (const char* honest :
       {"let n = 0; for (let i = 0; i < 400; ++i) n += new Array(1e5).fill(i).length;"
        "console.log(n)",
        "const a = []; for (let i = 0; i < 10; ++i) a.push(Buffer.alloc(16 << 20, 1));"
        "console.log(40000000)"}) {
    RunResult node = Run("javascript", honest, 256);
    if (node.cause == Cause::kNonzeroExit && node.exit_code == 126) continue;
    EXPECT_EQ(node.stdout_bytes, "40000000\n") << honest << "\n" << Show(node);
  }
}

// In the tier without mounts that folder is a disk's.
class FolderTest : public MemoryTest {};

TEST_P(FolderTest, TheTemporaryFolderCounts) {
  const std::string fill =
      "f = open('big', 'w+b', 0)\nb = b'x' * (1 << 20)\nfor _ in range(60): f.write(b)\n";
  RunResult both = Run("python", fill + "x = bytearray(b'x') * (90 << 20)\nwhile True: pass", 128);
  EXPECT_EQ(both.cause, Cause::kMemoryLimit) << Show(both);
  // A file that is mapped is there once.
  RunResult mapped = Run("python",
                         fill +
                             "import mmap, time\nm = mmap.mmap(f.fileno(), 0)\n"
                             "for i in range(0, len(m), 4096): m[i]\n"
                             "x = bytearray(b'x') * (40 << 20)\ntime.sleep(0.3)\nprint('ok')",
                         128);
  EXPECT_EQ(mapped.stdout_bytes, "ok\n") << Show(mapped);
}

std::string NameOf(const ::testing::TestParamInfo<Regime>& info) { return info.param.name; }

constexpr Regime kGroups{"groups", "", 0};
constexpr Regime kSampled{"sampled", "", kWithoutGroups};
constexpr Regime kLandlock{"landlock", "landlock", kWithoutGroups};

INSTANTIATE_TEST_SUITE_P(Regimes, MemoryTest, ::testing::Values(kGroups, kSampled, kLandlock),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Regimes, FolderTest, ::testing::Values(kGroups, kSampled), NameOf);

}  // namespace
}  // namespace assay
