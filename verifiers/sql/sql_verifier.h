// The `sql` verifier: a query against the row's own, by what the two give on the row's databases. The row is read once, the gold runs
// once a group, each in a box of its own: the gold's rows never enter a candidate's. Thread-safe; the sandbox must outlive it.
#pragma once

#include <memory>

#include "verifiers/verifier.h"

namespace assay {

std::vector<OptionInfo> SqlOptionInfos();

// Reasons: ok; no_query, sql_error, wrong_columns, wrong_rows, wrong_order, too_many_rows, a limit's name (fail); gold_missing,
// gold_database, gold_query, gold_empty (fault: the row's); sandbox_fault (ours). Evidence: "query", "rows", "ordered".
Result<std::unique_ptr<Verifier>> MakeSqlVerifier(const Json& options, const VerifierEnv& env);

}  // namespace assay
