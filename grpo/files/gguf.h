// GgufFile: reads a GGUF file (version 2 or 3, little-endian) through a memory map: metadata, tensor table, and tensors dequantised
// to float32 (gguf_blocks.h; a type without a decoder is an error that names it). Every count, length and offset of the file is checked
// against its size before use. Immutable once open; safe from many threads. Writing is gguf_writer.h's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "grpo/files/mapped_file.h"

namespace assay {

struct GgufTensor {
  std::string name;
  std::vector<int64_t> shape;  // outermost first: [rows, columns], the reverse of the file's order
  uint32_t type = 0;           // ggml type number
  const uint8_t* data = nullptr;
  size_t bytes = 0;
  int64_t elements() const;
};

// A metadata value; arrays hold one kind.
struct GgufValue {
  enum class Kind { kInt, kUint, kFloat, kBool, kString, kArray };
  Kind kind = Kind::kInt;
  int64_t i = 0;  // kInt, kUint (bit pattern), kBool
  double f = 0;
  std::string_view s;                     // into the map
  std::vector<int64_t> ints;              // array of integers or bools
  std::vector<double> floats;             // array of floats
  std::vector<std::string_view> strings;  // array of strings
};

class GgufFile {
 public:
  // Errors: kIo; kInput ("model.gguf is cut short: tensor 'blk.3.attn_q.weight' ends at byte .., the file at ..").
  static Result<std::shared_ptr<const GgufFile>> Open(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const GgufValue* Find(std::string_view key) const;
  // Typed look-ups: the fallback if absent or of another kind (integers serve as doubles).
  int64_t IntOr(std::string_view key, int64_t fallback) const;
  double DoubleOr(std::string_view key, double fallback) const;
  std::string_view StringOr(std::string_view key, std::string_view fallback) const;
  bool BoolOr(std::string_view key, bool fallback) const;

  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  const GgufTensor* FindTensor(std::string_view name) const;

 private:
  friend class GgufParser;
  MappedFile file_;
  std::map<std::string, GgufValue, std::less<>> values_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string, size_t, std::less<>> tensor_index_;
};

const char* GgmlTypeName(uint32_t type);  // "Q4_K"; "type 99" numbers are "unknown"
// Dequantises into `out` (tensor.elements() floats). Errors: kInput for a type that is not supported.
Status DequantizeGguf(const GgufTensor& tensor, float* out);

}  // namespace assay
