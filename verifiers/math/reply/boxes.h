// Finds the boxes (`\boxed{..}`, `\fbox{..}`) of a reply's answer part. Private to reply/; linear in the part's length.
#pragma once

#include <cstddef>
#include <vector>

#include "verifiers/math/reply/rules.h"

namespace assay::math {

// Outermost boxes, in order, without placeholders, those in comments and those that are shown rather than said (in \verb or a
// code span), which it leaves at reply->quoted_boxes.
std::vector<Box> FindBoxes(Reply* reply);

}  // namespace assay::math
