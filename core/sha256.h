// SHA-256 (FIPS 180-4), for hashes that others can check with `sha256sum`. One thread an object. For keys of our own core/hash.h is
// twenty times as fast.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace assay {

class Sha256 {
 public:
  Sha256();
  void Add(std::string_view bytes);
  // 64 lower-case digits. Nothing may be added after it.
  std::string Hex();

 private:
  void Block(const unsigned char* bytes);

  std::array<uint32_t, 8> state_;
  std::array<unsigned char, 64> tail_{};
  uint64_t length_ = 0;  // in bytes
};

}  // namespace assay
