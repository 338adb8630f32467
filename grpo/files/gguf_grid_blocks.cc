#include "grpo/files/gguf_grid_blocks.h"

#include <bit>
#include <cstring>

#include "grpo/files/float_bits.h"
#include "grpo/files/gguf_grids.h"

namespace assay {
namespace {

template <typename T>
T Load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

float Half(const uint8_t* bytes) { return FloatFromHalf(Load<uint16_t>(bytes)); }

int Nibble(const uint8_t* bytes, int i) { return bytes[i / 2] >> (4 * (i % 2)) & 15; }

// A point times `scale`; a set bit of `signs` turns a coordinate's sign.
void Put(const GgufGrid& grid, unsigned index, float scale, unsigned signs, float* out) {
  const int8_t* point = grid.At(index);
  for (int i = 0; i < grid.width(); ++i) {
    const float weight = scale * static_cast<float>(point[i]);
    out[i] = (signs >> i & 1) != 0 ? -weight : weight;
  }
}

// Eight signs in seven bits: an even number of them is negative, which gives the eighth.
unsigned EightSigns(unsigned seven) {
  return seven | static_cast<unsigned>(std::popcount(seven) & 1) << 7;
}

// A point of IQ1 is moved by an eighth, up or down, before it is scaled.
void PutMoved(unsigned index, float scale, bool down, float* out) {
  const int8_t* point = Iq1Grid().At(index);
  for (int i = 0; i < 8; ++i)
    out[i] = scale * (static_cast<float>(point[i]) + (down ? -0.125f : 0.125f));
}

}  // namespace

// scale 2 | low eight bits of 32 points 32 | for each 32 weights in 16 bits: four times three high bits, a scale of three, a direction
void DecodeIq1S(const uint8_t* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 32; ++i) {
    const unsigned high = Load<uint16_t>(block + 34 + 2 * (i / 4));
    const unsigned index = block[2 + i] | (high >> (3 * (i % 4)) & 7) << 8;
    const float part = scale * static_cast<float>(2 * (high >> 12 & 7) + 1);
    PutMoved(index, part, (high & 0x8000) != 0, out + 8 * i);
  }
}

// low bits of points 32 | for each point in half a byte: three high bits, a direction 16 | four times 16 bits: four scales of three bits
// each, and above them a quarter of the block's scale 8
void DecodeIq1M(const uint8_t* block, float* out) {
  const uint8_t *high = block + 32, *scales = block + 48;
  unsigned bits = 0;
  for (int k = 0; k < 4; ++k) bits |= (Load<uint16_t>(scales + 2 * k) >> 12 & 15u) << (4 * k);
  const float scale = FloatFromHalf(static_cast<uint16_t>(bits));
  for (int i = 0; i < 32; ++i) {
    const int of_16 = i / 2;
    const unsigned three = Load<uint16_t>(scales + 2 * (of_16 / 4)) >> (3 * (of_16 % 4)) & 7u;
    const unsigned half = static_cast<unsigned>(Nibble(high, i));
    PutMoved(block[i] | (half & 7) << 8, scale * static_cast<float>(2 * three + 1), (half & 8) != 0,
             out + 8 * i);
  }
}

// scale 2 | for each 32 weights: four points 4, four times seven bits of signs and a scale of four bits 4
void DecodeIq2Xxs(const uint8_t* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 32; ++i) {
    const uint8_t* group = block + 2 + 8 * (i / 4);
    const auto rest = Load<uint32_t>(group + 4);
    const float part = scale * (0.5f + static_cast<float>(rest >> 28)) * 0.25f;
    Put(Iq2XxsGrid(), group[i % 4], part, EightSigns(rest >> (7 * (i % 4)) & 127), out + 8 * i);
  }
}

// scale 2 | 32 points: nine bits and seven of signs 64 | sixteen scales of four bits 8
void DecodeIq2Xs(const uint8_t* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 32; ++i) {
    const unsigned both = Load<uint16_t>(block + 2 + 2 * i);
    const float part = scale * (0.5f + static_cast<float>(Nibble(block + 66, i / 2))) * 0.25f;
    Put(Iq2XsGrid(), both & 511, part, EightSigns(both >> 9), out + 8 * i);
  }
}

// scale 2 | low bits of 32 points 32 | their signs 32 | two high bits each 8 | sixteen scales of four bits 8
void DecodeIq2S(const uint8_t* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 32; ++i) {
    const unsigned high = block[66 + i / 4] >> (2 * (i % 4)) & 3u;
    const float part = scale * (0.5f + static_cast<float>(Nibble(block + 74, i / 2))) * 0.25f;
    Put(Iq2SGrid(), block[2 + i] | high << 8, part, block[34 + i], out + 8 * i);
  }
}

// scale 2 | 64 points 64 | for each 32 weights: four times seven bits of signs and a scale of four bits 32
void DecodeIq3Xxs(const uint8_t* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 64; ++i) {
    const auto rest = Load<uint32_t>(block + 66 + 4 * (i / 8));
    const float part = scale * (0.5f + static_cast<float>(rest >> 28)) * 0.5f;
    const unsigned signs = EightSigns(rest >> (7 * (i / 2 % 4)) & 127) >> (4 * (i % 2));
    Put(Iq3XxsGrid(), block[2 + i], part, signs, out + 4 * i);
  }
}

// scale 2 | low bits of 64 points 64 | a high bit each 8 | signs 32 | eight scales of four bits 4
void DecodeIq3S(const uint8_t* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 64; ++i) {
    const unsigned high = block[66 + i / 8] >> (i % 8) & 1u;
    const float part = scale * static_cast<float>(1 + 2 * Nibble(block + 106, i / 8));
    const unsigned signs = block[74 + i / 2] >> (4 * (i % 2));
    Put(Iq3SGrid(), block[2 + i] | high << 8, part, signs, out + 4 * i);
  }
}

}  // namespace assay
