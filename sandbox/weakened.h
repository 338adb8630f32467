// A sandbox with named layers switched off, so that `assay redteam --twins` and the tests can show that each layer is what
// stops an attack. Nothing else may include this header (a test looks): no option of `score`, `run`, `serve` or a rubric leads
// here, and SandboxConfig cannot say it. Programs that run in one must be our own. As thread-safe as Sandbox.
#pragma once

#include <cstdint>
#include <memory>

#include "core/result.h"
#include "sandbox/sandbox.h"

namespace assay {

// Bits of `without`. A whole tier is switched off by SandboxConfig::isolation = "none", limits by the job's own Limits.
enum WeakLayer : uint32_t {
  kWithoutFilter = 1 << 0,  // system calls: no filter at all
  kWithoutUsers =
      1 << 1,  // boxes keep the zygote's user, and outside of namespaces that one is ours
  kWithoutCapabilities =
      1 << 2,                    // boxes keep the zygote's capabilities (in its own user namespace)
  kWithoutDescriptors = 1 << 3,  // boxes keep what the zygote has open, its control socket too
  kWithoutEnvironment = 1 << 4,  // the worker keeps this process's environment
  kWithoutEnd = 1 << 5,          // processes that a job leaves are not ended
  kWithoutFreshFolder = 1 << 6,  // the writable folder is not emptied between jobs
  kWithoutProc = 1 << 7,         // /proc shows all processes of the worker and may be written
  kWithoutWipe = 1 << 8,         // a job's text stays in the zygote's memory
  kWithoutRlimits = 1 << 9,  // no resource limits of the kernel; what is watched from outside stays
  kWithoutGroups = 1 << 10,  // no control groups, as on most machines without root
};

Result<std::unique_ptr<Sandbox>> CreateWeakened(const SandboxConfig& config, uint32_t without);

}  // namespace assay
