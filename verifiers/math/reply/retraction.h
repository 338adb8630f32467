// Whether a reply takes an answer back in what follows it: "wait, that is wrong", "I made a mistake", "scratch that".
// Private to reply/; linear in what follows.
#pragma once

#include <cstddef>
#include <string_view>

#include "verifiers/math/reply/rules.h"

namespace assay::math {

// True if the last sentence behind `after` that says something about the answer takes it back, or gives up; never of a trusted
// text. `answer`: what a sentence may call by its name ("But B is wrong").
bool Retracted(const Reply& reply, size_t after, std::string_view answer);

}  // namespace assay::math
