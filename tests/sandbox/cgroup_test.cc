// Control groups against a folder that stands for the kernel's: what is written where, and how its files are read, in both
// versions and in every part that a machine may grant or refuse.
#include "sandbox/jail/cgroup.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "core/text.h"

namespace assay::jail {
namespace {

namespace fs = std::filesystem;

class CgroupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/assay-cgroup-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    fs::create_directories(root_ + "/self");
  }
  void TearDown() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path) << text;
  }
  std::string Read(const std::string& path) {
    std::ifstream in(root_ + "/" + path);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  static std::string Own() { return StrCat("assay-", static_cast<int64_t>(getpid())); }

  // A kernel with version 2 only: what it makes in a new group.
  void Version2(bool memory, bool pids) {
    Write("self/cgroup", "0::/user.slice/one.scope\n");
    Write("self/mountinfo",
          StrCat("25 1 0:22 / ", root_, "/cg rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"));
    const std::string place = "cg/user.slice/one.scope/";
    Write(place + "cgroup.subtree_control", "");
    group_ = place + Own() + "/";
    Write(group_ + "cgroup.procs", "");
    Write(group_ + "cpu.stat", "usage_usec 5000000\nuser_usec 4000000\nsystem_usec 1000000\n");
    if (memory) {
      Write(group_ + "memory.max", "max");
      Write(group_ + "memory.swap.max", "max");
      Write(group_ + "memory.current", "10000000");
      Events(0, 0);
      Stat(8 << 20, 0, 1 << 20);
    }
    if (pids) {
      Write(group_ + "pids.max", "max");
      Write(group_ + "pids.events", "max 3\n");
    }
  }
  void Events(int hits, int kills) {
    Write(group_ + "memory.events",
          StrCat("low 0\nhigh 0\nmax ", hits, "\noom 0\noom_kill ", kills, "\n"));
  }
  void Stat(int64_t anon, int64_t shmem, int64_t file) {
    Write(group_ + "memory.stat", StrCat("anon ", anon, "\nfile ", file + shmem, "\nshmem ", shmem,
                                         "\nanon_thp 0\ninactive_file ", file / 2, "\nactive_file ",
                                         file - file / 2, "\n"));
  }

  std::string root_;
  std::string group_;
  Limits limits_;
};

TEST_F(CgroupTest, Version2LimitsWhatItHas) {
  Version2(true, true);
  ControlGroups groups(root_ + "/self");
  groups.Create();
  for (const std::string& layer : groups.Layers())
    EXPECT_NE(layer.find("=on: " + root_ + "/cg/user.slice/one.scope/assay-"), std::string::npos)
        << layer;
  EXPECT_TRUE(groups.limits_memory());
  EXPECT_EQ(Read(group_ + "memory.swap.max").substr(0, 1), "0");
  ASSERT_TRUE(groups.Add(4321));
  EXPECT_EQ(Read(group_ + "cgroup.procs"), "4321");
  limits_.memory_mib = 256;
  limits_.processes = 64;
  ASSERT_TRUE(groups.Prepare(limits_));
  // Beside the zygote's own, and with room for what the kernel can take back.
  EXPECT_EQ(atoll(Read(group_ + "memory.max").c_str()),
            (int64_t{256 + 64 + 32} << 20) + 10'000'000);
  EXPECT_EQ(Read(group_ + "pids.max").substr(0, 2), "65");
}

TEST_F(CgroupTest, OutOfMemoryIsWhatCannotBeTakenBack) {
  Version2(true, false);
  ControlGroups groups(root_ + "/self");
  groups.Create();
  limits_.memory_mib = 256;
  ASSERT_TRUE(groups.Prepare(limits_));
  EXPECT_FALSE(groups.OutOfMemory());
  // Full of the pages of files, and its limit hit many times: nobody is out of memory.
  Write(group_ + "memory.current", StrCat((int64_t{352} << 20) + 10'000'000));
  Stat(int64_t{200} << 20, 0, int64_t{150} << 20);
  Events(5000, 0);
  EXPECT_FALSE(groups.OutOfMemory());
  Stat(int64_t{270} << 20, 0, int64_t{80} << 20);
  EXPECT_TRUE(groups.OutOfMemory());
  // Its files in memory count, and so does what the kernel holds for it.
  Stat(int64_t{200} << 20, int64_t{70} << 20, int64_t{80} << 20);
  EXPECT_TRUE(groups.OutOfMemory());
  Stat(int64_t{100} << 20, 0, int64_t{1} << 20);
  EXPECT_TRUE(groups.OutOfMemory());
  Write(group_ + "memory.current", "12000000");
  Stat(9 << 20, 0, 1 << 20);
  EXPECT_FALSE(groups.OutOfMemory());
  Events(5000, 1);
  EXPECT_TRUE(groups.KilledForMemory());
  EXPECT_TRUE(groups.OutOfMemory());
  // The next job is not blamed for it.
  ASSERT_TRUE(groups.Prepare(limits_));
  EXPECT_FALSE(groups.KilledForMemory());
}

TEST_F(CgroupTest, RefusedForksAndTheClock) {
  Version2(false, true);
  ControlGroups groups(root_ + "/self");
  groups.Create();
  EXPECT_FALSE(groups.limits_memory());
  EXPECT_FALSE(groups.OutOfMemory());
  ASSERT_TRUE(groups.Prepare(limits_));
  EXPECT_FALSE(groups.RefusedProcess()) << "those before this job do not count";
  Write(group_ + "pids.events", "max 4\n");
  EXPECT_TRUE(groups.RefusedProcess());
  const double before = groups.CpuMs();
  EXPECT_GT(before, 4000);
  EXPECT_LE(before, 5000);
  Write(group_ + "cpu.stat", "usage_usec 7000000\n");
  EXPECT_NEAR(groups.CpuMs() - before, 2000, 100);
}

TEST_F(CgroupTest, WhatIsNotDelegatedIsOff) {
  Version2(false, false);
  ControlGroups groups(root_ + "/self");
  groups.Create();
  const std::vector<std::string> layers = groups.Layers();
  ASSERT_EQ(layers.size(), 3u);
  EXPECT_NE(layers[0].find("memory control group=off: the controller is not delegated"),
            std::string::npos)
      << layers[0];
  EXPECT_NE(layers[1].find("pids control group=off"), std::string::npos) << layers[1];
  EXPECT_NE(layers[2].find("cpu control group=on"), std::string::npos) << layers[2];
  EXPECT_TRUE(groups.Prepare(limits_));
  EXPECT_TRUE(groups.Add(1));
  EXPECT_EQ(Read(group_ + "cgroup.procs"), "1");
}

TEST_F(CgroupTest, NoneAtAll) {
  Write("self/cgroup", "");
  Write("self/mountinfo", "25 1 0:22 / / rw - ext4 /dev/x rw\n");
  ControlGroups groups(root_ + "/self");
  groups.Create();
  for (const std::string& layer : groups.Layers())
    EXPECT_NE(layer.find("=off: no control groups"), std::string::npos) << layer;
  EXPECT_TRUE(groups.Prepare(limits_));
  EXPECT_TRUE(groups.Add(1));
  EXPECT_EQ(groups.CpuMs(), -1);
  EXPECT_FALSE(groups.RefusedProcess());
  groups.Remove();
}

TEST_F(CgroupTest, Version1HasAHierarchyForEach) {
  Write("self/cgroup", "5:memory:/job\n4:cpu,cpuacct:/\n3:pids:/a:b\n0::/\n");
  Write("self/mountinfo", StrCat("30 1 0:30 / ", root_, "/m rw shared:7 - cgroup none rw,memory\n",
                                 "31 1 0:31 / ", root_, "/c rw - cgroup none rw,cpu,cpuacct\n",
                                 "32 1 0:32 / ", root_, "/p rw - cgroup none rw,pids\n"));
  const std::string memory = "m/job/" + Own() + "/", cpu = "c/" + Own() + "/",
                    pids = "p/a:b/" + Own() + "/";
  for (const std::string& folder : {memory, cpu, pids}) Write(folder + "cgroup.procs", "");
  Write(memory + "memory.limit_in_bytes", "9223372036854771712");
  Write(memory + "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n");
  Write(memory + "memory.usage_in_bytes", "5000000\n");
  Write(memory + "memory.stat", "cache 5\nrss 4000000\nrss_huge 9999999999\nshmem 0\n");
  Write(cpu + "cpuacct.usage", "3000000000\n");
  Write(pids + "pids.max", "max\n");
  Write(pids + "pids.events", "max 0\n");
  ControlGroups groups(root_ + "/self");
  groups.Create();
  for (const std::string& layer : groups.Layers())
    EXPECT_NE(layer.find("=on: "), std::string::npos) << layer;
  ASSERT_TRUE(groups.Add(77));
  for (const std::string& folder : {memory, cpu, pids})
    EXPECT_EQ(Read(folder + "cgroup.procs"), "77");
  ASSERT_TRUE(groups.Prepare(limits_));
  EXPECT_FALSE(groups.KilledForMemory());
  Write(memory + "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 8\n");
  EXPECT_TRUE(groups.KilledForMemory());
  Write(memory + "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n");
  Write(memory + "memory.usage_in_bytes", "800000000\n");
  Write(memory + "memory.stat", "cache 5\nrss 700000000\nrss_huge 1\nshmem 0\n");
  EXPECT_TRUE(groups.OutOfMemory());
  EXPECT_NEAR(groups.CpuMs(), 3000, 200);
}

}  // namespace
}  // namespace assay::jail
