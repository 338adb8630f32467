#include "sandbox/jail/affinity.h"

namespace assay::jail {

Affinity::Affinity() { known_ = sched_getaffinity(0, sizeof(all_), &all_) == 0; }

cpu_set_t Affinity::Set() const {
  if (cpu_ < 0) return all_;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(cpu_), &one);
  return one;
}

void Affinity::Stay(int64_t cpu) {
  if (!known_ || cpu == cpu_ || cpu >= CPU_SETSIZE) return;
  cpu_ = cpu;
  Take(0);
}

void Affinity::Take(pid_t pid) const {
  if (!known_) return;
  const cpu_set_t set = Set();
  (void)sched_setaffinity(pid, sizeof(set), &set);
}

}  // namespace assay::jail
