// Decoders of ggml's types whose weights stand in codebooks (gguf_grids.h): a block of 256 weights into as many floats. Pure; thread-safe.
#pragma once

#include <cstdint>

namespace assay {

void DecodeIq1S(const uint8_t* block, float* out);
void DecodeIq1M(const uint8_t* block, float* out);
void DecodeIq2Xxs(const uint8_t* block, float* out);
void DecodeIq2Xs(const uint8_t* block, float* out);
void DecodeIq2S(const uint8_t* block, float* out);
void DecodeIq3Xxs(const uint8_t* block, float* out);
void DecodeIq3S(const uint8_t* block, float* out);

}  // namespace assay
