#include "grpo/files/gguf_blocks.h"

#include <bit>
#include <cstring>

#include "grpo/files/float_bits.h"

namespace assay {
namespace {

constexpr int kSuper = 256;  // weights of a K-quant's block

uint16_t Load16(const uint8_t* bytes) {
  uint16_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

float Half(const uint8_t* bytes) { return FloatFromHalf(Load16(bytes)); }

// --- plain numbers ---------------------------------------------------------------------------------------------------

void F32(const uint8_t* block, float* out) { std::memcpy(out, block, sizeof(float)); }
void F16(const uint8_t* block, float* out) { *out = Half(block); }
void Bf16(const uint8_t* block, float* out) { *out = FloatFromBf16(Load16(block)); }
void F64(const uint8_t* block, float* out) {
  double value;
  std::memcpy(&value, block, sizeof(value));
  *out = static_cast<float>(value);
}

// --- 32 weights with a scale, and a lowest value for the formats _1. Of each byte the low half is one of the first 16. ----------------

int Nibble(const uint8_t* bytes, int i) { return i < 16 ? bytes[i] & 15 : bytes[i - 16] >> 4; }

void Q4_0(const uint8_t* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(Nibble(block + 2, i) - 8) * scale;
}

void Q4_1(const uint8_t* block, float* out) {
  const float scale = Half(block), low = Half(block + 2);
  for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(Nibble(block + 4, i)) * scale + low;
}

// The fifth bits stand together, a bit a weight.
int FiveBits(const uint8_t* high, const uint8_t* low, int i) {
  return Nibble(low, i) | (high[i / 8] >> (i % 8) & 1) << 4;
}

void Q5_0(const uint8_t* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 32; ++i)
    out[i] = static_cast<float>(FiveBits(block + 2, block + 6, i) - 16) * scale;
}

void Q5_1(const uint8_t* block, float* out) {
  const float scale = Half(block), low = Half(block + 2);
  for (int i = 0; i < 32; ++i)
    out[i] = static_cast<float>(FiveBits(block + 4, block + 8, i)) * scale + low;
}

void Q8_0(const uint8_t* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 32; ++i)
    out[i] = static_cast<float>(static_cast<int8_t>(block[2 + i])) * scale;
}

// --- K-quants: 256 weights; scales (and lowest values) of 16 or 32 of them, which are themselves scaled -------------------------------

// Fields of `bits` bits in runs of 32 bytes: the first 32 weights are the lowest bits of the run's bytes, the next 32 the bits above.
int Field(const uint8_t* bytes, int i, int bits) {
  const int per_run = 32 * (8 / bits);
  const int in_run = i % per_run;
  return bytes[32 * (i / per_run) + in_run % 32] >> (bits * (in_run / 32)) & ((1 << bits) - 1);
}

void Q2_K(const uint8_t* block, float* out) {
  const uint8_t *scales = block, *values = block + 16;
  const float scale = Half(block + 80), low = Half(block + 82);
  for (int i = 0; i < kSuper; ++i) {
    const uint8_t both = scales[i / 16];
    out[i] = scale * static_cast<float>(both & 15) * static_cast<float>(Field(values, i, 2)) -
             low * static_cast<float>(both >> 4);
  }
}

// Sixteen scales of six bits in twelve bytes: low halves in the first eight, two high bits each in the last four.
int Q3Scale(const uint8_t* bytes, int k) {
  const int low = bytes[k % 8] >> (4 * (k / 8)) & 15;
  const int high = bytes[8 + k % 4] >> (2 * (k / 4)) & 3;
  return (low | high << 4) - 32;
}

void Q3_K(const uint8_t* block, float* out) {
  const uint8_t *high = block, *values = block + 32, *scales = block + 96;
  const float scale = Half(block + 108);
  for (int i = 0; i < kSuper; ++i) {
    const int value = Field(values, i, 2) - (Field(high, i, 1) != 0 ? 0 : 4);
    out[i] = scale * static_cast<float>(Q3Scale(scales, i / 16)) * static_cast<float>(value);
  }
}

// Eight scales and eight lowest values of six bits in twelve bytes; the upper four borrow their high bits from the lower four's bytes.
struct ScaleAndLow {
  float scale, low;
};
ScaleAndLow SixBits(const uint8_t* bytes, int k) {
  if (k < 4) return {static_cast<float>(bytes[k] & 63), static_cast<float>(bytes[k + 4] & 63)};
  return {static_cast<float>((bytes[k + 4] & 15) | (bytes[k - 4] >> 6) << 4),
          static_cast<float>((bytes[k + 4] >> 4) | (bytes[k] >> 6) << 4)};
}

void Q4_K(const uint8_t* block, float* out) {
  const float scale = Half(block), low = Half(block + 2);
  for (int i = 0; i < kSuper; ++i) {
    const ScaleAndLow part = SixBits(block + 4, i / 32);
    out[i] = scale * part.scale * static_cast<float>(Field(block + 16, i, 4)) - low * part.low;
  }
}

void Q5_K(const uint8_t* block, float* out) {
  const float scale = Half(block), low = Half(block + 2);
  const uint8_t *high = block + 16, *values = block + 48;
  for (int i = 0; i < kSuper; ++i) {
    const ScaleAndLow part = SixBits(block + 4, i / 32);
    const int value = Field(values, i, 4) | Field(high, i, 1) << 4;
    out[i] = scale * part.scale * static_cast<float>(value) - low * part.low;
  }
}

void Q6_K(const uint8_t* block, float* out) {
  const uint8_t *low = block, *high = block + 128, *scales = block + 192;
  const float scale = Half(block + 208);
  for (int i = 0; i < kSuper; ++i) {
    const int half = i / 128, at = i % 128;
    const int nibble = low[64 * half + at % 64] >> (4 * (at / 64)) & 15;
    const int value = (nibble | Field(high, i, 2) << 4) - 32;
    out[i] =
        scale * static_cast<float>(static_cast<int8_t>(scales[i / 16])) * static_cast<float>(value);
  }
}

// --- three-valued weights --------------------------------------------------------------------------------------------------------------

// A byte holds base-3 digits as a fraction of 256: digit k is what comes up to the top after k multiplications by three.
float Trit(uint8_t byte, int k) {
  for (; k > 0; --k) byte = static_cast<uint8_t>(byte * 3);
  return static_cast<float>((byte * 3 >> 8) - 1);
}

void Tq1_0(const uint8_t* block, float* out) {
  const float scale = Half(block + 52);
  for (int i = 0; i < 160; ++i) out[i] = scale * Trit(block[i % 32], i / 32);
  for (int i = 0; i < 80; ++i) out[160 + i] = scale * Trit(block[32 + i % 16], i / 16);
  for (int i = 0; i < 16; ++i) out[240 + i] = scale * Trit(block[48 + i % 4], i / 4);
}

void Tq2_0(const uint8_t* block, float* out) {
  const float scale = Half(block + 64);
  for (int i = 0; i < kSuper; ++i) out[i] = scale * static_cast<float>(Field(block, i, 2) - 1);
}

// --- sixteen values of a table ---------------------------------------------------------------------------------------------------------

// Four-bit floats (two exponent bits, one of mantissa), doubled, under a power of two (OCP microscaling formats 1.0).
void Mxfp4(const uint8_t* block, float* out) {
  constexpr int8_t kValues[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  const uint32_t exponent = block[0];
  // Half of 2^(exponent - 127), since the values are doubled.
  const float scale =
      std::bit_cast<float>(exponent < 2 ? uint32_t{0x00200000} << exponent : (exponent - 1) << 23);
  for (int i = 0; i < 32; ++i) out[i] = scale * static_cast<float>(kValues[Nibble(block + 1, i)]);
}

constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                   1,    13,   25,  38,  53,  69,  89,  113};

void Iq4Nl(const uint8_t* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 32; ++i)
    out[i] = scale * static_cast<float>(kIq4Values[Nibble(block + 2, i)]);
}

void Iq4Xs(const uint8_t* block, float* out) {
  const float scale = Half(block);
  const uint16_t high = Load16(block + 2);
  for (int k = 0; k < 8; ++k) {
    const int low = block[4 + k / 2] >> (4 * (k % 2)) & 15;
    const float part = scale * static_cast<float>((low | (high >> (2 * k) & 3) << 4) - 32);
    for (int i = 0; i < 32; ++i)
      out[32 * k + i] = part * static_cast<float>(kIq4Values[Nibble(block + 8 + 16 * k, i)]);
  }
}

constexpr GgmlType kTypes[] = {{0, "F32", 1, 4, F32},
                               {1, "F16", 1, 2, F16},
                               {2, "Q4_0", 32, 18, Q4_0},
                               {3, "Q4_1", 32, 20, Q4_1},
                               {6, "Q5_0", 32, 22, Q5_0},
                               {7, "Q5_1", 32, 24, Q5_1},
                               {8, "Q8_0", 32, 34, Q8_0},
                               {9, "Q8_1", 0, 0, nullptr},
                               {10, "Q2_K", kSuper, 84, Q2_K},
                               {11, "Q3_K", kSuper, 110, Q3_K},
                               {12, "Q4_K", kSuper, 144, Q4_K},
                               {13, "Q5_K", kSuper, 176, Q5_K},
                               {14, "Q6_K", kSuper, 210, Q6_K},
                               {15, "Q8_K", 0, 0, nullptr},
                               {16, "IQ2_XXS", 0, 0, nullptr},
                               {17, "IQ2_XS", 0, 0, nullptr},
                               {18, "IQ3_XXS", 0, 0, nullptr},
                               {19, "IQ1_S", 0, 0, nullptr},
                               {20, "IQ4_NL", 32, 18, Iq4Nl},
                               {21, "IQ3_S", 0, 0, nullptr},
                               {22, "IQ2_S", 0, 0, nullptr},
                               {23, "IQ4_XS", kSuper, 136, Iq4Xs},
                               {24, "I8", 0, 0, nullptr},
                               {25, "I16", 0, 0, nullptr},
                               {26, "I32", 0, 0, nullptr},
                               {27, "I64", 0, 0, nullptr},
                               {28, "F64", 1, 8, F64},
                               {29, "IQ1_M", 0, 0, nullptr},
                               {30, "BF16", 1, 2, Bf16},
                               {34, "TQ1_0", kSuper, 54, Tq1_0},
                               {35, "TQ2_0", kSuper, 66, Tq2_0},
                               {39, "MXFP4", 32, 17, Mxfp4}};

}  // namespace

const GgmlType* FindGgmlType(uint32_t type) {
  for (const GgmlType& known : kTypes) {
    if (known.type == type) return &known;
  }
  return nullptr;
}

}  // namespace assay
