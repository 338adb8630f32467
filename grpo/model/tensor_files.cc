#include "grpo/model/tensor_files.h"

#include <ATen/ATen.h>

#include <cstring>
#include <map>
#include <memory>

#include "core/text.h"
#include "grpo/files/safetensors.h"

namespace assay {

Status WriteTensors(const std::string& path, const std::vector<NamedTensor>& tensors) {
  std::vector<at::Tensor> host;  // keeps the bytes alive
  std::vector<SafeTensorOut> out;
  for (const NamedTensor& entry : tensors) {
    host.push_back(entry.tensor.detach().to(at::kCPU, at::kFloat).contiguous());
    SafeTensor tensor;
    tensor.dtype = "F32";
    tensor.shape = host.back().sizes().vec();
    tensor.data = static_cast<const uint8_t*>(host.back().data_ptr());
    tensor.bytes = host.back().nbytes();
    out.push_back({entry.name, tensor});
  }
  return WriteSafetensors(path, out);
}

Result<std::vector<NamedTensor>> ReadTensors(const std::string& path) {
  static const std::map<std::string, at::ScalarType> kDtypes = {
      {"F32", at::kFloat}, {"F64", at::kDouble}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}};
  Result<std::shared_ptr<const SafetensorsFile>> file = SafetensorsFile::Open(path);
  if (!file.ok()) return file.error();
  std::vector<NamedTensor> tensors;
  for (const auto& [name, entry] : (*file)->tensors()) {
    const auto dtype = kDtypes.find(entry.dtype);
    if (dtype == kDtypes.end()) {
      return Error{
          ErrorCode::kInput,
          StrCat(path, ": '", name, "' has dtype ", entry.dtype, ", which is not supported"),
          "known: F32, F64, F16, BF16"};
    }
    const auto options = at::TensorOptions().dtype(dtype->second);
    // The file's own pages, which the kernel may take back: of a large checkpoint each process copies what it wants.
    const bool aligned =
        reinterpret_cast<uintptr_t>(entry.data) % c10::elementSize(dtype->second) == 0;
    at::Tensor tensor;
    if (aligned && entry.bytes > 0) {
      tensor = at::from_blob(
          const_cast<uint8_t*>(entry.data), entry.shape, [keep = *file](void*) {}, options);
    } else {
      tensor = at::empty(entry.shape, options);
      if (entry.bytes > 0) std::memcpy(tensor.data_ptr(), entry.data, entry.bytes);
    }
    tensors.push_back({name, tensor.to(at::kFloat)});
  }
  return tensors;
}

}  // namespace assay
