// The lines that a scoring run writes (docs/formats.md): rewards, advantages and verdicts of a group, of one of its samples, or the error
// of a line that could not be read. All append one line without its newline. Pure functions; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "core/types.h"
#include "verifiers/rubric.h"

namespace assay {

// The line of one group, or of a flat sample that is a group of its own.
void AppendScoreLine(const Group& group, const GroupScore& score, bool with_times,
                     std::string* out);

// The line of one flat sample, the group's sample `at`. `extra`: keys of its input that are passed on; `in_group`: its advantage is
// written too.
void AppendFlatScoreLine(const Json& id, const Json& extra, const GroupScore& group, size_t at,
                         bool in_group, bool with_times, std::string* out);

// In place of a row's line. `file` is named unless it is empty.
void AppendErrorLine(const std::string& file, int64_t line, const Error& error, std::string* out);

}  // namespace assay
