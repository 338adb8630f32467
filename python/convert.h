// Python's plain objects as Json, and back. Both need the GIL. What JSON has no word for becomes null and never an error: a row may carry
// columns (pictures, tensors) that no verifier looks at.
#pragma once

#include <nanobind/nanobind.h>

#include "core/json.h"

namespace assay::python {

// None, bool, int, float (NaN and infinities: null), str (lone surrogates: U+FFFD), bytes (as UTF-8), dict (keys by str()), list, tuple;
// scalars and arrays of numpy by their item() and tolist(), objects with model_dump() or isoformat() by these; all else is null.
Json ToJson(nanobind::handle value);

// A big number becomes an int where its token is one, else a float.
nanobind::object FromJson(const Json& value);

// UTF-8 to str; bytes that are no UTF-8 become U+FFFD.
nanobind::object ToStr(std::string_view text);

}  // namespace assay::python
