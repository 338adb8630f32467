// The file system, network and signal rules of the Landlock tier: for machines on which no namespaces can be made. Built once in
// the zygote for one scratch folder, entered in each box. Single-threaded.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "sandbox/proto.h"

namespace assay::jail {

// The kernel's Landlock version; 0: none.
int LandlockAbi();
// From this version on a box cannot signal processes outside of itself.
inline constexpr int kLandlockAbiSignals = 6;

// Reading and executing below `read_only` (missing paths are left out), the four devices, everything below `scratch`; no TCP,
// no abstract sockets, no signals to the outside, as far as the kernel knows of them.
Result<sandbox::Fd> BuildRuleset(const std::vector<std::string>& read_only,
                                 const std::string& scratch);
// For the rest of this process's life and its children's. Needs no_new_privs.
bool EnterRuleset(int ruleset);

// Empties a folder that a hostile program filled: any depth, any names, any modes; follows no links. True if it is empty.
bool EmptyFolder(const std::string& path);

}  // namespace assay::jail
