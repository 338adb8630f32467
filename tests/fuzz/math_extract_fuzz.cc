// libFuzzer: any bytes as a reply, in every mode. Spans must lie within the reply, found answers must not be empty, and
// extraction is a pure function of its input.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "verifiers/math/reply/extract.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay::math;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const std::string& name : ModeNames()) {
    ExtractOptions options;
    options.mode = *ModeFromName(name);
    options.last_number = size % 2 == 0;
    options.truncated = size % 3 == 0;
    const Extraction found = ExtractAnswer(text, options);
    if (found.begin > found.end || found.end > text.size()) abort();
    if (found.found() && options.mode != Mode::kBare && found.text.empty()) abort();
    if (found.found() != (found.refusal[0] == '\0')) abort();
    if (ExtractAnswer(text, options).text != found.text) abort();
  }
  HasAnswerFrame(text);
  return 0;
}
