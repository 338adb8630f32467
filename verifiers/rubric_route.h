// Which rows a term of a rubric is for: the tables `when` and `unless`.
//   when = { task = "math" }                      the row's field `task` is "math"
//   when = { task = ["math", "physics"] }         one of them
//   when = { "verification_info.level" = 5 }      inside of a field, also written as tables in tables
//   when = { finish_reason = "length" }           of the sample: finish_reason, model
// Several fields must all fit. A field that is a list fits if one of its items does; a field that is missing fits nothing.
// Pure; thread-safe.
#pragma once

#include <string_view>

#include "core/json.h"
#include "core/result.h"
#include "core/types.h"

namespace assay {

// Error: kUsage, "'when.task' is neither ...". Null is fine.
Status CheckRoute(std::string_view key, const Json& route);

// `route`: checked. True for null.
bool RouteFits(const Json& route, const Problem& problem, const Sample& sample);

}  // namespace assay
