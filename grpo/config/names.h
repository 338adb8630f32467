// Enumerators by the names that recipes use: one table a kind, errors with "did you mean". Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/text.h"

namespace assay {

// The value that `table` gives to `name`. Error: kUsage "unknown <what> '<name>'".
template <typename T>
Result<T> FromName(std::string_view what, std::string_view name,
                   const std::vector<std::pair<std::string, T>>& table) {
  std::vector<std::string> names;
  for (const auto& [known, value] : table) {
    if (known == name) return value;
    names.push_back(known);
  }
  return Error{ErrorCode::kUsage, StrCat("unknown ", what, " '", name, "'"),
               DidYouMean(name, names)};
}

}  // namespace assay
