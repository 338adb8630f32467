// Cores that quotas of control groups grant, read from folders made here.
#include "core/cores.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace assay {
namespace {

class CoresTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cores-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path whole = root_ + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }
  std::string root_;
};

TEST_F(CoresTest, TheTightestGroupCounts) {
  EXPECT_EQ(QuotaCores(root_, "0::/\n"), 0);
  Write("/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(QuotaCores(root_, "0::/a/b\n"), 0);
  Write("/a/cpu.max", "250000 100000\n");
  EXPECT_EQ(QuotaCores(root_, "0::/a/b\n"), 3);
  Write("/a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(QuotaCores(root_, "0::/a/b\n"), 1);
}

TEST_F(CoresTest, VersionOne) {
  Write("/cpu,cpuacct/x/cpu.cfs_quota_us", "-1\n");
  Write("/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
  const std::string membership = "4:memory:/x\n3:cpu,cpuacct:/x\n";
  EXPECT_EQ(QuotaCores(root_, membership), 0);
  Write("/cpu,cpuacct/x/cpu.cfs_quota_us", "200000\n");
  EXPECT_EQ(QuotaCores(root_, membership), 2);
}

TEST(UsableCores, AtLeastOne) { EXPECT_GE(UsableCores(), 1); }

}  // namespace
}  // namespace assay
