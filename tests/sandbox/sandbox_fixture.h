// One pool for all tests of a program, with the jail of this build. Where the machine lets no jail start, every test is skipped
// by name with the jail's own words.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "sandbox/sandbox.h"

namespace assay {

// The jail of this build; beside the test program where nobody says.
inline std::string JailPath() {
  const char* build = std::getenv("ASSAY_BUILD_DIR");
  return build != nullptr ? std::string(build) + "/assay-jail" : "";
}

class SandboxTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    SandboxConfig config;
    config.slots = 2;
    config.jail_path = JailPath();
    auto made = Sandbox::Create(config);
    if (made.ok()) {
      sandbox_ = std::move(made).value();
    } else {
      why_not_ = made.error().message;
    }
  }
  static void TearDownTestSuite() { sandbox_.reset(); }
  void SetUp() override {
    if (sandbox_ == nullptr) GTEST_SKIP() << "no sandbox on this machine: " << why_not_;
  }

  static RunResult Python(const std::string& source, const Limits& limits = {},
                          const std::string& input = "") {
    Job job;
    job.source = source;
    job.limits = limits;
    job.stdin_bytes = input;
    return sandbox_->Run(job);
  }
  static RunResult In(const std::string& language, const std::string& source,
                      const Limits& limits = {}, const std::string& input = "") {
    Job job;
    job.language = language;
    job.source = source;
    job.limits = limits;
    job.stdin_bytes = input;
    return sandbox_->Run(job);
  }

  static inline std::unique_ptr<Sandbox> sandbox_;
  static inline std::string why_not_;
};

// For messages of failed assertions.
inline std::string Show(const RunResult& result) { return result.ToJson().Dump(); }

}  // namespace assay
