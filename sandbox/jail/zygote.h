// The two zygotes' main loops. A zygote is single-threaded, pid 1 of its pid namespace, and trusted; it reads requests from its
// control socket (descriptor kControlFd), forks one box at a time, watches its limits, ends every process of the namespace when
// the job is over and empties the tmpfs. It ends when its parent does: end of file on the control socket.
#pragma once

#include <string>

#include "sandbox/jail/world.h"
#include "sandbox/proto.h"

namespace assay::jail {

inline constexpr int kControlFd = 3;

// Both send the hello frame first and return the exit status.
int CandidateZygoteMain(const World& world, const sandbox::WorkerConfig& config);
int TesterZygoteMain(const World& world, const sandbox::WorkerConfig& config);

}  // namespace assay::jail
