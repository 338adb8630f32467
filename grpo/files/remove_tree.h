// A folder and all that is in it, removed. In place of std::filesystem::remove_all, which some builds of LibTorch bring in an old form
// that crashes beside a newer libstdc++.
#pragma once

#include <string>

namespace assay {

// What cannot be removed stays; a path where nothing is is no error. Symbolic links are removed, not followed.
void RemoveTree(const std::string& path);

}  // namespace assay
