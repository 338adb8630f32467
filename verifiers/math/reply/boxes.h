// Finds the boxes (`\boxed{..}`, `\fbox{..}`) of a reply's answer part. Private to reply/; linear in the part's length.
#pragma once

#include <cstddef>
#include <vector>

#include "verifiers/math/reply/rules.h"

namespace assay::math {

struct Box {
  size_t begin = 0;
  size_t inner_begin = 0;
  size_t inner_end = 0;
  size_t end = 0;
  bool comment = false;  // in a TeX comment
};

// Outermost boxes, in order, without placeholders and those in comments.
std::vector<Box> FindBoxes(const Reply& reply);

}  // namespace assay::math
