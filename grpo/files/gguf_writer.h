// Writes GGUF files (version 3, little-endian) as llama.cpp reads them: metadata in the order given, then tensors, one after the other
// through a small buffer, so that a model need not be in memory. Written beside the target and renamed into place. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace assay {

// What weights may be written as; the numbers are ggml's.
enum class GgufOut : uint32_t { kF32 = 0, kF16 = 1, kQ8_0 = 8, kBf16 = 30 };

// A whole row of weights in that format. `columns` is a multiple of 32 for kQ8_0. F16 and BF16 round to nearest, ties to even; Q8_0
// scales the largest of 32 to 127 and rounds halves away from zero, as llama.cpp does.
void AppendGgufRow(GgufOut type, const float* row, int64_t columns, std::string* out);

class GgufWriter {
 public:
  void Add(std::string_view key, std::string_view value);
  void Add(std::string_view key, uint32_t value);
  void Add(std::string_view key, float value);
  void Add(std::string_view key, bool value);
  void Add(std::string_view key, const std::vector<std::string>& values);
  void Add(std::string_view key, const std::vector<float>& values);
  void Add(std::string_view key, const std::vector<int32_t>& values);

  struct Tensor {
    std::string name;
    std::vector<int64_t> shape;  // outermost first
    GgufOut type = GgufOut::kF32;
    // Fills `row` (shape's last number of floats) with row `index`, counted over all outer dimensions.
    std::function<Status(int64_t index, float* row)> read_row;
  };
  void Add(Tensor tensor) { tensors_.push_back(std::move(tensor)); }

  // Errors: kIo; those of read_row.
  Status Write(const std::string& path) const;

 private:
  void Key(std::string_view key, uint32_t type);

  std::string metadata_;
  uint64_t values_ = 0;
  std::vector<Tensor> tensors_;
};

}  // namespace assay
