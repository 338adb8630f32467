// Small edits by which rows of other layouts become rows of ours: a key filled from another, a column moved. Null counts as absent
// everywhere, and what the row has already is never written over. Pure functions on one row; thread-safe.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"

namespace assay {

// kInput.
Error InputError(std::string message, std::string hint = "");

// The value of `key` unless it is null.
const Json* Present(const Json& object, std::string_view key);
bool Has(const Json& row, std::string_view key);
bool IsArrayAt(const Json& row, std::string_view key);

// Sets `key` to the first of the named keys that is there, unless the row has it already.
void Fill(Json* row, std::string_view key, std::initializer_list<const char*> sources);
// Sets `key` to a value that is not null, unless the row has it already.
void FillWith(Json* row, std::string_view key, Json value);
// Moves `from`, which must be there, to `to`: the completions are not written out twice.
void Move(Json* row, std::string_view from, std::string_view to);
// A struct column, which some writers keep as a JSON string; null if it is neither.
Json Struct(const Json* value);

}  // namespace assay
