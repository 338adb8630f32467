// Verdicts and compiled programs that are taken over: when they are, when they must not be, and that no folder can make
// them wrong.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/text.h"
#include "tests/verifiers/code/code_fixture.h"
#include "verifiers/code/verdict_cache.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

class CodeCacheTest : public CodeTest {
 protected:
  void SetUp() override {
    CodeTest::SetUp();
    char name[] = "/tmp/assay-code-cache-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::unique_ptr<Verifier> Make(bool caches, const std::string& folder, Json options = Json()) {
    VerifierEnv env = Env();
    env.cache_verdicts = caches;
    env.cache_folder = folder;
    auto made = MakeCodeVerifier(options, env);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return std::move(made).value();
  }
  static Verdict One(const Verifier& verifier, Json info, const std::string& program) {
    Group group;
    group.problem.verification_info = std::move(info);
    group.samples.push_back({program});
    return verifier.Verify(group, nullptr)[0];
  }
  int64_t Entries() const {
    int64_t count = 0;
    for (const auto& entry : fs::directory_iterator(StrCat(folder_, "/verdicts")))
      count += entry.is_regular_file() ? 1 : 0;
    return count;
  }

  std::string folder_;
};

// Programs that use half a second of CPU, so that the time says whether they ran.
constexpr char kSlow[] =
    "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\n"
    "def f(x): return x * x\n";
constexpr double kRanMs = 400;

Json Squares(const char* asserts = "assert f(3) == 9") {
  return Json::MakeObject().Set("asserts", asserts);
}

TEST_F(CodeCacheTest, EqualProgramsOfEqualTasksAreJudgedOnce) {
  auto verifier = Make(true, "");
  Verdict first = One(*verifier, Squares(), kSlow);
  EXPECT_GT(first.ms, kRanMs);
  Verdict second = One(*verifier, Squares(), kSlow);
  EXPECT_LT(second.ms, kRanMs) << "not judged again, and its time is its own";
  EXPECT_EQ(Show(first), Show(second));
  EXPECT_EQ(first.outcome, Outcome::kPass);
  // Everything that the verdict depends on is in the key.
  EXPECT_EQ(One(*verifier, Squares("assert f(3) == 10"), kSlow).outcome, Outcome::kFail);
  EXPECT_GT(One(*verifier, Squares("assert f(3) == 9 "), kSlow).ms, kRanMs);
  EXPECT_GT(One(*verifier, Squares(), StrCat(kSlow, "#")).ms, kRanMs);
  EXPECT_EQ(
      One(*verifier, Squares().Set("limits", Json::MakeObject().Set("cpu_ms", 100)), kSlow).reason,
      "cpu_limit");
  EXPECT_GT(
      One(*verifier, Squares().Set("allow", Json::MakeArray().Append("subprocess")), kSlow).ms,
      kRanMs);
  EXPECT_GT(One(*Make(true, ""), Squares(), kSlow).ms, kRanMs) << "in memory, of one verifier";
}

TEST_F(CodeCacheTest, OffMeansOff) {
  auto verifier = Make(false, folder_);
  for (int i = 0; i < 2; ++i) EXPECT_GT(One(*verifier, Squares(), kSlow).ms, kRanMs);
  EXPECT_FALSE(fs::exists(StrCat(folder_, "/verdicts")));
}

TEST_F(CodeCacheTest, OnDiskItOutlivesItsVerifier) {
  Verdict first = One(*Make(true, folder_), Squares(), kSlow);
  Verdict second = One(*Make(true, folder_), Squares(), kSlow);
  EXPECT_LT(second.ms, kRanMs);
  EXPECT_EQ(Show(first), Show(second));
  EXPECT_EQ(Entries(), 1);
  EXPECT_GT(One(*Make(true, folder_, Json::MakeObject().Set("partial", true)), Squares(), kSlow).ms,
            kRanMs);
}

// Faults, wall clocks and times are not kept.
TEST_F(CodeCacheTest, WhatMayComeOutOtherwiseIsNotKept) {
  auto verifier = Make(true, folder_);
  Json wall = Json::MakeObject().Set("wall_ms", 600);
  const std::string sleeper = "import time\ndef f(x): time.sleep(9)\n";
  EXPECT_EQ(One(*verifier, Squares().Set("limits", wall), sleeper).reason, "wall_limit");
  EXPECT_EQ(Entries(), 0);
  EXPECT_GT(One(*verifier, Squares().Set("limits", wall), sleeper).ms, 500) << "judged again";
  EXPECT_EQ(One(*verifier, Squares("assert f( =="), "def f(x): pass").outcome, Outcome::kFault);
  EXPECT_EQ(Entries(), 0);
  // One test of several hit the clock.
  Json cases = Json::MakeArray();
  for (const char* input : {"0", "9", "1"})
    cases.Append(Json::MakeObject().Set("input", input).Set("output", "0"));
  Json info = Json::MakeObject().Set("test_cases", std::move(cases)).Set("partial", true);
  info.Set("limits", wall);
  const std::string sometimes = "import time\nx = int(input())\ntime.sleep(x)\nprint(x)";
  EXPECT_EQ(One(*verifier, info, sometimes).outcome, Outcome::kFail);
  EXPECT_EQ(Entries(), 0);
  EXPECT_EQ(One(*verifier, Squares(), "def f(x): return 1").outcome, Outcome::kFail);
  EXPECT_EQ(Entries(), 1);
  const fs::path file = fs::directory_iterator(StrCat(folder_, "/verdicts"))->path();
  std::ifstream in(file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  EXPECT_NE(bytes.find("wrong_answer"), std::string::npos);
  EXPECT_EQ(bytes.find("\"ms\""), std::string::npos);
}

// An entry that says something else than a verdict of the judge is none, sound as its checksum may be.
TEST_F(CodeCacheTest, HostileEntriesAreHarmless) {
  CodeTask task;
  CodeProgram program{"print(1)", 0};
  auto cache = VerdictCache::Open(folder_);
  ASSERT_TRUE(cache.ok());
  const std::string key = (*cache)->TaskKey(task, "machine");
  const std::string entry = StrCat("verdict 1 ", key, " 0\n", program.text);
  auto raw = sandbox::ContentCache::Open({1 << 20, StrCat(folder_, "/verdicts"), 1 << 20});
  ASSERT_TRUE(raw.ok());
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += "[";
  for (const std::string& bytes :
       {std::string(), std::string("{"), std::string("[1]"), deep, std::string(2 << 18, '\0'),
        std::string(R"({"outcome":"fault","score":0,"reason":"x"})"),
        std::string(R"({"outcome":"pass","score":7,"reason":"ok"})"),
        std::string(R"({"outcome":"pass","score":1})"),
        std::string(R"({"outcome":3,"score":"1","reason":[]})")}) {
    (*raw)->Keep(entry, bytes);
    auto again = VerdictCache::Open(folder_);
    ASSERT_TRUE(again.ok());
    EXPECT_FALSE((*again)->Find(key, program)) << bytes.substr(0, 60);
  }
  (*raw)->Keep(entry, R"({"outcome":"pass","score":1.0,"reason":"ok","detail":""})");
  auto again = VerdictCache::Open(folder_);
  EXPECT_TRUE((*again)->Find(key, program)) << "the control: a well-formed entry is read";
}

TEST_F(CodeCacheTest, AFolderThatLetsOthersInIsRefused) {
  fs::create_directory(StrCat(folder_, "/verdicts"));
  fs::permissions(StrCat(folder_, "/verdicts"), fs::perms::all);
  VerifierEnv env = Env();
  env.cache_folder = folder_;
  auto made = MakeCodeVerifier(Json(), env);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(made.error().message.find(folder_), std::string::npos);
}

}  // namespace
}  // namespace assay
