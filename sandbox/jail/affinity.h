// Which CPU a zygote and what it forks from now on run on. A box and its tester speak by turns: on one CPU they find what the other
// has just written in its cache, and a fork finds what it copies. Single-threaded.
#pragma once

#include <sched.h>

#include <cstdint>

namespace assay::jail {

class Affinity {
 public:
  Affinity();  // notes what this process may run on
  // cpu -1: any of those. One that there is not any more changes nothing.
  void Stay(int64_t cpu);
  // A process that was forked before goes there too.
  void Take(pid_t pid) const;
  int64_t cpu() const { return cpu_; }

 private:
  cpu_set_t Set() const;

  cpu_set_t all_;
  bool known_ = false;
  int64_t cpu_ = -1;
};

}  // namespace assay::jail
