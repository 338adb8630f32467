// Answers that are read as a whole before they are taken for a formula: Chinese numerals, and quantities in several units
// ("1 h 30 min"). Pure functions of their text. Private to verifiers/math.
#pragma once

#include <optional>
#include <string_view>

#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {

// The value of a Chinese numeral up to 10^16 (二十五, 两千零三, 三分之一, 三点五, 二〇二五); empty if the text is anything else.
std::optional<NumberPhrase> ReadHanNumber(std::string_view text);

// Two or more values in falling units of one dimension (or "30 min") and nothing else: a quantity in the first of these units.
// kNoNode if the text is anything else.
NodeId ReadCompoundQuantity(std::string_view text, Tree* tree);

}  // namespace assay::math
