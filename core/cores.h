// How many cores this process may keep busy: what its affinity allows and its control groups' quotas of CPU time grant. Reads files of
// the kernel; thread-safe; never less than one.
#pragma once

#include <string>

namespace assay {

int UsableCores();

// The cores that a quota grants, rounded up; 0: no limit. `root`: where control groups are mounted; `membership`: the text of
// /proc/self/cgroup. Version 2 (cpu.max) and version 1 (cpu.cfs_quota_us); every group above counts too.
int QuotaCores(const std::string& root, const std::string& membership);

}  // namespace assay
