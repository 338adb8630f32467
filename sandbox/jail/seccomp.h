// The system call policy: an allow-list, built with libseccomp once in the zygote, exported as BPF and loaded with seccomp(2)
// itself (libseccomp's own load is not safe after fork). What is not named fails with EPERM (clone3 with ENOSYS, so
// that libc falls back to clone, whose flags can be filtered); calls of a foreign architecture kill. Written by names, so
// that aarch64 compiles. Immutable once built.
//
// It is loaded in two parts, for the kernel compiles what is loaded: the zygote loads the list, with what it needs itself for
// making boxes, and every box inherits that; each box then loads a short program that takes those calls away again.
#pragma once

#include <linux/filter.h>

#include <string>
#include <vector>

#include "core/result.h"

namespace assay::jail {

using Program = std::vector<sock_filter>;

// The allow-list, with execve and what only a zygote may call.
Result<Program> BuildZygoteProgram();
// What a box loses of that: all that is the zygote's and, unless it may start programs, execve and execveat.
Result<Program> BuildBoxProgram(bool allow_exec);
// One system call; needs no_new_privs or CAP_SYS_ADMIN. False with errno set.
bool LoadProgram(const Program& program);
// The policy as readable text (libseccomp's pseudo filter code is far longer; this is the list it was made from).
std::string PolicyText();

}  // namespace assay::jail
