// The stable names of causes and tiers: used by the pool and by the jail.
#include "sandbox/sandbox.h"

namespace assay {

const char* CauseName(Cause cause) {
  switch (cause) {
    case Cause::kOk:
      return "ok";
    case Cause::kNonzeroExit:
      return "nonzero_exit";
    case Cause::kSignal:
      return "signal";
    case Cause::kCpuLimit:
      return "cpu_limit";
    case Cause::kWallLimit:
      return "wall_limit";
    case Cause::kMemoryLimit:
      return "memory_limit";
    case Cause::kProcessLimit:
      return "process_limit";
    case Cause::kOutputLimit:
      return "output_limit";
    case Cause::kDiskLimit:
      return "disk_limit";
    case Cause::kPolicy:
      return "policy";
    case Cause::kCompileError:
      return "compile_error";
    case Cause::kWorkerLost:
      return "worker_lost";
    case Cause::kFault:
      return "fault";
  }
  return "fault";
}

const char* TierName(Tier tier) {
  switch (tier) {
    case Tier::kNone:
      return "none";
    case Tier::kLandlock:
      return "landlock";
    case Tier::kNamespaces:
      return "namespaces";
  }
  return "none";
}

}  // namespace assay
