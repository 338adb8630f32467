// `assay run` as a person uses it: the program's own output, exit codes, the report, the policy.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/text.h"

namespace assay {
namespace {

class RunCommandTest : public testing::Test {
 protected:
  RunCommandTest() {
    char name[] = "/tmp/assay-run-XXXXXX";
    folder_ = mkdtemp(name);
    const char* build = std::getenv("ASSAY_BUILD_DIR");
    assay_ = StrCat(build != nullptr ? build : ".", "/assay");
  }
  ~RunCommandTest() override { std::filesystem::remove_all(folder_); }
  void SetUp() override {
    if (Run("run --show-policy") == 2) GTEST_SKIP() << "no sandbox on this machine: " << err_;
  }

  int Run(const std::string& command) {
    int status = std::system(
        StrCat("cd ", folder_, " && ", assay_, " ", command, " >stdout.txt 2>stderr.txt").c_str());
    out_ = *ReadFile(folder_ + "/stdout.txt");
    err_ = *ReadFile(folder_ + "/stderr.txt");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
  }
  void File(const std::string& name, const std::string& contents) {
    ASSERT_TRUE(WriteFileAtomic(folder_ + "/" + name, contents).ok());
  }

  std::string folder_, assay_, out_, err_;
};

TEST_F(RunCommandTest, StreamsAndExitCode) {
  File("p.py",
       "import sys\nprint(int(input()) + 1, sys.argv[1:])\nprint('to stderr', file=sys.stderr)\n");
  File("in.txt", "41\n");
  EXPECT_EQ(Run("run p.py one two <in.txt"), 0);
  EXPECT_EQ(out_, "42 ['one', 'two']\n");
  EXPECT_EQ(err_, "to stderr\n");
  EXPECT_EQ(Run("run p.py --stdin in.txt </dev/null"), 0);
  File("bad.py", "import sys\nprint('partial')\nsys.exit(7)\n");
  EXPECT_EQ(Run("run bad.py </dev/null"), 1);
  EXPECT_EQ(out_, "partial\n");
  EXPECT_NE(err_.find("nonzero_exit (exit code 7)"), std::string::npos) << err_;
  EXPECT_EQ(Run("run bad.py -o out.txt </dev/null"), 1);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(*ReadFile(folder_ + "/out.txt"), "partial\n");
}

TEST_F(RunCommandTest, ProgramFromStandardInputAndByLanguage) {
  File("p.sh", "echo $((6 * 7))\n");
  EXPECT_EQ(Run("run - --language bash <p.sh"), 0);
  EXPECT_EQ(out_, "42\n");
  EXPECT_EQ(Run("run --language pyhton - </dev/null"), 2);
  EXPECT_EQ(err_, "error: unknown language 'pyhton'\n\nhint: did you mean 'python'?\n");
  EXPECT_EQ(Run("run missing.py </dev/null"), 2);
  EXPECT_NE(err_.find("No such file"), std::string::npos) << err_;
}

TEST_F(RunCommandTest, ReportAndLimits) {
  File("spin.py", "while True: pass\n");
  EXPECT_EQ(Run("run spin.py --cpu-ms 200 --report r.json </dev/null"), 1);
  Result<Json> report = ParseJson(*ReadFile(folder_ + "/r.json"));
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->StringOr("cause", ""), "cpu_limit");
  EXPECT_FALSE(report->StringOr("isolation", "").empty());
  EXPECT_EQ(Run("run spin.py --cpu-ms 200 --output-format json </dev/null"), 1);
  EXPECT_EQ(ParseJson(out_)->StringOr("cause", ""), "cpu_limit");
}

TEST_F(RunCommandTest, PolicyNamesWhatIsAllowed) {
  EXPECT_EQ(Run("run --show-policy"), 0);
  EXPECT_NE(out_.find("read-only: /usr"), std::string::npos) << out_;
  EXPECT_NE(out_.find("writable: "), std::string::npos);
  EXPECT_EQ(out_.find(" io_uring_setup"), std::string::npos);
}

TEST_F(RunCommandTest, APythonThatIsNoneIsRefused) {
  EXPECT_EQ(Run("--python /no/such/python run --show-policy"), 2);
  EXPECT_NE(err_.find("'/no/such/python' is no Python"), std::string::npos) << err_;
}

}  // namespace
}  // namespace assay
