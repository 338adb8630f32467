// The options that a row brings for verifiers: {"options": {"math": {"mode": "completion"}}}. Every door that takes rows looks at them here
// when it reads one. What an option's value must be, the verifier itself says (verifier.h, BadRowOptions). Thread-safe.
#pragma once

#include "core/json.h"
#include "core/result.h"

namespace assay {

// Options for a verifier that does not exist would do nothing, and nobody would hear of it: kInput, with the nearest name. A row of choices
// ({"A": "..", "B": ".."}) has no objects in its `options`, as verifiers' options are, and passes; so does what is no object.
Status CheckRowOptions(const Json& options);

}  // namespace assay
