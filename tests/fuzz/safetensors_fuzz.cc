// libFuzzer: any bytes as a safetensors file. Every byte of every tensor that it names must be there.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "grpo/files/safetensors.h"
#include "tests/fuzz/heap_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  SetHeapFile(data, size);
  const Result<std::shared_ptr<const SafetensorsFile>> file =
      SafetensorsFile::Open("fuzz.safetensors");
  if (!file.ok()) return 0;
  volatile uint8_t sum = 0;
  for (const auto& [name, tensor] : (*file)->tensors()) {
    size_t elements = 1;
    for (int64_t side : tensor.shape) elements *= static_cast<size_t>(side);
    if (elements * SafeDtypeBytes(tensor.dtype) != tensor.bytes) abort();
    for (size_t i = 0; i < tensor.bytes; ++i) sum = sum + tensor.data[i];
  }
  return 0;
}
