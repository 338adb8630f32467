#include "verifiers/math/value/field.h"

namespace assay::math {

uint64_t MixHash(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

namespace {

constexpr uint64_t kSievePrimes[] = {3,  5,  7,  11, 13, 17, 19, 23, 29, 31, 37, 41,  43,
                                     47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103};

// Bit k: n + 4k has a small prime as a factor. n lies far above their squares.
uint64_t SieveFrom(uint64_t n) {
  uint64_t composite = 0;
  for (const uint64_t q : kSievePrimes) {
    const uint64_t quarter = (q % 4 == 3 ? q + 1 : 3 * q + 1) / 4;  // 1/4 modulo q
    for (uint64_t k = (q - n % q) * quarter % q; k < 64; k += q) composite |= uint64_t{1} << k;
  }
  return composite;
}

// The first prime of n, n + 4, n + 8, ..: most candidates fall to the sieve, which costs less than a test.
uint64_t FirstPrime(uint64_t n) {
  for (;; n += 4 * 64) {
    const uint64_t composite = SieveFrom(n);
    for (uint64_t k = 0; k < 64; ++k) {
      if ((composite >> k & 1) == 0 && n_is_probabprime(n + 4 * k) != 0) return n + 4 * k;
    }
  }
}

}  // namespace

Field::Field(uint64_t seed_value, int index) {
  seed = MixHash(seed_value ^ (0x5851f42d4c957f2dull * static_cast<uint64_t>(index + 1)));
  // The first prime = 1 (mod 4) from a random place in [2^61, 2^61 + 2^60).
  const uint64_t n = (uint64_t{1} << 61) + (MixHash(seed) >> 4);
  p = FirstPrime((n & ~uint64_t{3}) | 1);
  p_inverse = n_preinvert_limb(p);
}

uint64_t Field::RootOfMinusOne() const {
  for (uint64_t g = 2;; ++g) {
    const uint64_t r = Pow(g, (p - 1) / 4);
    if (Mul(r, r) == p - 1) return r;
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
