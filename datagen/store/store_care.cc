#include "datagen/store/store_care.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "core/hash.h"
#include "core/text.h"
#include "datagen/store/sqlite.h"
#include "datagen/store/store_schema.h"

namespace assay {
namespace {

using sqlite::Database;
using sqlite::Statement;

constexpr int kBusyMs = 10'000;
constexpr size_t kComplaintsMost = 100;

Result<std::unique_ptr<Database>> Open(const std::string& path, bool writes) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    return Error{ErrorCode::kIo, StrCat("no store at '", path, "'"), "check the path"};
  auto db = Database::Open(path, writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, kBusyMs);
  if (!db.ok()) return db.error();
  if (Status status = sqlite::PrepareSchema(db->get(), writes, /*create=*/false); !status.ok())
    return status.error();
  if (Status status = (*db)->Exec("PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY"); !status.ok())
    return status.error();
  return std::move(*db);
}

// Sentences, so many of a kind that a person still reads them.
class Complaints {
 public:
  explicit Complaints(Database* db) : db_(db) {}

  // `sql` gives one text column: a sentence for each misfit.
  Status FromQuery(const std::string& sql) {
    Result<Statement> row = db_->Prepare(sql);
    if (!row.ok()) return row.error();
    for (;;) {
      Result<bool> more = row->Step();
      if (!more.ok()) return more.error();
      if (!*more) return {};
      Add(row->StringAt(0));
    }
  }
  void Add(std::string sentence) {
    if (sentences.size() < kComplaintsMost) sentences.push_back(std::move(sentence));
  }
  std::vector<std::string> sentences;

 private:
  Database* db_;
};

constexpr const char* kChecks[] = {
    "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    R"(SELECT 'table ' || "table" || ', row ' || rowid || ' refers to a row of ' || parent || ' that is not there'
         FROM pragma_foreign_key_check)",
    "SELECT 'row ' || r.id || ' says it has ' || r.sample_count || ' samples; there are ' || "
    "count(s.id) "
    "FROM rows r LEFT JOIN samples s ON s.row_id = r.id "
    "AND s.id BETWEEN r.first_sample AND r.first_sample + r.sample_count - 1 "
    "GROUP BY r.id HAVING count(s.id) <> r.sample_count",
    "SELECT 'input ' || i.file || ' says it has ' || i.rows_done || ' rows; there are ' || "
    "count(r.id) "
    "FROM inputs i LEFT JOIN rows r ON r.input_id = i.id GROUP BY i.id HAVING count(r.id) <> "
    "i.rows_done",
    "SELECT 'data set ' || d.name || ' has gaps in its positions' FROM datasets d "
    "JOIN dataset_rows r ON r.dataset_id = d.id GROUP BY d.id HAVING max(r.position) + 1 <> "
    "count(*)",
    "SELECT 'data set ' || d.name || ' counts ' || c.samples || ' samples as ' || c.decision || '; "
    "there are ' || "
    "count(x.sample_id) FROM datasets d JOIN dataset_decisions c ON c.dataset_id = d.id "
    "LEFT JOIN dataset_drops x ON x.dataset_id = d.id AND x.place = c.place "
    "WHERE c.decision <> 'kept' AND EXISTS (SELECT 1 FROM dataset_drops y WHERE y.dataset_id = "
    "d.id) "
    "GROUP BY d.id, c.place HAVING count(x.sample_id) <> c.samples",
    "SELECT 'text ' || t.id || ' has no hash' FROM texts t LEFT JOIN text_hashes h ON h.id = t.id "
    "WHERE h.id IS NULL"};

// Every text's length, and its hash against the index by which it is found.
Status CheckTexts(Database* db, Complaints* complaints) {
  Result<Statement> row = db->Prepare(
      "SELECT t.id, t.bytes, t.body, h.high, h.low FROM text_hashes h JOIN texts t ON t.id = h.id");
  if (!row.ok()) return row.error();
  for (;;) {
    Result<bool> more = row->Step();
    if (!more.ok()) return more.error();
    if (!*more) return {};
    const std::string_view body = row->TextAt(2);
    const Hash128 hash = HashBytes128(body);
    if (static_cast<int64_t>(body.size()) != row->IntAt(1) ||
        static_cast<int64_t>(hash.high) != row->IntAt(3) ||
        static_cast<int64_t>(hash.low) != row->IntAt(4))
      complaints->Add(StrCat("text ", row->IntAt(0), " is not the one that was stored"));
  }
}

Result<std::optional<int64_t>> IdOf(Database* db, const char* table, const std::string& name) {
  Result<Statement> row = db->Prepare(StrCat("SELECT id FROM ", table, " WHERE name = ?"));
  if (!row.ok()) return row.error();
  row->Text(1, name);
  Result<bool> found = row->Step();
  if (!found.ok()) return found.error();
  return *found ? std::optional<int64_t>(row->IntAt(0)) : std::nullopt;
}

Status InTransaction(Database* db, const std::string& sql) {
  if (Status status = db->Exec("BEGIN IMMEDIATE"); !status.ok()) return status;
  Status status = db->Exec(sql);
  if (status.ok()) status = db->Exec("COMMIT");
  if (!status.ok() && db->InTransaction()) (void)db->Exec("ROLLBACK");
  return status;
}

int64_t BytesOf(const std::string& path) {
  int64_t bytes = 0;
  for (const char* part : {"", "-wal"}) {
    std::error_code missing;
    const auto size = std::filesystem::file_size(StrCat(path, part), missing);
    if (!missing) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

}  // namespace

Result<std::vector<std::string>> CheckStore(const std::string& path) {
  auto db = Open(path, /*writes=*/false);
  if (!db.ok()) return db.error();
  Complaints complaints(db->get());
  // One state of the store, whatever is written meanwhile.
  if (Status status = (*db)->Exec("BEGIN"); !status.ok()) return status.error();
  for (const char* sql : kChecks) {
    if (Status status = complaints.FromQuery(sql); !status.ok()) return status.error();
  }
  if (Status status = CheckTexts(db->get(), &complaints); !status.ok()) return status.error();
  return std::move(complaints.sentences);
}

Result<StoreGarbage> CollectGarbage(const std::string& path) {
  auto db = Open(path, /*writes=*/true);
  if (!db.ok()) return db.error();
  StoreGarbage garbage;
  if (Status status = (*db)->Exec("BEGIN IMMEDIATE"); !status.ok()) return status.error();
  const auto run = [&](const char* sql, const char* query, int64_t* count) -> Status {
    Result<int64_t> value = (*db)->QueryInt(query);
    if (!value.ok()) return value.error();
    *count += *value;
    return (*db)->Exec(sql);
  };
  constexpr char kNoProblem[] =
      " FROM problems WHERE id NOT IN (SELECT problem_id FROM rows WHERE problem_id IS NOT NULL)";
  constexpr char kNoText[] =
      " FROM texts WHERE id NOT IN (SELECT text_id FROM samples UNION SELECT prompt_id FROM "
      "problems WHERE prompt_id IS NOT NULL)";
  Status status = run(StrCat("DELETE FROM problem_hashes WHERE id IN (SELECT id", kNoProblem,
                             "); DELETE", kNoProblem)
                          .c_str(),
                      StrCat("SELECT count(*)", kNoProblem).c_str(), &garbage.problems);
  if (status.ok()) {
    Result<int64_t> bytes = (*db)->QueryInt(StrCat("SELECT coalesce(sum(bytes), 0)", kNoText));
    status = bytes.ok() ? Status() : Status(bytes.error());
    if (bytes.ok()) garbage.bytes = *bytes;
  }
  if (status.ok()) {
    status =
        run(StrCat("DELETE FROM text_hashes WHERE id IN (SELECT id", kNoText, "); DELETE", kNoText)
                .c_str(),
            StrCat("SELECT count(*)", kNoText).c_str(), &garbage.texts);
  }
  if (status.ok()) status = (*db)->Exec("COMMIT");
  if (!status.ok()) {
    if ((*db)->InTransaction()) (void)(*db)->Exec("ROLLBACK");
    return status.error();
  }
  return garbage;
}

Status DropDataset(const std::string& path, const std::string& name) {
  auto db = Open(path, /*writes=*/true);
  if (!db.ok()) return db.error();
  Result<std::optional<int64_t>> id = IdOf(db->get(), "datasets", name);
  if (!id.ok()) return id.error();
  if (!*id) {
    return Error{ErrorCode::kUsage, StrCat("no data set '", name, "' in store '", path, "'"),
                 "`assay stats` lists them"};
  }
  std::string sql;
  for (const char* table :
       {"dataset_decisions", "dataset_rows", "dataset_drops", "dataset_runs", "exports"})
    StrAppend(&sql, "DELETE FROM ", table, " WHERE dataset_id = ", **id, ";");
  return InTransaction(db->get(), StrCat(sql, "DELETE FROM datasets WHERE id = ", **id));
}

Status DropRun(const std::string& path, const std::string& name) {
  auto db = Open(path, /*writes=*/true);
  if (!db.ok()) return db.error();
  Result<std::optional<int64_t>> id = IdOf(db->get(), "runs", name);
  if (!id.ok()) return id.error();
  if (!*id) {
    return Error{ErrorCode::kUsage, StrCat("no run '", name, "' in store '", path, "'"),
                 "`assay stats` lists them"};
  }
  Result<int64_t> users =
      (*db)->QueryInt(StrCat("SELECT count(*) FROM dataset_runs WHERE run_id = ", **id));
  if (!users.ok()) return users.error();
  if (*users > 0) {
    return Error{ErrorCode::kUsage,
                 StrCat("run '", name, "' is what ", *users, " data sets were made from"),
                 "drop these first: `assay store drop --dataset NAME`"};
  }
  const std::string rows = StrCat(
      "SELECT id FROM rows WHERE input_id IN (SELECT id FROM inputs WHERE run_id = ", **id, ")");
  return InTransaction(
      db->get(),
      StrCat("DELETE FROM verdicts WHERE sample_id IN (SELECT id FROM samples WHERE row_id IN (",
             rows, ")); DELETE FROM samples WHERE row_id IN (", rows,
             "); DELETE FROM rows WHERE id IN (", rows, "); DELETE FROM inputs WHERE run_id = ",
             **id, "; DELETE FROM runs WHERE id = ", **id));
}

Result<StoreSize> VacuumStore(const std::string& path) {
  auto db = Open(path, /*writes=*/true);
  if (!db.ok()) return db.error();
  StoreSize size;
  size.before = BytesOf(path);
  if (Status status =
          (*db)->Exec("PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
      !status.ok())
    return status.error();
  size.after = BytesOf(path);
  return size;
}

}  // namespace assay
