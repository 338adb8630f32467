#include "verifiers/math/value/field.h"

namespace assay::math {

uint64_t MixHash(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

Field::Field(uint64_t seed_value, int index) {
  seed = MixHash(seed_value ^ (0x5851f42d4c957f2dull * static_cast<uint64_t>(index + 1)));
  // The first prime = 1 (mod 4) from a random place in [2^61, 2^61 + 2^60).
  uint64_t n = (uint64_t{1} << 61) + (MixHash(seed) >> 4);
  n = (n & ~uint64_t{3}) | 1;
  while (n_is_probabprime(n) == 0) n += 4;
  p = n;
  p_inverse = n_preinvert_limb(p);
  for (uint64_t g = 2;; ++g) {
    const uint64_t r = Pow(g, (p - 1) / 4);
    if (Mul(r, r) == p - 1) {
      root_of_minus_one = r;
      break;
    }
  }
}

uint64_t Field::Random(uint64_t tag, uint64_t a, uint64_t b, uint64_t c) const {
  uint64_t h = MixHash(seed ^ MixHash(tag));
  h = MixHash(h ^ MixHash(a + 1));
  h = MixHash(h ^ MixHash(b + 2));
  h = MixHash(h ^ MixHash(c + 3));
  return h % (p - 2) + 1;
}

}  // namespace assay::math
