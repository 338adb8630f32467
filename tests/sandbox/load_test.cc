// A machine that is busy with other things: what others keep from running is run again alone and is never the program's failure;
// what a program brings upon itself is.
#include <thread>

#include "core/text.h"
#include "tests/sandbox/sandbox_fixture.h"

namespace assay {
namespace {

constexpr char kHalfASecond[] =
    "import time\nstart = time.process_time()\nwhile time.process_time() - start < 0.5: pass\n"
    "print(42)\n";

class LoadTest : public ::testing::Test {
 protected:
  // A pool with many more slots than there are cores.
  static std::unique_ptr<Sandbox> Crowd() {
    SandboxConfig config;
    config.slots = 16;
    config.jail_path = JailPath();
    auto made = Sandbox::Create(config);
    return made.ok() ? std::move(made).value() : nullptr;
  }
};

// Sixteen at once of half a second each, with two seconds of wall clock: on two cores none would end in time beside the others.
TEST_F(LoadTest, RightProgramsPassBesideEachOther) {
  std::unique_ptr<Sandbox> sandbox = Crowd();
  if (sandbox == nullptr) GTEST_SKIP() << "cannot isolate";
  std::vector<RunResult> results(16);
  std::vector<std::thread> threads;
  for (RunResult& result : results) {
    threads.emplace_back([&sandbox, &result] {
      Job job;
      job.source = kHalfASecond;
      job.limits.cpu_ms = 1500;
      job.limits.wall_ms = 2000;
      result = sandbox->Run(job);
    });
  }
  for (std::thread& thread : threads) thread.join();
  int right = 0;
  for (const RunResult& result : results) {
    // On a machine that others starve as well it may be a fault; it is never the program's.
    EXPECT_TRUE(result.ok() || result.cause == Cause::kFault) << CauseName(result.cause);
    right += result.ok() && result.stdout_bytes == "42\n" ? 1 : 0;
  }
  EXPECT_GE(right, 12);
}

TEST_F(LoadTest, WhatAProgramDoesToItselfIsItsOwn) {
  std::unique_ptr<Sandbox> sandbox = Crowd();
  if (sandbox == nullptr) GTEST_SKIP() << "cannot isolate";
  const std::string spinners =
      "import os, time\nfor _ in range(20):\n    if os.fork() == 0:\n        while True: pass\n";
  for (const std::string& program :
       {spinners + "while True: pass\n", spinners + "time.sleep(9)\n",
        std::string("import os\nos.nice(19)\nimport time\ntime.sleep(9)\n")}) {
    Job job;
    job.source = program;
    job.limits.cpu_ms = 60'000;
    job.limits.wall_ms = 1000;
    EXPECT_EQ(sandbox->Run(job).cause, Cause::kWallLimit) << program;
  }
}

}  // namespace
}  // namespace assay
