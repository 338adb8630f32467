// What occurs in an expression: which way to compare it is chosen by that. Private to verifiers/math.
#pragma once

#include <string_view>
#include <vector>

#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/value/eval.h"

namespace assay::math {

struct Traits {
  std::vector<std::string_view> symbols;  // free ones, each once
  bool opaque = false;                    // unknown functions, limits, integrals, derivatives
  bool unevaluated = false;               // limits, integrals, derivatives
  bool not_scalar = false;                // text, relations, collections
  bool imaginary = false;
  bool steps = false;           // floor, ceiling, mod, gcd, lcm of something with symbols
  bool pieces = false;          // abs, sign, max, min of something with symbols
  bool symbolic_power = false;  // symbols in an exponent
  bool open_sum = false;        // a sum or product whose bounds have symbols
  bool constant() const { return symbols.empty() && !opaque && !not_scalar; }
};

Traits TraitsOf(const Tree& tree, Budget* budget, NodeId id);

// 1 or -1 for plus and minus infinity, else 0.
int InfinitySign(const Tree& tree, NodeId id);

}  // namespace assay::math
