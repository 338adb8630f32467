// What one comparison of two values came to, and how. Private to verifiers/math.
#pragma once

#include <cstdint>

#include "verifiers/math/equal/compare.h"

namespace assay::math {

// Why two constants that differ count as equal.
enum class Leniency : uint8_t {
  kNone,
  kShownDigits,
  kFloatDigits,
  kGoldDigits,
  kTolerance,
  kHundred
};

struct Decision {
  Outcome outcome = Outcome::kUnequal;
  Method method = Method::kNone;
  int bits = 0;
  Leniency leniency = Leniency::kNone;
  bool yes() const { return outcome == Outcome::kEqual; }

  static Decision Of(Outcome outcome, Method method, int bits = 0) {
    return {outcome, method, bits, Leniency::kNone};
  }
  // Neither was shown: an expression that is not evaluated, places that are not known, a budget that is spent.
  static Decision Undecided() { return Of(Outcome::kUndecided, Method::kNone); }
  static Decision Unequal(Method method = Method::kExact) { return Of(Outcome::kUnequal, method); }
};

}  // namespace assay::math
