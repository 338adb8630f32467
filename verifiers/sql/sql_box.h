// Runs one query in the sandbox, by the SQLite of the box's Python, on a database that is only read. Thread-safe.
#pragma once

#include <string>

#include "sandbox/sandbox.h"
#include "verifiers/sql/result_set.h"

namespace assay::sql {

// A database file's bytes, or a script that makes it.
struct Database {
  std::string file;
  std::string script;
};

struct QueryRun {
  enum class End {
    kRows,         // `rows` is whole
    kError,        // SQLite's own words in `message`; a statement that would write, too
    kBadDatabase,  // the script or file is none
    kTooMuch,      // more rows or bytes than are taken
    kLimit,        // `cause` says which
    kFault,        // ours
  };
  End end = End::kFault;
  Cause cause = Cause::kOk;
  std::string message;
  ResultSet rows;
};

// `limits`: of the box. At most `rows_max` rows are taken.
QueryRun RunQuery(const Database& database, const std::string& query, int64_t rows_max,
                  const Limits& limits, Sandbox* sandbox);

}  // namespace assay::sql
