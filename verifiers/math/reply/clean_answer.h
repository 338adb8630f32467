// What is left of a span when it is handed over as the answer. Private to reply/; pure; linear.
#pragma once

#include <string>
#include <string_view>

namespace assay::math {

// Removes `<<..>>` calculator notes, emphasis and trailing punctuation; trims.
std::string CleanAnswer(std::string_view text);

// A box without an answer in it: nothing, dots, underscores, a question mark, or the prompt's "your answer".
bool IsPlaceholder(std::string_view content);

}  // namespace assay::math
