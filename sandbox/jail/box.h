// EnterBox: the last steps between a fresh fork of a zygote and untrusted code. Runs in the child only, allocates nothing,
// and either succeeds wholly or ends the process. The theory of operation is at the top of box.cc. Not the place where
// limits are watched: zygote.cc does that from outside.
#pragma once

#include "sandbox/jail/seccomp.h"
#include "sandbox/jail/world.h"
#include "sandbox/limits.h"

namespace assay::jail {

inline constexpr int kChannelFd =
    3;  // where a harness finds its channel, or the box the tester's requests
inline constexpr int kAnswerFd = 4;  // where the box writes its answers

struct BoxSpec {
  const World* world = nullptr;
  const Limits* limits = nullptr;
  const Program* filter = nullptr;
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  int channel_fd = -1;      // becomes kChannelFd; -1: none
  int ruleset_fd = -1;      // Landlock; -1: mounts hold the box
  bool trusted = false;     // a tester: stays unreadable for other processes
  int answer_fd = -1;       // becomes kAnswerFd; -1: none
  int64_t other_tasks = 0;  // of its user, beside the box: the kernel counts them all together
};

// Shared between a zygote and its child while the child enters the box: which step it is at, and errno when it failed.
struct BoxProgress {
  int step;
  int error;
  bool entered;
};

// The name of a step, for the report of a failure.
const char* BoxStepName(int step);

inline constexpr int kBoxFailedExit = 125;

void EnterBox(const BoxSpec& spec, BoxProgress* progress);

}  // namespace assay::jail
