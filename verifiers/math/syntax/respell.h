// Answers whose wording stands around the mathematics, written again in the way that the grammar reads: a sentence or a quantity
// inside one text command, parts with labels, "all real numbers except 2". Linear. Pure function of its text. Private to
// verifiers/math.
#pragma once

#include <string>

namespace assay::math {

// `normal` (NormalizeUnicode's) as it is where none of these forms stands.
std::string Respell(const std::string& normal);

}  // namespace assay::math
