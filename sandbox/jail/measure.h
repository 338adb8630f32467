// What the processes of a box are using, read from outside: a /proc of the pid namespace, and process CPU clocks. Single-threaded. Figures are samples; exact ends (rusage, clocks) are added by the zygote.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace assay::jail {

struct Sample {
  double cpu_ms = 0;            // of all living processes, with what they have reaped
  int64_t memory_kib = 0;       // resident; of several processes, proportional where asked
  int64_t shared_file_kib = 0;  // of it, pages of files in memory (a tmpfs); only where asked
  int64_t processes = 0;
  int64_t tasks = 0;  // processes and threads
  // Where proportional figures were asked: no process came or went meanwhile. Else what left one process was counted again with
  // another, and the sum is too large.
  bool steady = true;
};

// CPU time of one process (0: the caller), precise; 0 when it is gone.
double ProcessCpuMs(pid_t pid);
// The folder that all of the following read: /proc, unless another descriptor is given. -1: there is none.
void SetProcFolder(int fd);
// True: the folder shows a pid namespace of which the caller is pid 1. False: it shows the whole machine, and the box is what
// descends from the caller (a child subreaper). Default: false.
void SetOwnPids(bool own);
// All processes of the box. `proportional` shares the pages that several processes have among them (slower).
Sample MeasureAll(bool proportional);
// Processes and threads of a user on the whole machine.
int64_t TasksOfUser(uid_t user);
// SIGKILL to every descendant of the caller, once.
void KillDescendants();
// The caller becomes the first to be killed when memory runs out; needs SetProcFolder. False with errno.
bool BecomeOomVictim();
// Resident memory of one process, KiB; the caller's own with pid 0.
int64_t ResidentKib(pid_t pid);
// How long the process's first thread ran, and how long the scheduler kept it waiting while it could have run, ms.
struct RunTimes {
  double cpu_ms = 0;
  double delay_ms = 0;
};
RunTimes ReadRunTimes(pid_t pid);
// How long others than the box's own processes kept the box from running, as far as looks from time to time can tell: what whoever of
// them waited longest had to wait, less what others of the box ran meanwhile, behind what had been waited when it came.
class WaitMeter {
 public:
  explicit WaitMeter(double start_ms) : start_ms_(start_ms), looked_ms_(start_ms) {}
  // Looks at all processes of the box. `cpu_ms`: what the box has used until now. The sum so far, ms.
  double Look(double cpu_ms);

 private:
  struct Process {
    pid_t pid = 0;
    double cpu_before_ms = 0;     // of the box, when it came
    double waited_before_ms = 0;  // likewise
  };
  std::vector<Process> processes_;  // at the last look
  double start_ms_, looked_ms_;
  double cpu_ms_ = 0;
  double waited_ms_ = 0;  // what the scheduler has put down
  double waits_ms_ = 0;   // what it has not: a wait that has not ended
};

double NowMs();  // monotonic

}  // namespace assay::jail
