#include "grpo/files/gguf_blocks.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "grpo/files/float_bits.h"
#include "grpo/files/gguf_grid_blocks.h"

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

// Behind the scale stands the sum of the weights, which only products use.
void Q8_1(const uint8_t* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 32; ++i)
    out[i] = static_cast<float>(static_cast<int8_t>(block[4 + i])) * scale;
}

// --- 128 signs under a scale -----------------------------------------------------------------------------------------------------------

void Q1_0(const uint8_t* block, float* out) {
  const float scale = Half(block);
  for (int i = 0; i < 128; ++i) out[i] = (block[2 + i / 8] >> (i % 8) & 1) != 0 ? scale : -scale;
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

// The scale is a float32; sums of sixteen weights stand behind them.
void Q8_K(const uint8_t* block, float* out) {
  float scale;
  std::memcpy(&scale, block, sizeof(scale));
  for (int i = 0; i < kSuper; ++i)
    out[i] = scale * static_cast<float>(static_cast<int8_t>(block[4 + i]));
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

// Four-bit floats (two exponent bits, one of mantissa), doubled.
constexpr int8_t kFp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// Under a power of two (OCP microscaling formats 1.0).
void Mxfp4(const uint8_t* block, float* out) {
  const uint32_t exponent = block[0];
  // Half of 2^(exponent - 127), since the values are doubled.
  const float scale =
      std::bit_cast<float>(exponent < 2 ? uint32_t{0x00200000} << exponent : (exponent - 1) << 23);
  for (int i = 0; i < 32; ++i)
    out[i] = scale * static_cast<float>(kFp4Values[Nibble(block + 1, i)]);
}

// Eight bits: a sign that is not used, four of the exponent (bias 7), three of the mantissa. Half of the value, as the weights are
// doubled; the pattern of NaN is 0, as in ggml.
float HalfOfE4m3(uint8_t bits) {
  if (bits == 0x7F) return 0;
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  return exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -10)
                       : std::ldexp(static_cast<float>(8 + mantissa), exponent - 11);
}

// Four times sixteen weights, each with a scale.
void Nvfp4(const uint8_t* block, float* out) {
  for (int k = 0; k < 4; ++k) {
    const float scale = HalfOfE4m3(block[k]);
    for (int i = 0; i < 16; ++i) {
      const uint8_t byte = block[4 + 8 * k + i % 8];
      out[16 * k + i] = scale * static_cast<float>(kFp4Values[i < 8 ? byte & 15 : byte >> 4]);
    }
  }
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
                               {9, "Q8_1", 32, 36, Q8_1},
                               {10, "Q2_K", kSuper, 84, Q2_K},
                               {11, "Q3_K", kSuper, 110, Q3_K},
                               {12, "Q4_K", kSuper, 144, Q4_K},
                               {13, "Q5_K", kSuper, 176, Q5_K},
                               {14, "Q6_K", kSuper, 210, Q6_K},
                               {15, "Q8_K", kSuper, 292, Q8_K},
                               {16, "IQ2_XXS", kSuper, 66, DecodeIq2Xxs},
                               {17, "IQ2_XS", kSuper, 74, DecodeIq2Xs},
                               {18, "IQ3_XXS", kSuper, 98, DecodeIq3Xxs},
                               {19, "IQ1_S", kSuper, 50, DecodeIq1S},
                               {20, "IQ4_NL", 32, 18, Iq4Nl},
                               {21, "IQ3_S", kSuper, 110, DecodeIq3S},
                               {22, "IQ2_S", kSuper, 82, DecodeIq2S},
                               {23, "IQ4_XS", kSuper, 136, Iq4Xs},
                               {24, "I8", 0, 0, nullptr},
                               {25, "I16", 0, 0, nullptr},
                               {26, "I32", 0, 0, nullptr},
                               {27, "I64", 0, 0, nullptr},
                               {28, "F64", 1, 8, F64},
                               {29, "IQ1_M", kSuper, 56, DecodeIq1M},
                               {30, "BF16", 1, 2, Bf16},
                               {34, "TQ1_0", kSuper, 54, Tq1_0},
                               {35, "TQ2_0", kSuper, 66, Tq2_0},
                               {39, "MXFP4", 32, 17, Mxfp4},
                               {40, "NVFP4", 64, 36, Nvfp4},
                               {41, "Q1_0", 128, 18, Q1_0}};

}  // namespace

const GgmlType* FindGgmlType(uint32_t type) {
  for (const GgmlType& known : kTypes) {
    if (known.type == type) return &known;
  }
  return nullptr;
}

}  // namespace assay
