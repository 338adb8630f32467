// What an eval says: pass rates by term with 95 % intervals, lengths, over the lines that `assay score` wrote. Pure but for reading.
#pragma once

#include <cstdint>
#include <string>

#include "core/json.h"
#include "core/result.h"

namespace assay {

struct Interval {
  double low = 0, high = 1;
};
// Wilson's score interval at 95 % for `passed` of `count` (Wilson 1927).
Interval WilsonInterval(int64_t passed, int64_t count);

// {"samples": n, "terms": {"math": {"passed", "judged", "share", "low", "high", "score", "reasons": {"wrong_value": 3}}}, "mean_bytes",
// "mean_tokens"}; reasons are of what failed. `scored`: the output of score, `groups`: its input, for the lengths (0 where it has no token ids),
// or "".
Result<Json> EvalFigures(const std::string& scored, const std::string& groups);

}  // namespace assay
