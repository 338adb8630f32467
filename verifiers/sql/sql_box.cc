#include "verifiers/sql/sql_box.h"

#include <algorithm>

#include "core/text.h"

namespace assay::sql {
namespace {

// One statement, which may read tables and call functions and nothing else; rows as JSON, one a line, then how it ended. The statement
// is all that comes from a model: no Python of its runs, and what it makes SQLite do stays in the box.
constexpr const char* kRunner = R"(
import json, math, os, sqlite3, sys
job = json.load(sys.stdin)
def end(how, message=''):
    print(json.dumps({'end': how, 'message': str(message)[:500]}))
    sys.stdout.flush()
    os._exit(0)
def cell(value):
    if isinstance(value, bytes):
        return {'blob': value.hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return {'number': repr(value)}
    return value
try:
    if os.path.exists('database.sqlite'):
        db = sqlite3.connect('file:database.sqlite?mode=ro&immutable=1', uri=True)
        db.execute('SELECT count(*) FROM sqlite_master').fetchall()
    else:
        db = sqlite3.connect(':memory:')
        db.executescript(open('database.sql', encoding='utf-8', errors='replace').read())
        db.commit()
except (sqlite3.Error, sqlite3.Warning) as e:
    end('database', e)
db.execute('PRAGMA query_only = 1')
db.text_factory = lambda text: text.decode('utf-8', 'backslashreplace')
ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
BANNED = {'load_extension', 'fts3_tokenizer', 'readfile', 'writefile', 'edit', 'random', 'randomblob'}
def authorize(action, first, second, *_):
    if action == sqlite3.SQLITE_FUNCTION and str(second).lower() in BANNED:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in ALLOWED else sqlite3.SQLITE_DENY
db.set_authorizer(authorize)
try:
    cursor = db.execute(job['query'])
    if cursor.description is None:
        end('error', 'the statement gives no rows')
    print(json.dumps({'columns': len(cursor.description)}))
    for number, row in enumerate(cursor):
        if number >= job['rows_max']:
            end('too_much')
        print(json.dumps([cell(value) for value in row]))
except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError, UnicodeError) as e:
    end('error', e)
end('rows')
)";

QueryRun ReadOutput(const RunResult& run, int64_t rows_max) {
  QueryRun out;
  for (std::string_view line : SplitChar(run.stdout_bytes, '\n')) {
    if (line.empty()) continue;
    Result<Json> said = ParseJson(line);
    if (!said.ok()) break;
    if (const Json::Array* cells = said->AsArray()) {
      if (static_cast<int64_t>(cells->size()) != out.rows.columns) break;
      if (static_cast<int64_t>(out.rows.rows.size()) >= rows_max) break;
      out.rows.rows.push_back(*cells);
      continue;
    }
    if (said->Find("columns") != nullptr) {
      out.rows.columns = said->IntOr("columns", 0);
      continue;
    }
    const std::string_view how = said->StringOr("end", "");
    out.message = said->StringOr("message", "");
    out.end = how == "rows"       ? QueryRun::End::kRows
              : how == "database" ? QueryRun::End::kBadDatabase
              : how == "too_much" ? QueryRun::End::kTooMuch
                                  : QueryRun::End::kError;
    return out;
  }
  out.end = QueryRun::End::kError;
  out.message = "the query ended its process";
  return out;
}

}  // namespace

QueryRun RunQuery(const Database& database, const std::string& query, int64_t rows_max,
                  const Limits& limits, Sandbox* sandbox) {
  Job job;
  job.source = kRunner;
  job.limits = limits;
  const size_t bytes = database.file.size() + database.script.size();
  job.limits.disk_mib = std::max<int64_t>(limits.disk_mib, 16 + static_cast<int64_t>(bytes >> 19));
  job.limits.memory_mib += static_cast<int64_t>(bytes >> 19);
  if (!database.file.empty()) {
    job.files = {{"database.sqlite", database.file}};
  } else {
    job.files = {{"database.sql", database.script}};
  }
  job.stdin_bytes = Json::MakeObject().Set("query", query).Set("rows_max", rows_max).Dump();
  const RunResult run = sandbox->Run(job);
  QueryRun out;
  if (run.cause == Cause::kFault) {
    out.message = run.fault;
    return out;
  }
  if (run.cause == Cause::kOutputLimit || run.stdout_truncated) {
    out.end = QueryRun::End::kTooMuch;
    return out;
  }
  if (run.cause != Cause::kOk && run.cause != Cause::kNonzeroExit) {
    out.end = QueryRun::End::kLimit;
    out.cause = run.cause;
    return out;
  }
  return ReadOutput(run, rows_max);
}

}  // namespace assay::sql
