// Small pieces of JSON Schema (draft 2020-12) for the responses that /openapi.json describes. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"

namespace assay {

Json StringSchema(std::string_view description);
Json NumberSchema(std::string_view description);
Json IntegerSchema(std::string_view description);
Json BooleanSchema(std::string_view description);
Json ArraySchema(Json items, std::string_view description);
// The same, or null.
Json OrNull(Json schema);
// An object whose keys are all there.
Json ObjectSchema(std::vector<std::pair<std::string, Json>> properties,
                  std::string_view description = "");

}  // namespace assay
