// Whether a reply takes an answer back in what follows it: "wait, that is wrong", "I made a mistake", "scratch that".
// Private to reply/; linear in what follows.
#pragma once

#include <cstddef>

#include "verifiers/math/reply/rules.h"

namespace assay::math {

// True if the last sentence behind `after` that says something about the answer takes it back; never of a trusted text.
bool Retracted(const Reply& reply, size_t after);

}  // namespace assay::math
