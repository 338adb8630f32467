// On which CPU the workers of each slot of a pool stay while they judge. A box and its tester speak by turns, so one CPU is as good as
// two, and costs a third less (sandbox/jail/affinity.h). A slot that finds its CPU taken by others goes to another one that none of
// the pool's has, and if it fares no better there, stays ever longer before it moves again: what it moves must find its caches
// anew. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace assay::sandbox {

class Placement {
 public:
  // `cpus`: those that there are. `first`: where slot 0 begins; pools of one machine should not all begin with the same.
  Placement(std::vector<int64_t> cpus, size_t slots, size_t first);
  // Of what this process may run on.
  static Placement OfThisProcess(size_t slots);

  // -1: anywhere. There is no choice with one CPU.
  int64_t CpuOf(size_t slot) const;
  // A job of the slot has ended: how long it took, and how much of that its processes have run.
  void Note(size_t slot, double wall_ms, double cpu_ms);

 private:
  struct Place {
    size_t at = 0;  // index of its CPU
    double waited_ms = 0;
    double worked_ms = 0;
    double patience_ms = 0;  // how much time of jobs it looks at before the next move
  };
  void Move(Place* place);

  std::vector<int64_t> cpus_;
  std::vector<Place> places_;
};

}  // namespace assay::sandbox
