// The tier below namespaces, asked for by name: Landlock rules, the filter and limits hold; and nothing is left behind.
#include <dirent.h>

#include <cstring>
#include <string>

#include "tests/sandbox/sandbox_fixture.h"

namespace assay {
namespace {

class LandlockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SandboxConfig config;
    config.isolation = "landlock";
    config.jail_path = JailPath();
    auto made = Sandbox::Create(config);
    if (!made.ok()) GTEST_SKIP() << "no Landlock tier on this machine: " << made.error().message;
    pool_ = std::move(made).value();
  }
  RunResult Python(const std::string& source, const Limits& limits = {}) {
    Job job;
    job.source = source;
    job.limits = limits;
    return pool_->Run(job);
  }
  std::unique_ptr<Sandbox> pool_;
};

int BoxFolders() {
  int count = 0;
  DIR* dir = opendir("/tmp");
  while (dirent* entry = readdir(dir)) count += strncmp(entry->d_name, "assay-box-", 10) == 0;
  closedir(dir);
  return count;
}

TEST_F(LandlockTest, IsNamedInEveryResult) {
  RunResult result = Python("print(1)");
  EXPECT_EQ(result.cause, Cause::kOk) << Show(result);
  EXPECT_EQ(result.tier, Tier::kLandlock);
  EXPECT_NE(result.ToJson().Dump().find("\"isolation\":\"landlock\""), std::string::npos);
}

TEST_F(LandlockTest, FilesOutsideOfTheFolderAreOutOfReach) {
  RunResult result = Python(
      "import os\nfor p in ('/etc/passwd', '/proc/self/status', '/proc/1/environ', '/tmp', "
      "'/root', '/home'):\n"
      "  try: os.listdir(p) if os.path.isdir(p) else open(p).close(); print('open', p)\n  except "
      "OSError: pass\n"
      "for p in ('/tmp/x', '/usr/x', '/etc/x', '/dev/shm/x', '/var/tmp/x'):\n  try: open(p, 'w'); "
      "print('write', p)\n  except OSError: pass\n"
      "open('mine', 'w').write('ok')\nprint(open('mine').read())");
  EXPECT_EQ(result.stdout_bytes, "ok\n") << Show(result);
}

TEST_F(LandlockTest, ProcessesOutsideCannotBeSignalled) {
  RunResult result = Python(
      "import os\nfor pid in (os.getppid(), 1):\n  try: os.kill(pid, 0); print('sent')\n  except "
      "OSError: pass\nprint('end')");
  EXPECT_EQ(result.stdout_bytes, "end\n") << Show(result);
}

// Whoever has this user id too, and however many they are: the limit is the box's own.
TEST_F(LandlockTest, ProcessesAreCountedInTheBoxOnly) {
  Limits limits;
  limits.processes = 40;
  RunResult threads = Python(
      "import threading\nb = threading.Barrier(31)\nts = [threading.Thread(target=b.wait) for _ in "
      "range(30)]\nfor t in ts: t.start()\nb.wait()\nfor t in ts: t.join()\nprint('all')",
      limits);
  EXPECT_EQ(threads.stdout_bytes, "all\n") << Show(threads);
  RunResult forks = Python(
      "import os, time\nfor _ in range(70):\n  if os.fork() == 0:\n    time.sleep(20)\n    "
      "os._exit(0)\ntime.sleep(20)",
      limits);
  EXPECT_EQ(forks.cause, Cause::kProcessLimit) << Show(forks);
}

// No mount keeps these: what lies there in the end is counted.
TEST_F(LandlockTest, FilesAreCountedInTheEnd) {
  Limits limits;
  limits.files = 50;
  limits.disk_mib = 4;
  RunResult many =
      Python("import os\nos.mkdir('d')\nfor i in range(60): open(f'd/{i}', 'w')", limits);
  EXPECT_EQ(many.cause, Cause::kDiskLimit) << Show(many);
  RunResult large = Python(
      "for i in range(4):\n  with open(str(i), 'wb') as f: f.write(b'x' * (2 << 20))", limits);
  EXPECT_EQ(large.cause, Cause::kDiskLimit) << Show(large);
  RunResult honest =
      Python("for i in range(40): open(str(i), 'w').write('x')\nprint('ok')", limits);
  EXPECT_EQ(honest.cause, Cause::kOk) << Show(honest);
}

TEST_F(LandlockTest, LimitsHoldAndNothingIsLeft) {
  Limits limits;
  limits.cpu_ms = 2000;
  limits.wall_ms = 30'000;
  limits.processes = 16;
  limits.files = 5000;
  RunResult bomb =
      Python("import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", limits);
  EXPECT_NE(bomb.cause, Cause::kOk) << Show(bomb);
  EXPECT_NE(bomb.cause, Cause::kFault) << Show(bomb);
  RunResult daemon =
      Python("import os, time\nif os.fork() == 0:\n  os.setsid()\n  time.sleep(99)\nprint('gone')",
             limits);
  EXPECT_EQ(daemon.cause, Cause::kOk) << Show(daemon);
  RunResult tower = Python(
      "import os\nfor i in range(2000):\n  os.mkdir('d' * 100)\n  os.chdir('d' * "
      "100)\nos.chmod('.', 0)\nos.mkfifo('/tmp/../' + os.environ['HOME'] + '/f')",
      limits);
  EXPECT_EQ(tower.cause, Cause::kOk) << Show(tower);
  RunResult next = Python("import os\nprint(os.listdir('.'))");
  EXPECT_EQ(next.stdout_bytes, "[]\n") << Show(next);
  int with_pool = BoxFolders();
  pool_.reset();
  EXPECT_EQ(BoxFolders(), with_pool - 1);
}

TEST(Tiers, AnUnknownOneIsAnError) {
  SandboxConfig config;
  config.isolation = "namespace";
  auto made = Sandbox::Create(config);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kUsage);
  EXPECT_NE(made.error().hint.find("namespaces"), std::string::npos);
}

}  // namespace
}  // namespace assay
