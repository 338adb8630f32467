#include "verifiers/redteam/layers.h"

#include "sandbox/weakened.h"

namespace assay::redteam {
namespace {

constexpr Layer kLayers[] = {
    {"filter", HowOff::kWeak, kWithoutFilter, "the system call filter"},
    {"users", HowOff::kWeak, kWithoutUsers, "a user of its own for each box"},
    {"capabilities", HowOff::kWeak, kWithoutCapabilities, "no capabilities in the box"},
    {"descriptors", HowOff::kWeak, kWithoutDescriptors, "exactly three descriptors"},
    {"environment", HowOff::kWeak, kWithoutEnvironment, "a clean environment"},
    {"end", HowOff::kWeak, kWithoutEnd, "all processes of a job end with it"},
    {"fresh_folder", HowOff::kWeak, kWithoutFreshFolder, "an empty folder for each job"},
    {"proc", HowOff::kWeak, kWithoutProc, "a read-only /proc of one's own processes"},
    {"wipe", HowOff::kWeak, kWithoutWipe, "a job's text is wiped after it"},
    {"rlimits", HowOff::kWeak, kWithoutRlimits, "the kernel's resource limits"},
    {"tier", HowOff::kTier, 0, "namespaces, or Landlock in their place"},
    {"limit", HowOff::kLimit, 0, "the job's limits"},
    {"no_exec", HowOff::kAllow, 0, "no other programs"},
    {"tests_apart", HowOff::kJudge, 0, "tests in another process, values crossing as plain data"},
    {"verdict_channel", HowOff::kJudge, 0, "the verdict leaves by a channel of the tester's own"},
    {"tests_outside", HowOff::kJudge, 0, "no test and no expected value in the box"},
    {"all_tests", HowOff::kJudge, 0, "every test is asked"},
    {"comparison", HowOff::kJudge, 0, "whole outputs are compared, line by line, byte by byte"},
    {"exit_status", HowOff::kJudge, 0, "the program's exit status counts"},
};

}  // namespace

const Layer* FindLayer(std::string_view name) {
  for (const Layer& layer : kLayers) {
    if (name == layer.name) return &layer;
  }
  return nullptr;
}

}  // namespace assay::redteam
