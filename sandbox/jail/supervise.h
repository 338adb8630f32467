// One box from fork to empty namespace: starts it, watches its limits and the control socket, ends everything, reports.
// Single-threaded; one box at a time. Not the box's own steps (box.h) and not what it runs.
#pragma once

#include <sys/types.h>

#include <functional>

#include "sandbox/jail/box.h"
#include "sandbox/jail/measure.h"
#include "sandbox/proto.h"

namespace assay::jail {

// Where the jobs of one worker may write, empty before each.
class Scratch {
 public:
  explicit Scratch(const World& world) : world_(world) {}
  // Empty and within these limits; false with errno. Cheap when the last job left nothing.
  bool Prepare(const Limits& limits);
  // True if nothing was written there since Prepare (of the tmpfs only).
  bool LeftNothing() const;
  // True if it is full (bytes or files).
  bool IsFull() const;
  // True if more lies there than these limits allow: only where it is no mount of its own, whose limits the kernel keeps.
  bool IsOver(const Limits& limits) const;
  // Of the Landlock tier, made with the folder; -1 in the other.
  int ruleset_fd() const { return ruleset_.get(); }

 private:
  bool PrepareMount(const Limits& limits);
  bool PrepareFolder();
  const World& world_;
  bool mounted_ = false;
  int64_t disk_mib_ = 0;
  int64_t files_ = 0;
  sandbox::Fd ruleset_;
};

// Kills every process of the box (all of the pid namespace; else all of its user's, or all descendants) and reaps until none is left.
// Adds up what they used. `killed`: all of the pid namespace's have been killed already.
struct Reaped {
  double cpu_ms = 0;
  int64_t max_rss_kib = 0;
  int64_t processes = 0;
};
Reaped EndEverything(const World& world, bool killed = false);

class Supervisor {
 public:
  explicit Supervisor(const World& world);
  // Forks; the child enters the box and runs `body`, whose value is its exit code. The child's pid, or -1 with errno.
  pid_t Fork(const BoxSpec& spec, const std::function<int()>& body);
  // From the moment that this child has its job: returns when the namespace is empty, with `report` filled in; false if the
  // control socket closed meanwhile (the zygote should end).
  // `settled`, if any, is called as soon as nothing that the box does can count any more: the tester is done, and all of the
  // box's processes have been killed, though they are not gone yet. The report's figures are then what was seen until then.
  // `own_image`: it becomes another program, and shares no memory with the zygote then.
  bool Attend(pid_t child, const Limits& limits, bool own_image, int control_fd,
              const std::function<void()>& settled, sandbox::RunReport* report);

 private:
  struct State;
  void Watch(const Limits& limits, int control_fd, State* state);
  bool CheckLimits(const Limits& limits, State* state);
  static void CheckWall(const Limits& limits, double wall, double cpu_ms, State* state);
  // False if the box uses more memory than `limit_kib`.
  bool FitsMemory(Sample sample, State* state);
  // All CPU time of the box until now that can be seen.
  double CpuMs(double of_processes, const State& state);
  void Report(const Limits& limits, const State& state, const Reaped& used,
              sandbox::RunReport* report);

  const World& world_;
  BoxProgress* progress_;  // shared with the child until it has entered the box
  int64_t base_rss_kib_;   // pages that a fresh fork shares with the zygote
};

}  // namespace assay::jail
