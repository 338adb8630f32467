// A rubric as a store keeps it (RubricSpec::ToJson), read back.
#pragma once

#include "core/json.h"
#include "core/result.h"
#include "verifiers/rubric.h"

namespace assay {

// Errors: kInput, where it is none, or one of a version that had other keys.
Result<RubricSpec> RubricFromJson(const Json& stored);

}  // namespace assay
