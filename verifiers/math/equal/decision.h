// What one comparison of two values came to, and how. Private to verifiers/math.
#pragma once

#include "verifiers/math/equal/compare.h"

namespace assay::math {

struct Decision {
  Outcome outcome = Outcome::kUnequal;
  Method method = Method::kNone;
  int bits = 0;
  bool rounded = false;  // float_digits made the difference
  bool yes() const { return outcome == Outcome::kEqual; }

  static Decision Of(Outcome outcome, Method method, int bits = 0) {
    return {outcome, method, bits, false};
  }
  static Decision Unequal(Method method = Method::kExact) { return Of(Outcome::kUnequal, method); }
};

}  // namespace assay::math
