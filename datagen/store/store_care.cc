#include "datagen/store/store_care.h"

#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/text.h"
#include "datagen/store/hash_index.h"
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
    "SELECT 'row ' || id || ' is not where its input and line say' FROM rows "
    "WHERE id <> (input_id << 32) + line",
    "SELECT 'sample ' || id || ' has verdicts that do not parse' FROM samples "
    "WHERE verdicts IS NOT NULL AND NOT json_valid(verdicts)",
    "SELECT 'data set ' || d.name || ' has gaps in its positions' FROM datasets d "
    "JOIN dataset_rows r ON r.dataset_id = d.id GROUP BY d.id HAVING max(r.position) + 1 <> "
    "count(*)",
    "SELECT 'data set ' || d.name || ' counts ' || c.samples || ' samples as ' || c.decision || '; "
    "there are ' || "
    "count(x.sample_id) FROM datasets d JOIN dataset_decisions c ON c.dataset_id = d.id "
    "LEFT JOIN dataset_drops x ON x.dataset_id = d.id AND x.place = c.place "
    "WHERE c.decision <> 'kept' AND EXISTS (SELECT 1 FROM dataset_drops y WHERE y.dataset_id = "
    "d.id) "
    "GROUP BY d.id, c.place HAVING count(x.sample_id) <> c.samples"};

// Every text's length, and its hash against the one by which it is found.
Status CheckTexts(Database* db, Complaints* complaints) {
  Result<Statement> row = db->Prepare("SELECT id, bytes, body FROM texts ORDER BY id");
  if (!row.ok()) return row.error();
  Result<bool> more = row->Step();
  // Texts below `id` have no hash; what is at `id`, if it is there, has `hash`.
  const auto pass = [&](int64_t id, const Hash128* hash) -> Status {
    for (; more.ok() && *more && row->IntAt(0) <= id; more = row->Step()) {
      const std::string_view body = row->TextAt(2);
      if (hash == nullptr || row->IntAt(0) < id) {
        complaints->Add(StrCat("text ", row->IntAt(0), " has no hash"));
      } else if (static_cast<int64_t>(body.size()) != row->IntAt(1) ||
                 HashBytes128(body) != *hash) {
        complaints->Add(StrCat("text ", row->IntAt(0), " is not the one that was stored"));
      }
    }
    return more.ok() ? Status() : Status(more.error());
  };
  const Status status = sqlite::ForEachHash(
      db, "text_hashes", [&](int64_t id, const Hash128& hash) { return pass(id, &hash); });
  return status.ok() ? pass(std::numeric_limits<int64_t>::max(), nullptr) : status;
}

// Takes away the hashes in `table` whose ids `owner` has not.
Status ForgetHashes(Database* db, const std::string& table, const std::string& owner) {
  sqlite::HashIndex kept;
  Result<Statement> row = db->Prepare(StrCat("SELECT id FROM ", owner, " ORDER BY id"));
  if (!row.ok()) return row.error();
  Result<bool> more = row->Step();
  std::vector<std::pair<int64_t, Hash128>> left;
  Status status = sqlite::ForEachHash(db, table, [&](int64_t id, const Hash128& hash) -> Status {
    while (more.ok() && *more && row->IntAt(0) < id) more = row->Step();
    if (!more.ok()) return more.error();
    if (*more && row->IntAt(0) == id) left.emplace_back(id, hash);
    return {};
  });
  if (status.ok()) status = db->Exec(StrCat("DELETE FROM ", table));
  if (status.ok()) status = kept.Prepare(db, table);
  if (status.ok()) status = kept.Reload();
  for (const auto& [id, hash] : left) {
    if (status.ok()) status = kept.Add(hash, id);
  }
  return status.ok() ? kept.Flush() : status;
}

Result<std::optional<int64_t>> IdOf(Database* db, const char* table, const std::string& name) {
  Result<Statement> row = db->Prepare(StrCat("SELECT id FROM ", table, " WHERE name = ?"));
  if (!row.ok()) return row.error();
  row->Text(1, name);
  Result<bool> found = row->Step();
  if (!found.ok()) return found.error();
  return *found ? std::optional<int64_t>(row->IntAt(0)) : std::nullopt;
}

// What is deleted here is known to be what nothing refers to. Looking that up for each row anew, without an index, would take time that
// grows with the square of the store.
Status InTransaction(Database* db, const std::function<Status()>& write) {
  if (Status status = db->Exec("PRAGMA foreign_keys=OFF"); !status.ok()) return status;
  if (Status status = db->Exec("BEGIN IMMEDIATE"); !status.ok()) return status;
  Status status = write();
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

namespace {

// Deletes the rows of `table` whose id is not among those that `used` selects, with their hashes.
Status DeleteUnused(Database* db, const std::string& table, const std::string& used,
                    const std::string& hashes, int64_t* count) {
  const int64_t before = sqlite3_total_changes64(db->handle());
  if (Status status = db->Exec(StrCat("DELETE FROM ", table, " WHERE id NOT IN (", used, ")"));
      !status.ok())
    return status;
  *count = sqlite3_total_changes64(db->handle()) - before;
  return *count > 0 ? ForgetHashes(db, hashes, table) : Status();
}

Status DeleteGarbage(Database* db, StoreGarbage* garbage) {
  Status status =
      DeleteUnused(db, "problems", "SELECT problem_id FROM rows WHERE problem_id IS NOT NULL",
                   "problem_hashes", &garbage->problems);
  if (!status.ok()) return status;
  Result<int64_t> before = db->QueryInt("SELECT coalesce(sum(bytes), 0) FROM texts");
  if (!before.ok()) return before.error();
  status = DeleteUnused(db, "texts",
                        "SELECT text_id FROM samples UNION SELECT prompt_id FROM problems WHERE "
                        "prompt_id IS NOT NULL",
                        "text_hashes", &garbage->texts);
  if (!status.ok()) return status;
  Result<int64_t> after = db->QueryInt("SELECT coalesce(sum(bytes), 0) FROM texts");
  if (!after.ok()) return after.error();
  garbage->bytes = *before - *after;
  return {};
}

}  // namespace

Result<StoreGarbage> CollectGarbage(const std::string& path) {
  auto db = Open(path, /*writes=*/true);
  if (!db.ok()) return db.error();
  StoreGarbage garbage;
  const Status status =
      InTransaction(db->get(), [&] { return DeleteGarbage(db->get(), &garbage); });
  if (!status.ok()) return status.error();
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
  StrAppend(&sql, "DELETE FROM datasets WHERE id = ", **id);
  return InTransaction(db->get(), [&] { return (*db)->Exec(sql); });
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
  const std::string inputs = StrCat("(SELECT id FROM inputs WHERE run_id = ", **id, ")");
  const std::string sql = StrCat(
      "DELETE FROM samples WHERE row_id >> 32 IN ", inputs, "; DELETE FROM rows WHERE input_id IN ",
      inputs, "; DELETE FROM inputs WHERE run_id = ", **id, "; DELETE FROM runs WHERE id = ", **id);
  return InTransaction(db->get(), [&]() -> Status {
    // Here, where nobody else can make a data set from it meanwhile.
    Result<int64_t> users =
        (*db)->QueryInt(StrCat("SELECT count(*) FROM dataset_runs WHERE run_id = ", **id));
    if (!users.ok()) return users.error();
    if (*users > 0) {
      return Error{ErrorCode::kUsage,
                   StrCat("run '", name, "' is what ", *users, " data sets were made from"),
                   "drop these first: `assay store drop --dataset NAME`"};
    }
    return (*db)->Exec(sql);
  });
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
