// `assay redteam` as a script sees it: what it prints and how it ends.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "core/json.h"

namespace assay {
namespace {

struct Said {
  int code = -1;
  std::string text;
};

Said Redteam(const std::string& args) {
  const char* build = std::getenv("ASSAY_BUILD_DIR");
  const std::string command =
      std::string(build != nullptr ? build : ".") + "/assay -q -j 1 redteam " + args + " 2>&1";
  Said said;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return said;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) said.text.append(buffer, n);
  said.code = WEXITSTATUS(pclose(pipe));
  return said;
}

bool NoSandbox(const Said& said) { return said.text.find("cannot isolate") != std::string::npos; }

TEST(RedteamCli, SaysWhatWasStopped) {
  Said said = Redteam("--category fake_object --json --twins");
  if (NoSandbox(said)) GTEST_SKIP() << "no sandbox on this machine: " << said.text;
  ASSERT_EQ(said.code, 0) << said.text;
  Result<Json> json = ParseJson(said.text);
  ASSERT_TRUE(json.ok()) << said.text;
  const Json& total = *json->Find("total");
  EXPECT_GE(total.IntOr("attacks", 0), 8);
  EXPECT_EQ(total.IntOr("stopped", -1), total.IntOr("attacks", 0));
  EXPECT_EQ(total.IntOr("twins_bite", -1), total.IntOr("attacks", 0));
  EXPECT_EQ(total.IntOr("breached", -1), 0);
  EXPECT_EQ(json->Find("categories")->AsArray()->size(), 1u);
  EXPECT_EQ(json->Find("results")->AsArray()->size(),
            static_cast<size_t>(total.IntOr("attacks", 0)));
}

TEST(RedteamCli, EndsWithOneWhenSomethingGetsThrough) {
  const std::string file = ::testing::TempDir() + "assay_redteam_corpus.jsonl";
  std::ofstream(file)
      << R"x({"id":"x-1","category":"file_read","language":"python","layers":["tier"],"breach":"says","why":"says so","program":"print('BREACHED')"})x"
      << "\n";
  Said said = Redteam("--corpus " + file);
  if (NoSandbox(said)) GTEST_SKIP() << "no sandbox on this machine: " << said.text;
  EXPECT_EQ(said.code, 1) << said.text;
  EXPECT_NE(said.text.find("BREACHED  x-1"), std::string::npos) << said.text;
  remove(file.c_str());
}

TEST(RedteamCli, NamesWhatCannotRunHere) {
  const std::string file = ::testing::TempDir() + "assay_redteam_other.jsonl";
  std::ofstream(file)
      << R"({"id":"x-1","category":"file_read","language":"fortran","layers":["tier"],"breach":"says","why":"w","program":"p"})"
      << "\n";
  Said said = Redteam("--corpus " + file);
  if (NoSandbox(said)) GTEST_SKIP() << "no sandbox on this machine: " << said.text;
  EXPECT_EQ(said.code, 0) << said.text;
  EXPECT_NE(said.text.find("unavailable here: 1: no language 'fortran'"), std::string::npos)
      << said.text;
  remove(file.c_str());
}

TEST(RedteamCli, RefusesWhatThereIsNot) {
  Said said = Redteam("--category kernel_surfac");
  EXPECT_EQ(said.code, 2);
  EXPECT_NE(said.text.find("did you mean 'kernel_surface'"), std::string::npos) << said.text;
  EXPECT_EQ(Redteam("--only nothing-like-this").code, 2);
  EXPECT_EQ(Redteam("--corpus /no/such/file").code, 2);
}

TEST(RedteamCli, ListsWithoutASandbox) {
  Said said = Redteam("--list --category timing");
  EXPECT_EQ(said.code, 0);
  EXPECT_NE(said.text.find("timing-01"), std::string::npos);
  EXPECT_EQ(said.text.find("daemon-01"), std::string::npos);
}

}  // namespace
}  // namespace assay
