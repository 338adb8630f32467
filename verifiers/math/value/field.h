// A secret prime and everything drawn with it. Private to verifiers/math.
#pragma once

#include <cstdint>

#include "verifiers/math/value/flint_types.h"

namespace assay::math {

// A prime p = 1 (mod 4) below 2^62, chosen by the seed.
struct Field {
  uint64_t p = 0;
  uint64_t p_inverse = 0;
  uint64_t seed = 0;

  Field(uint64_t seed_value, int index);
  uint64_t Mul(uint64_t a, uint64_t b) const { return n_mulmod2_preinv(a, b, p, p_inverse); }
  uint64_t AddMod(uint64_t a, uint64_t b) const { return n_addmod(a, b, p); }
  uint64_t Negate(uint64_t a) const { return a == 0 ? 0 : p - a; }
  uint64_t Reduce(uint64_t a) const { return n_mod2_preinv(a, p, p_inverse); }
  uint64_t Pow(uint64_t a, uint64_t e) const { return n_powmod2_ui_preinv(a, e, p, p_inverse); }
  // Always the same of the two; found anew by each call, two powers on average.
  uint64_t RootOfMinusOne() const;
  // Never 0; the same for the same arguments.
  uint64_t Random(uint64_t tag, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) const;
};

uint64_t MixHash(uint64_t x);

}  // namespace assay::math
