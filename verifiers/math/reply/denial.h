// Whether the sentence in front of an answer denies it, doubts it, asks about it or puts it into somebody else's mouth. All
// set reply->refusal to what they found. Private to reply/; each looks at one sentence.
#pragma once

#include <cstddef>

#include "verifiers/math/reply/rules.h"

namespace assay::math {

// Of a box at text[at, box_end): "not \boxed{5}", "x \ne \boxed{5}", "we rule out \boxed{5}", "maybe \boxed{5}",
// "is it \boxed{5}?", "put your answer in a box, for example \boxed{5}", "you say that the answer is \boxed{5}"
bool BoxDenied(Reply* reply, size_t at, size_t box_end);

// Of an announcement at `at`: a condition, a doubt or somebody else's answer before it.
bool AnnouncementDenied(Reply* reply, size_t at);

// Of a value at text[at, value_end) that nothing announces, whose sentence begins at `sentence`.
bool ValueDenied(Reply* reply, size_t sentence, size_t at, size_t value_end);

}  // namespace assay::math
