// The system call policy: an allow-list, built with libseccomp once in the zygote, exported as BPF and loaded in each box with
// seccomp(2) itself (libseccomp's own load is not safe after fork). What is not named fails with EPERM (clone3 with ENOSYS, so
// that libc falls back to clone, whose flags can be filtered); calls of a foreign architecture kill. Written by names, so
// that aarch64 compiles. Immutable once built.
#pragma once

#include <linux/filter.h>

#include <string>
#include <vector>

#include "core/result.h"

namespace assay::jail {

struct Policy {
  bool allow_exec = false;  // execve, execveat
};

using Program = std::vector<sock_filter>;

Result<Program> BuildProgram(const Policy& policy);
// One system call; needs no_new_privs or CAP_SYS_ADMIN. False with errno set.
bool LoadProgram(const Program& program);
// The policy as readable text (libseccomp's pseudo filter code is far longer; this is the list it was made from).
std::string PolicyText();

}  // namespace assay::jail
