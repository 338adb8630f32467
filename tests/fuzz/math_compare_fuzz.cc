// libFuzzer: the two halves of the input (parted at the first newline) compared. Whatever they are, Compare ends within its
// budget; each equals itself unless a limit says otherwise, and for single-valued answers the order does not matter.
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

bool SingleValued(const ParsedAnswer& answer) {
  return answer.kind() == AnswerKind::kNumber || answer.kind() == AnswerKind::kExpression;
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
  if (SingleValued(a) && SingleValued(b)) {
    const CompareResult backward = Compare(b, a);
    const bool decided = forward.outcome != Outcome::kLimit && backward.outcome != Outcome::kLimit;
    if (decided && forward.outcome != backward.outcome) Broken("the order matters", left, right);
  }
  return 0;
}
