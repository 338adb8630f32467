// The control groups of one worker, version 1 or 2, where this machine lets us make some: memory (a limit), pids (a limit) and CPU
// (a clock that no process can slip out of). The zygote and all of its boxes live in them, so they cost a job nothing; limits are
// set for each job. Made by the worker outside of the namespaces, who removes them; used by the zygote through inherited
// descriptors. Each of the three may be missing: then its part of everything below does nothing. Single-threaded. Not the
// measure of a job's memory (measure.h is, on every machine alike): the net below it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/limits.h"
#include "sandbox/proto.h"

namespace assay::jail {

class ControlGroups {
 public:
  // `self`: where "cgroup" and "mountinfo" of this process are read; another folder than /proc/self for tests only.
  explicit ControlGroups(std::string self = "/proc/self") : self_(std::move(self)) {}

  // Makes `assay-PID` below the caller's own group, in each hierarchy that has one of the three.
  void Create();
  // "name control group=on: FOLDER" or "...=off: why", for each of the three.
  std::vector<std::string> Layers() const;
  bool limits_memory() const { return memory_.limit.valid(); }
  bool Add(pid_t pid);
  void Remove();

  // The rest is the zygote's. For the next job: limits over what the zygote itself holds, and what is counted starts anew. Call it
  // while no box lives. False with errno.
  bool Prepare(const Limits& limits);
  // True if the group took more memory than the job may that no reclaim could give back, or a process was killed for it.
  bool OutOfMemory();
  bool KilledForMemory();
  // True if a fork was refused.
  bool RefusedProcess();
  // CPU time of the group, reaped and unreaped alike, less the caller's own, ms. -1: not known.
  double CpuMs();

 private:
  struct Controller {
    const char* name;
    std::string folder;
    std::string why_not = "not tried";
    bool version_1 = false;
    sandbox::Fd procs;
    sandbox::Fd limit;  // of CPU: the clock
    sandbox::Fd events;
    sandbox::Fd usage;
    sandbox::Fd stat;
  };
  void Make(Controller* controller);
  bool Open(Controller* controller);
  // What no reclaim could give back.
  int64_t ResidentBytes() const;

  std::string self_;
  Controller memory_{.name = "memory"};
  Controller pids_{.name = "pids"};
  Controller cpu_{.name = "cpu"};
  int64_t memory_mib_ = -1;
  int64_t processes_ = -1;
  int64_t base_bytes_ = -1;
  int64_t base_resident_ = 0;
  int64_t hard_bytes_ = 0;
  int64_t kills_ = 0;
  int64_t refusals_ = 0;
};

}  // namespace assay::jail
