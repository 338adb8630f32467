// grpo_parity on the golden file passes; with a sign of the loss flipped it fails.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace {

std::string Env(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : fallback;
}

std::string GoldenFile() {
  const std::string root = Env("ASSAY_SOURCE_DIR", ".");
  return Env("ASSAY_DATA", root + "/../shared/data") + "/golden_grpo.json";
}

int RunParity(const std::string& program) {
  const std::string command =
      Env("ASSAY_BUILD_DIR", ".") + "/" + program + " '" + GoldenFile() + "' > /dev/null 2>&1";
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(GrpoParity, GoldenFilePasses) {
  if (!std::filesystem::exists(GoldenFile())) GTEST_SKIP() << "missing: " << GoldenFile();
  EXPECT_EQ(RunParity("grpo_parity"), 0);
}

TEST(GrpoParity, FlippedSignFails) {
  if (!std::filesystem::exists(GoldenFile())) GTEST_SKIP() << "missing: " << GoldenFile();
  EXPECT_EQ(RunParity("grpo_parity_mutant"), 1);
}

TEST(GrpoParity, UnusableFileIsAUsageError) {
  const std::string command =
      Env("ASSAY_BUILD_DIR", ".") + "/grpo_parity /nonexistent.json > /dev/null 2>&1";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 2);
}

}  // namespace
