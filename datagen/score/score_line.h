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

struct ScoreLineStyle {
  bool with_times = true;
  // The problem and the completions too, so that the line can be scored again. What an earlier run said of them (`rewards`, ..) is called
  // input_NAME in any case.
  bool keep_input = false;
};

// The line of one group, or of a flat sample that is a group of its own.
void AppendScoreLine(const Group& group, const GroupScore& score, const ScoreLineStyle& style,
                     std::string* out);

// The line of one flat sample, the group's sample `at`; `problem` as its own line says it. `in_group`: its advantage is written too.
void AppendFlatScoreLine(const Problem& problem, const Sample& sample, const GroupScore& group,
                         size_t at, bool in_group, const ScoreLineStyle& style, std::string* out);

// In place of a row's line. `file` is named unless it is empty.
void AppendErrorLine(const std::string& file, int64_t line, const Error& error, std::string* out);

}  // namespace assay
