// libFuzzer: any bytes as a GGUF file. What opens must decode tensor by tensor into as many numbers as it says, and its tokenizer, if
// it has one, must take any text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "grpo/files/gguf.h"
#include "grpo/tokenizer/tokenizer.h"
#include "tests/fuzz/heap_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  SetHeapFile(data, size);
  const Result<std::shared_ptr<const GgufFile>> file = GgufFile::Open("fuzz.gguf");
  if (!file.ok()) return 0;
  for (const GgufTensor& tensor : (*file)->tensors()) {
    // A tensor's numbers are at most 16 times its bytes, so a small file cannot ask for much.
    if (tensor.bytes == 0) {
      if (DequantizeGguf(tensor, nullptr).ok()) abort();
      continue;
    }
    std::vector<float> values(static_cast<size_t>(tensor.elements()));
    if (!DequantizeGguf(tensor, values.data()).ok()) abort();
  }
  const auto tokenizer = Tokenizer::FromGguf(**file);
  if (!tokenizer.ok()) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size < 200 ? size : 200);
  for (int64_t id : (*tokenizer)->Encode(text)) {
    if (id < 0 || id >= (*tokenizer)->vocab_size()) abort();
  }
  return 0;
}
