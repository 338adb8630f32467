// Reads the answer behind an announcement ("the answer is", "Answer:"). Private to reply/.
#pragma once

#include <cstddef>
#include <string_view>

#include "verifiers/math/reply/rules.h"

namespace assay::math {

// The answer that is announced to stand at `at`: behind markup and words that say nothing, a value as it stands or prose that
// holds one. False: there is none, or it is denied or doubted (reply->refusal says so). `depth` bounds how often "4, no, 5"
// and "which is" lead on; callers pass 0.
bool ReadAnnounced(Reply* reply, size_t at, Candidate* out, int depth);

// Behind "not 42, it is", "nicht 42, sondern": where the right answer begins; npos if the sentence names none.
size_t InsteadOf(std::string_view text, size_t at, size_t end);

}  // namespace assay::math
