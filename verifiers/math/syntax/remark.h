// What stands behind a value in other words: "3/4 (= 0.75)", "12 (students)", "17 remainder 3", units as fractions. Written again in
// the way that the grammar reads. Linear. Pure functions of their text. Private to verifiers/math.
#pragma once

#include <string>

namespace assay::math {

// `text` (NormalizeUnicode's) with a remark in brackets at its end as an equation or a unit, "20% increase" for "increase of 20%",
// micro units in one piece and upright fractions of units as units; empty where none of these forms stands.
std::string RespellRemark(const std::string& text);

// "12 \frac{m}{s}" with the fraction as a unit, though its letters are set as variables; empty: something else.
std::string LetterUnitFraction(const std::string& text);

// "7.6万元" with its ten thousands worked out; empty: something else. The plain reading, 7.6 of that unit, stays.
std::string HanThousands(const std::string& text);

// "\\textbf{(A)}\\ 11": what stands behind a choice's letter in brackets; empty: nothing.
std::string ValueBehindChoice(const std::string& text);

}  // namespace assay::math
