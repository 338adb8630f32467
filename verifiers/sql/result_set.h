// What a query gave, and whether two queries gave the same. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"

namespace assay::sql {

// A cell: null, number, text, or {"blob": hex} / {"number": "inf"}.
using Row = std::vector<Json>;

struct ResultSet {
  int64_t columns = 0;
  std::vector<Row> rows;
};

struct SameRules {
  bool ordered = false;
  bool count_duplicates = true;  // else as sets
  bool any_columns = false;      // columns in any order
  double float_tol = 1e-6;       // relative, where one side is no whole number
  // Of an ordered gold: for each row the number of the run of rows that its order does not tell apart; may be empty (every row stands
  // where it stands).
  std::vector<int64_t> ties;
};

struct Difference {
  enum class Kind { kNone, kColumns, kRows, kOrder };
  Kind kind = Kind::kNone;
  std::string detail;
};

bool SameCell(const Json& a, const Json& b, double float_tol);
// NULL equals NULL and nothing else; 1 equals 1.0; a number never equals a text. At most some 10^7 comparisons: rows that only
// differ by the tolerance are matched one to one up to 2,000 of them.
Difference Compare(const ResultSet& gold, const ResultSet& got, const SameRules& rules);

}  // namespace assay::sql
