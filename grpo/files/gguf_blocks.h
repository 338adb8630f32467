// The block formats of ggml's tensor types: how many weights a block holds in how many bytes, and what they are as float32. A row of a
// tensor is a whole number of blocks. Pure; thread-safe. Types of which only the name is known (whole numbers, which no
// weight is) are listed without a decoder.
#pragma once

#include <cstdint>

namespace assay {

struct GgmlType {
  uint32_t type;
  const char* name;
  int64_t block_elements;  // 0: known by name alone
  int64_t block_bytes;
  void (*decode)(const uint8_t* block, float* out);  // block_elements floats
};

// Null for a number that ggml does not give out.
const GgmlType* FindGgmlType(uint32_t type);

}  // namespace assay
