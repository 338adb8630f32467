// What those who judge outside of this process are told: a row's columns and a sample, as JSON. Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/types.h"

namespace assay::own {

// The row under the names that it came with, beside `id`, `task`, `prompt`, `messages`, `answer` (a string; a list where there are
// several), `verification_info`. Absent things have no key.
Json ColumnsOf(const Problem& problem);

struct SampleRef {
  const Group* group;
  size_t sample;
  std::optional<std::string_view> answer{};  // found in its text already
};

// {"problems": [columns], "samples": [{"problem": place, "text": .., "answer": .., "finish_reason": .., "model": ..,
// "ids": [..]}]}: a problem stands there once, however many of its samples follow one another.
std::string RequestJson(const std::vector<SampleRef>& samples, bool with_token_ids);

}  // namespace assay::own
