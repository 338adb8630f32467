// Finds which of a question's choices a reply names (mode `string`): behind an answer anchor, else as the reply's first
// word ("B. Because .."), else the last one that is named without being denied ("it's not A"). Pure; thread-safe; linear.
#pragma once

#include <string_view>

#include "verifiers/math/reply/extract.h"

namespace assay::math {

// options.choices empty: A, B, C, D. Rule::kChoice with the choice as spelt in the options; a reply that names none is
// taken whole (Rule::kWhole) if it is short, for comparison as text.
Extraction ExtractChoice(std::string_view reply, const ExtractOptions& options);

}  // namespace assay::math
