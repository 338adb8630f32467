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

}  // namespace assay::math
