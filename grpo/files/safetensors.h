// Safetensors: an 8-byte length, a JSON header and raw little-endian tensors. Reading is through a memory map with every
// offset checked; writing streams to a file beside the target and renames it. Without LibTorch. An opened file is immutable and
// safe from many threads.
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

struct SafeTensor {
  std::string dtype;  // "F32", "BF16", ...
  std::vector<int64_t> shape;
  const uint8_t* data = nullptr;
  size_t bytes = 0;
};

class SafetensorsFile {
 public:
  // Errors: kIo; kInput (cut short, an impossible header, offsets out of range; the tensor is named).
  static Result<std::shared_ptr<const SafetensorsFile>> Open(const std::string& path);
  const std::string& path() const { return file_.path(); }
  const std::map<std::string, SafeTensor, std::less<>>& tensors() const { return tensors_; }

 private:
  MappedFile file_;
  std::map<std::string, SafeTensor, std::less<>> tensors_;
};

// What is to be written; `data` must stay valid until WriteSafetensors returns.
struct SafeTensorOut {
  std::string name;
  SafeTensor tensor;
};
// Byte size of an element, 0 for an unknown dtype name.
size_t SafeDtypeBytes(std::string_view dtype);
// Synced and renamed into place. Errors: kIo ("no space left on device").
Status WriteSafetensors(const std::string& path, const std::vector<SafeTensorOut>& tensors);

}  // namespace assay
