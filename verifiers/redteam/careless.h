// Judges as they are often written, each without one of the layers that ours has: what an attack on a judge fools once that layer
// is gone. For the red team's twins only; their verdicts mean nothing. Thread-safe as the sandbox is.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"
#include "sandbox/sandbox.h"

namespace assay::redteam {

// What a function task asks, as asserts: one line a case.
std::string Asserts(const Json& tests);
// The same as a HumanEval-style `def check(candidate)`.
std::string CheckFunction(const Json& tests);

struct CarelessJob {
  std::string judge;
  std::string language;
  std::string program;
  Json tests;  // Attack::tests
  Limits limits;
  std::vector<std::string> allow;
};

bool IsCarelessJudge(std::string_view name);
// True if that judge would have let it pass.
bool CarelessPass(const CarelessJob& job, Sandbox* sandbox);

}  // namespace assay::redteam
