// libFuzzer: the two halves of the input (parted at the first newline) compared. Whatever they are, Compare ends within its
// budget; each equals itself unless a limit says otherwise, neither the order nor what is drawn matters.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include "verifiers/math/math.h"

namespace {

using namespace assay::math;

double CpuMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

[[noreturn]] void Broken(const char* what, std::string_view a, std::string_view b) {
  std::fprintf(stderr, "%s: [%.*s] and [%.*s]\n", what, static_cast<int>(a.size()), a.data(),
               static_cast<int>(b.size()), b.data());
  abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t split = text.find('\n');
  if (split == std::string_view::npos) return 0;
  const std::string_view left = text.substr(0, split);
  const std::string_view right = text.substr(split + 1);
  const double start = CpuMs();
  const ParsedAnswer a = Parse(left);
  const ParsedAnswer b = Parse(right);
  const CompareResult forward = Compare(a, b);
  // Sanitizers slow everything by an order of magnitude: 20 ms become 400.
  if (CpuMs() - start > 400) Broken("slow", left, right);
  if (!a.ok() || !b.ok()) {
    if (forward.equal()) Broken("what does not parse was equal", left, right);
    return 0;
  }
  if (Compare(a, a).outcome == Outcome::kUnequal) Broken("unequal to itself", left, left);
  const CompareResult backward = Compare(b, a);
  if (forward.outcome != backward.outcome || forward.MethodText() != backward.MethodText())
    Broken("the order matters", left, right);
  for (const uint64_t salt : {1, 2, 3}) {
    CompareOptions options;
    options.salt = salt;
    const CompareResult other = Compare(a, b, options);
    const bool decided =
        forward.outcome != Outcome::kUndecided && other.outcome != Outcome::kUndecided;
    if (decided && forward.outcome != other.outcome) Broken("the draws matter", left, right);
  }
  return 0;
}
