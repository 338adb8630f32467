// The little that has to be known of a query's text: where its parts stand. It parses no SQL: it skips texts, names in quotes, comments and
// brackets, and looks at the words in between. Pure; thread-safe; linear in the text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::sql {

// The query of a reply: what stands in <answer>, if there is one, and in it the last ```sql block, else the last unlabelled one, else all of
// it. Empty: there is none.
std::string FindQuery(std::string_view reply);

// True if the query itself (and not a part in brackets) says ORDER BY.
bool IsOrdered(std::string_view query);

// The query with what it is ordered by as further columns behind its own, so that it shows which rows are tied; or which of its own columns
// they are. Nothing where that cannot be told by looking: compound queries, DISTINCT, names that stand for other columns behind a `*`.
struct KeyedQuery {
  std::string text;
  std::vector<int> own_columns;  // of its own that are keys, from 0
  int added = 0;                 // keys behind its own columns
};
std::optional<KeyedQuery> WithOrderKeys(std::string_view query);

}  // namespace assay::sql
