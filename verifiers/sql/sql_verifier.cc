#include "verifiers/sql/sql_verifier.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>

#include "core/jsonl.h"
#include "core/text.h"
#include "verifiers/code/code_task.h"
#include "verifiers/sql/result_set.h"
#include "verifiers/sql/sql_box.h"
#include "verifiers/sql/sql_text.h"

namespace assay {
namespace {

using sql::Database;
using sql::QueryRun;

constexpr size_t kMaxQueryBytes = size_t{64} << 10;
constexpr size_t kMaxDatabaseBytes = size_t{256} << 20;

struct SqlOptions {
  std::string databases;
  bool order = true;
  bool count_duplicates = true;
  bool any_columns = false;
  bool allow_empty = false;
  double float_tol = 1e-6;
  int64_t rows_max = 100'000;
  int64_t cpu_ms = 10'000;
};

Options SqlTable(SqlOptions* o) {
  Options table = VerifierOptions("sql");
  table.Add("databases", &o->databases,
            "folder of SQLite files, DB/DB.sqlite or DB.sqlite for the row's `db_id`; a row cannot "
            "say it");
  table.Add("order", &o->order, {{"auto", true}, {"ignore", false}},
            "auto: the order of rows counts where the row's query says ORDER BY, ties aside");
  table.Add("duplicates", &o->count_duplicates, {{"count", true}, {"ignore", false}},
            "whether a row that comes twice must come twice; ignore: sets of rows (BIRD)");
  table.Add("columns", &o->any_columns, {{"ordered", false}, {"any", true}},
            "any: columns may come in another order (Spider)");
  table.Add("allow_empty", &o->allow_empty,
            "a gold without rows is no fault; any query that finds nothing meets it");
  table.Add("float_tol", &o->float_tol, "how far numbers may differ, relatively, whole ones not")
      .AtLeast(0)
      .Below(1);
  table.Add("rows_max", &o->rows_max, "more rows than this are a failure").Range(1, 1e6);
  table.Add("cpu_ms", &o->cpu_ms, "CPU time of one query").Range(1, 1e9);
  return table;
}

std::string FirstText(const Problem& problem, std::initializer_list<const char*> keys) {
  for (const Json* where : {&problem.verification_info, &problem.extra}) {
    for (const char* key : keys) {
      if (std::string_view text = where->StringOr(key, ""); !Trim(text).empty())
        return std::string(Trim(text));
    }
  }
  return "";
}

std::string GoldOf(const Problem& problem) {
  std::string gold = FirstText(problem, {"query", "gold_query", "SQL", "sql", "gold_sql"});
  if (gold.empty() && !problem.answers.empty()) gold = std::string(Trim(problem.answers[0]));
  return gold;
}

// A name that stays in its folder.
bool IsPlainName(std::string_view name) {
  if (name.empty() || name[0] == '.' || name.size() > 200) return false;
  for (char c : name) {
    const bool fine =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
    if (!fine) return false;
  }
  return true;
}

Verdict BadDatabase(std::string message) {
  return Verdict::Fault("gold_database", std::move(message));
}

// What a failed run of a candidate is worth. Not for kRows.
Verdict FailOf(const QueryRun& run, const SqlOptions& options) {
  switch (run.end) {
    case QueryRun::End::kError:
      return Verdict::Fail("sql_error", Shown(run.message));
    case QueryRun::End::kTooMuch:
      return Verdict::Fail("too_many_rows",
                           StrCat("more than ", options.rows_max, " rows, or too long ones"));
    case QueryRun::End::kLimit: {
      Limits limits;
      limits.cpu_ms = options.cpu_ms;
      return FailByCause(run.cause, limits);
    }
    case QueryRun::End::kBadDatabase:
      return BadDatabase(run.message);
    default:
      return Verdict::Fault("sandbox_fault", run.message);
  }
}

// A database with what the row's query gives on it.
struct Gold {
  Database database;
  sql::ResultSet rows;
  std::vector<int64_t> ties;
};

class SqlVerifier : public Verifier {
 public:
  SqlVerifier(SqlOptions options, std::string folder, Sandbox* sandbox)
      : options_(std::move(options)), folder_(std::move(folder)), sandbox_(sandbox) {}

  int64_t BatchSamples() const override { return 1; }

  std::vector<Verdict> Verify(const Group& group, const Json* row_options) const override {
    SqlOptions options = options_;
    if (row_options != nullptr) {
      Status read = SqlTable(&options).Read(*row_options);
      if (read.ok() && options.databases != options_.databases)
        read = Error{ErrorCode::kUsage, "a row cannot say 'databases'", ""};
      if (!read.ok()) return BadRowOptions(read.error(), group.samples.size());
    }
    const auto all = [&group](const Verdict& verdict) {
      return std::vector<Verdict>(group.samples.size(), verdict);
    };
    const std::string gold_query = GoldOf(group.problem);
    if (gold_query.empty())
      return all(
          Verdict::Fault("gold_missing", "the row has no query (`query`, `SQL` or `answer`)"));
    std::vector<Gold> golds;
    if (Verdict bad = ReadGolds(group.problem, gold_query, options, &golds);
        bad.outcome != Outcome::kPass)
      return all(bad);
    std::vector<Verdict> verdicts;
    std::map<std::string, size_t> known;
    for (const Sample& sample : group.samples) {
      const auto start = std::chrono::steady_clock::now();
      const std::string query = sql::FindQuery(sample.text);
      auto [found, fresh] = known.emplace(query, verdicts.size());
      verdicts.push_back(fresh ? JudgeQuery(query, gold_query, golds, options)
                               : verdicts[found->second]);
      const auto end = std::chrono::steady_clock::now();
      verdicts.back().ms = std::chrono::duration<double, std::milli>(end - start).count();
    }
    return verdicts;
  }

 private:
  QueryRun Run(const Database& database, const std::string& query,
               const SqlOptions& options) const {
    Limits limits;
    limits.cpu_ms = options.cpu_ms;
    limits.wall_ms = 2 * options.cpu_ms;
    return sql::RunQuery(database, query, options.rows_max, limits, sandbox_);
  }

  // A pass, or why there is nothing to judge by.
  Verdict ReadGolds(const Problem& problem, const std::string& query, const SqlOptions& options,
                    std::vector<Gold>* golds) const {
    std::vector<Database> databases;
    if (Verdict bad = ReadDatabases(problem, options, &databases); bad.outcome != Outcome::kPass)
      return bad;
    bool any_rows = false;
    for (Database& database : databases) {
      Gold gold{std::move(database), {}, {}};
      QueryRun run = Run(gold.database, query, options);
      if (run.end == QueryRun::End::kFault || run.end == QueryRun::End::kBadDatabase)
        return FailOf(run, options);
      if (run.end != QueryRun::End::kRows)
        return Verdict::Fault("gold_query",
                              StrCat("the row's own query: ", FailOf(run, options).detail));
      gold.rows = std::move(run.rows);
      any_rows = any_rows || !gold.rows.rows.empty();
      if (options.order && sql::IsOrdered(query)) gold.ties = Ties(gold, query, options);
      golds->push_back(std::move(gold));
    }
    if (!any_rows && !options.allow_empty) {
      return Verdict::Fault(
          "gold_empty",
          "the row's query finds nothing, which every query that finds nothing meets");
    }
    return Verdict::Pass();
  }

  Verdict ReadDatabases(const Problem& problem, const SqlOptions& options,
                        std::vector<Database>* databases) const {
    const Json* given = problem.verification_info.Find("database");
    if (given == nullptr) given = problem.extra.Find("database");
    if (given != nullptr && given->IsString()) databases->push_back({"", *given->AsString()});
    if (given != nullptr && given->IsArray()) {
      for (const Json& script : *given->AsArray()) {
        if (!script.IsString()) return BadDatabase("'database' holds something that is no text");
        databases->push_back({"", *script.AsString()});
      }
    }
    if (!databases->empty()) return Verdict::Pass();
    const std::string name = FirstText(problem, {"db_id"});
    if (name.empty()) return BadDatabase("the row has neither `database` nor `db_id`");
    if (options.databases.empty())
      return BadDatabase("the row names a database and the option `databases` no folder");
    if (!IsPlainName(name)) return BadDatabase(StrCat("'", Shown(name), "' is no database's name"));
    std::filesystem::path folder(options.databases);
    if (folder.is_relative() && !folder_.empty()) folder = std::filesystem::path(folder_) / folder;
    for (const std::filesystem::path& file :
         {folder / name / (name + ".sqlite"), folder / (name + ".sqlite")}) {
      std::error_code error;
      if (!std::filesystem::is_regular_file(file, error)) continue;
      Result<std::string> bytes = ReadFile(file.string(), kMaxDatabaseBytes);
      if (!bytes.ok()) return BadDatabase(bytes.error().message);
      databases->push_back({std::move(bytes).value(), ""});
      return Verdict::Pass();
    }
    return BadDatabase(StrCat("no ", name, ".sqlite in ", folder.string()));
  }

  // For each row of an ordered gold the run of rows that its order leaves tied; empty where that cannot be known: then the gold's own
  // order stands.
  std::vector<int64_t> Ties(const Gold& gold, const std::string& query,
                            const SqlOptions& options) const {
    const std::optional<sql::KeyedQuery> keyed = sql::WithOrderKeys(query);
    if (!keyed) return {};
    const QueryRun run = Run(gold.database, keyed->text, options);
    const auto columns = static_cast<size_t>(gold.rows.columns);
    if (run.end != QueryRun::End::kRows || run.rows.rows.size() != gold.rows.rows.size() ||
        run.rows.columns != gold.rows.columns + keyed->added)
      return {};
    std::vector<int64_t> ties;
    for (size_t i = 0; i < run.rows.rows.size(); ++i) {
      const sql::Row& row = run.rows.rows[i];
      bool tied = i > 0;
      for (size_t c = 0; c < columns; ++c) {
        if (!sql::SameCell(row[c], gold.rows.rows[i][c], 0))
          return {};  // another order than its own
      }
      for (size_t c = columns; c < row.size() && tied; ++c)
        tied = sql::SameCell(row[c], run.rows.rows[i - 1][c], 0);
      for (int c : keyed->own_columns) {
        if (c < 0 || static_cast<size_t>(c) >= columns) return {};
        tied = tied && sql::SameCell(row[static_cast<size_t>(c)],
                                     run.rows.rows[i - 1][static_cast<size_t>(c)], 0);
      }
      ties.push_back(tied ? ties.back() : static_cast<int64_t>(i));
    }
    return ties;
  }

  Verdict JudgeQuery(const std::string& query, const std::string& gold_query,
                     const std::vector<Gold>& golds, const SqlOptions& options) const {
    if (query.empty()) return Verdict::Fail("no_query", "the reply holds no query");
    if (query.size() > kMaxQueryBytes) return Verdict::Fail("sql_error", "the query is too long");
    sql::SameRules rules;
    rules.ordered = options.order && sql::IsOrdered(gold_query);
    rules.count_duplicates = options.count_duplicates;
    rules.any_columns = options.any_columns;
    rules.float_tol = options.float_tol;
    Verdict verdict = Verdict::Pass();
    int64_t rows = 0;
    for (const Gold& gold : golds) {
      const QueryRun run = Run(gold.database, query, options);
      if (run.end != QueryRun::End::kRows) {
        verdict = FailOf(run, options);
        break;
      }
      rows += static_cast<int64_t>(run.rows.rows.size());
      rules.ties = gold.ties;
      const sql::Difference difference = sql::Compare(gold.rows, run.rows, rules);
      if (difference.kind == sql::Difference::Kind::kNone) continue;
      verdict = Verdict::Fail(difference.kind == sql::Difference::Kind::kColumns ? "wrong_columns"
                              : difference.kind == sql::Difference::Kind::kOrder ? "wrong_order"
                                                                                 : "wrong_rows",
                              difference.detail);
      break;
    }
    if (verdict.outcome == Outcome::kFault) return verdict;
    verdict.evidence.Set("query", Shown(query)).Set("rows", rows).Set("ordered", rules.ordered);
    return verdict;
  }

  const SqlOptions options_;
  const std::string folder_;
  Sandbox* const sandbox_;
};

}  // namespace

std::vector<OptionInfo> SqlOptionInfos() {
  SqlOptions defaults;
  return SqlTable(&defaults).Infos();
}

Result<std::unique_ptr<Verifier>> MakeSqlVerifier(const Json& options, const VerifierEnv& env) {
  SqlOptions read;
  if (Status status = SqlTable(&read).Read(options); !status.ok()) return status.error();
  if (env.sandbox == nullptr) {
    return Error{ErrorCode::kUnavailable, "verifier 'sql' needs the sandbox",
                 "run `assay doctor`: it says what is missing"};
  }
  return std::unique_ptr<Verifier>(
      std::make_unique<SqlVerifier>(std::move(read), env.folder, env.sandbox));
}

}  // namespace assay
