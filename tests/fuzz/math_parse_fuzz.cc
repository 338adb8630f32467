// libFuzzer: any bytes through the parser. It must end within the time limit, and what parses must print and equal itself.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "verifiers/math/math.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay::math;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const Grammar grammar : {Grammar::kAuto, Grammar::kLatex, Grammar::kPlain}) {
    ParseOptions options;
    options.grammar = grammar;
    const ParsedAnswer answer = Parse(text, options);
    if (!answer.ok() && !answer.ToString().empty()) abort();
    if (answer.ToString().size() > 1 << 16) abort();
  }
  return 0;
}
