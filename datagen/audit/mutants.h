// Programs that differ from a right one in one place, for asking whether tests notice. Python, by tokens: texts and comments are left alone.
// Some mutants mean the same as the original, so that the share which passes is an upper bound of what tests miss. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::audit {

struct Mutant {
  std::string program;
  std::string change;  // "line 3: < became <="
};

// At most `count` different ones, drawn by `seed`.
std::vector<Mutant> MakeMutants(std::string_view program, int64_t count, uint64_t seed);

}  // namespace assay::audit
