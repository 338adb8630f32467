#include "verifiers/sql/result_set.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/text.h"

namespace assay::sql {
namespace {

constexpr size_t kMatchedMax = 2000;
constexpr int kPermutationsMax = 200;

int Rank(const Json& cell) {
  return cell.IsNull() ? 0 : cell.IsNumber() ? 1 : cell.IsString() ? 2 : 3;
}

bool IsWhole(const Json& cell) { return !cell.IsDouble(); }

// Six digits of a number that may be off, so that what is nearly equal mostly sorts alike.
double Coarse(const Json& cell) {
  const double value = cell.NumberOr(0);
  if (value == 0 || !std::isfinite(value)) return value;
  const double scale = std::pow(10, 6 - std::ceil(std::log10(std::abs(value))));
  return std::isfinite(scale) && scale > 0 ? std::round(value * scale) / scale : value;
}

int Order(const Json& a, const Json& b) {
  if (Rank(a) != Rank(b)) return Rank(a) - Rank(b);
  if (a.IsNull()) return 0;
  if (a.IsInt() && b.IsInt()) return *a.AsInt() < *b.AsInt() ? -1 : *a.AsInt() > *b.AsInt();
  if (a.IsNumber()) {
    const double x = Coarse(a), y = Coarse(b);
    return x < y ? -1 : x > y;
  }
  const std::string x = a.IsString() ? *a.AsString() : a.Dump();
  const std::string y = b.IsString() ? *b.AsString() : b.Dump();
  return x.compare(y);
}

bool RowBefore(const Row& a, const Row& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (const int order = Order(a[i], b[i]); order != 0) return order < 0;
  }
  return false;
}

bool SameRow(const Row& a, const Row& b, double tol) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [tol](const Json& x, const Json& y) { return SameCell(x, y, tol); });
}

// Rows as a bag. What differs first: the place in `gold`, sorted; -1: nothing.
bool SameBag(std::vector<Row> gold, std::vector<Row> got, double tol) {
  if (gold.size() != got.size()) return false;
  std::sort(gold.begin(), gold.end(), RowBefore);
  std::sort(got.begin(), got.end(), RowBefore);
  std::vector<const Row*> left_gold, left_got;
  for (size_t i = 0; i < gold.size(); ++i) {
    if (SameRow(gold[i], got[i], tol)) continue;
    left_gold.push_back(&gold[i]);
    left_got.push_back(&got[i]);
  }
  // What sorted apart although it is nearly equal finds its partner here.
  if (left_gold.size() > kMatchedMax) return false;
  std::vector<bool> taken(left_got.size());
  for (const Row* row : left_gold) {
    bool found = false;
    for (size_t i = 0; i < left_got.size() && !found; ++i) {
      if (taken[i] || !SameRow(*row, *left_got[i], tol)) continue;
      taken[i] = found = true;
    }
    if (!found) return false;
  }
  return true;
}

std::vector<Row> WithoutDuplicates(std::vector<Row> rows, double tol) {
  std::sort(rows.begin(), rows.end(), RowBefore);
  rows.erase(std::unique(rows.begin(), rows.end(),
                         [tol](const Row& a, const Row& b) { return SameRow(a, b, tol); }),
             rows.end());
  return rows;
}

// Runs of rows that the order does not tell apart are bags of their own.
bool SameOrder(const std::vector<Row>& gold, const std::vector<Row>& got, const SameRules& rules) {
  for (size_t start = 0; start < gold.size();) {
    size_t end = start + 1;
    while (!rules.ties.empty() && end < gold.size() && rules.ties[end] == rules.ties[start]) ++end;
    const auto piece = [&](const std::vector<Row>& rows) {
      return std::vector<Row>(rows.begin() + static_cast<ptrdiff_t>(start),
                              rows.begin() + static_cast<ptrdiff_t>(end));
    };
    if (end == start + 1 ? !SameRow(gold[start], got[start], rules.float_tol)
                         : !SameBag(piece(gold), piece(got), rules.float_tol))
      return false;
    start = end;
  }
  return true;
}

std::string Shown(const Row& row) {
  Json list = Json::MakeArray();
  for (const Json& cell : row) list.Append(cell);
  return Shorten(list.Dump(), 200);
}

// A row that only one of the two has, in words.
std::string FirstDifference(const ResultSet& gold, const ResultSet& got, double tol) {
  std::vector<Row> a = gold.rows, b = got.rows;
  std::sort(a.begin(), a.end(), RowBefore);
  std::sort(b.begin(), b.end(), RowBefore);
  size_t i = 0;
  while (i < a.size() && i < b.size() && SameRow(a[i], b[i], tol)) ++i;
  const std::string counts =
      StrCat(b.size(), " rows where ", a.size(), a.size() == 1 ? " is" : " are", " expected");
  if (i < b.size() && (i >= a.size() || RowBefore(b[i], a[i])))
    return StrCat(counts, "; ", Shown(b[i]), " is one too many");
  return i < a.size() ? StrCat(counts, "; ", Shown(a[i]), " is missing") : counts;
}

Difference CompareRows(const ResultSet& gold, const ResultSet& got, const SameRules& rules) {
  const bool same = rules.count_duplicates
                        ? SameBag(gold.rows, got.rows, rules.float_tol)
                        : SameBag(WithoutDuplicates(gold.rows, rules.float_tol),
                                  WithoutDuplicates(got.rows, rules.float_tol), rules.float_tol);
  if (!same) return {Difference::Kind::kRows, FirstDifference(gold, got, rules.float_tol)};
  if (rules.ordered &&
      (gold.rows.size() != got.rows.size() || !SameOrder(gold.rows, got.rows, rules)))
    return {Difference::Kind::kOrder, "the rows are right, their order is not"};
  return {};
}

// Its columns in the order of `from`.
ResultSet Permuted(const ResultSet& set, const std::vector<size_t>& from) {
  ResultSet out;
  out.columns = set.columns;
  for (const Row& row : set.rows) {
    Row moved;
    for (size_t column : from) moved.push_back(row[column]);
    out.rows.push_back(std::move(moved));
  }
  return out;
}

bool SameColumn(const ResultSet& gold, size_t a, const ResultSet& got, size_t b, double tol) {
  return SameBag(Permuted(gold, {a}).rows, Permuted(got, {b}).rows, tol);
}

// Columns in any order: those whose values fit are tried in each other's places.
Difference CompareAnyColumns(const ResultSet& gold, const ResultSet& got, const SameRules& rules) {
  const auto count = static_cast<size_t>(gold.columns);
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::vector<bool>> fits(count, std::vector<bool>(count));
  for (size_t a = 0; a < count; ++a) {
    for (size_t b = 0; b < count; ++b)
      fits[a][b] = !rules.count_duplicates || SameColumn(gold, a, got, b, rules.float_tol);
  }
  Difference first = CompareRows(gold, got, rules);
  for (int tried = 0; first.kind != Difference::Kind::kNone && tried < kPermutationsMax;) {
    if (!std::next_permutation(order.begin(), order.end())) break;
    bool possible = true;
    for (size_t i = 0; i < count && possible; ++i) possible = fits[i][order[i]];
    if (!possible) continue;
    ++tried;
    Difference other = CompareRows(gold, Permuted(got, order), rules);
    if (other.kind == Difference::Kind::kNone) return other;
  }
  return first;
}

}  // namespace

bool SameCell(const Json& a, const Json& b, double float_tol) {
  if (a.IsNumber() && b.IsNumber()) {
    if (a.IsInt() && b.IsInt()) return *a.AsInt() == *b.AsInt();
    const double x = a.NumberOr(0), y = b.NumberOr(0);
    if (IsWhole(a) && IsWhole(b)) return x == y;
    return x == y || std::abs(x - y) <= float_tol * std::max(std::abs(x), std::abs(y));
  }
  return a == b;
}

Difference Compare(const ResultSet& gold, const ResultSet& got, const SameRules& rules) {
  constexpr int64_t kPermutedColumnsMax = 7;
  if (gold.columns != got.columns) {
    return {Difference::Kind::kColumns,
            StrCat(got.columns, " columns where ", gold.columns, " are expected")};
  }
  if (rules.any_columns && gold.columns > 1 && gold.columns <= kPermutedColumnsMax)
    return CompareAnyColumns(gold, got, rules);
  return CompareRows(gold, got, rules);
}

}  // namespace assay::sql
