// How large a ball is, and how wide. Private to verifiers/math.
#pragma once

#include "verifiers/math/value/flint_types.h"

namespace assay::math {

// log2 of |z| from above and below, to the next whole number; infinite where unknown.
double UpperLog2(const Complex& z);
double LowerLog2(const Complex& z);

// log2 of an upper bound of |z|, and of the radius: finer than UpperLog2, and -1e18 or 1e18 instead of infinite.
double SizeLog2(const Complex& z);
double RadiusLog2(const Complex& z);

// The one whole number in the ball, if there is just one and it has at most a million bits: 2^(10^12) is a small ball, and no
// machine holds it as an integer.
bool WholeNumberIn(arb_srcptr x, Integer* out);

}  // namespace assay::math
