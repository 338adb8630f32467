// Versions of languages, and the selectors by which Piston's clients ask for them. Pure.
#pragma once

#include <string>
#include <string_view>

namespace assay {

// The version in what a compiler or interpreter says of itself, as three numbers: "GNU bash, version 5.2.15(1)-release" -> "5.2.15".
// "0.0.0" if there is none.
std::string VersionIn(std::string_view text);
// True if `version` is one that `selector` asks for: "*", "3", "3.x", "3.11.2", "^3.1.0", "~3.11", ">=3.10", "<4".
bool VersionFits(std::string_view selector, std::string_view version);

}  // namespace assay
