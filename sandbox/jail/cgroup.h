// A memory control group for one worker, version 1 or 2, where this machine lets us make one. The zygote and all of its boxes live
// in it, so it costs a job nothing; the limit is set for each job. Made by the worker outside of the namespaces, who removes
// it; used by the zygote through inherited descriptors. Single-threaded.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "sandbox/proto.h"

namespace assay::jail {

class MemoryGroup {
 public:
  // Makes the group `assay-PID` below the caller's own. On failure `why_not()` says why, and everything else does nothing.
  void Create();
  bool on() const { return limit_.valid(); }
  const std::string& why_not() const { return why_not_; }
  const std::string& folder() const { return folder_; }
  bool Add(pid_t pid);
  void Remove();

  // In the zygote. The limit of the next job, over what the zygote itself holds.
  bool SetLimit(int64_t memory_mib);
  // True if a process of the group was killed for memory since the last call.
  bool KilledForMemory();

 private:
  bool Open(bool version_1);
  int64_t ReadKills();

  std::string folder_;
  std::string why_not_ = "not tried";
  sandbox::Fd procs_;
  sandbox::Fd limit_;
  sandbox::Fd events_;
  sandbox::Fd usage_;
  int64_t memory_mib_ = -1;
  int64_t base_bytes_ = -1;
  int64_t kills_ = 0;
};

}  // namespace assay::jail
