// The layers that attacks name, and how each is switched off for a twin. Constant; thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace assay::redteam {

enum class HowOff : uint8_t {
  kWeak,   // a bit of WeakLayer (sandbox/weakened.h)
  kTier,   // isolation "none": neither namespaces nor Landlock
  kLimit,  // the row's twin_limits
  kAllow,  // programs may be started ("subprocess")
  kJudge,  // a careless judge of the row's choice (careless.h)
};

struct Layer {
  const char* name;
  HowOff how;
  uint32_t bit;  // kWeak
  const char* what;
};

// Null if there is none of that name.
const Layer* FindLayer(std::string_view name);

}  // namespace assay::redteam
