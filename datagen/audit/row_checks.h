// What can be said of a row by looking at its text. Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "core/types.h"

namespace assay::audit {

// The row's own solution: for rows with tests a program, for others a worked solution. `key`: where it stands; "": the usual names.
// Empty: it has none.
std::string SolutionOf(const Problem& problem, std::string_view key);
// Whether programs are asked for.
bool HasTests(const Problem& problem);
// The prompt without case and white space, for finding doubles.
std::string PlainPrompt(const Problem& problem);
// Where the prompt gives its answer away, as a sentence; empty: it does not. An answer counts where it is announced ("answer: 42"),
// or is long enough that it cannot stand there by chance.
std::string AnswerInPrompt(std::string_view prompt, std::string_view answer);
// The same for a program: most of its lines that are not trivial stand in the prompt.
std::string ProgramInPrompt(std::string_view prompt, std::string_view program);

}  // namespace assay::audit
