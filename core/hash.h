// Content hashes (XXH3, 128 and 64 bits) for keys and resume records: stable across machines and versions, not
// cryptographic. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace assay {

struct Hash128 {
  uint64_t high = 0;
  uint64_t low = 0;
  bool operator==(const Hash128&) const = default;
  auto operator<=>(const Hash128&) const = default;
  std::string Hex() const;  // 32 lower-case digits
};

Hash128 HashBytes128(std::string_view bytes, uint64_t seed = 0);
uint64_t HashBytes64(std::string_view bytes, uint64_t seed = 0);

}  // namespace assay
