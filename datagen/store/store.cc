#include "datagen/store/store.h"

#include <sys/stat.h>

#include <tuple>

#include "core/text.h"
#include "datagen/store/sqlite.h"
#include "datagen/store/store_internal.h"
#include "datagen/store/store_schema.h"

namespace assay {
namespace {

// A transaction this large costs little more than its share; a larger one only costs memory.
constexpr int64_t kCommitRows = 65'536;
constexpr int64_t kCommitBytes = int64_t{32} << 20;

// Reading through a memory map would turn an I/O error into SIGBUS, so mmap_size stays 0. Pages of 16 KiB hold most
// completions without overflow chains, and the log has fewer frames to write. journal_size_limit keeps one large transaction from leaving a large WAL behind.
constexpr char kNewFilePragmas[] = "PRAGMA page_size=16384; PRAGMA journal_mode=WAL;";
constexpr char kPragmas[] =
    "PRAGMA foreign_keys=ON; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; PRAGMA "
    "temp_store=MEMORY;"
    "PRAGMA mmap_size=0; PRAGMA wal_autocheckpoint=8000; PRAGMA journal_size_limit=67108864;";

Status CheckWritable(sqlite::Database* db) {
  // SQLite falls back to reading in silence when it may not write.
  if (sqlite3_db_readonly(db->handle(), "main") == 1)
    return sqlite::ErrorFrom(db->handle(), SQLITE_READONLY, db->path());
  return {};
}

bool FileExists(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

}  // namespace

Store::Store() : impl_(std::make_unique<Impl>()) {}

Store::~Store() {
  if (impl_->db != nullptr && impl_->db->InTransaction()) (void)impl_->db->Exec("ROLLBACK");
}

int Store::SchemaVersion() { return sqlite::kSchemaVersion; }

Result<std::unique_ptr<Store>> Store::Open(const std::string& path, OpenMode mode,
                                           const StoreOptions& options) {
  if (mode != OpenMode::kCreate && !FileExists(path)) {
    return Error{ErrorCode::kIo, StrCat("no store at '", path, "'"),
                 "`assay score --store FILE --run NAME` makes one"};
  }
  int flags = mode == OpenMode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (mode == OpenMode::kCreate) flags |= SQLITE_OPEN_CREATE;
  auto db = sqlite::Database::Open(path, flags, options.busy_timeout_ms);
  if (!db.ok()) return db.error();
  bool writable = mode != OpenMode::kReadOnly;
  if (writable) {
    if (Status status = CheckWritable(db->get()); !status.ok()) return status.error();
  }
  Result<int64_t> objects = (*db)->QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!objects.ok()) return objects.error();
  if (writable && *objects == 0) {
    if (Status status = (*db)->Exec(kNewFilePragmas); !status.ok()) return status.error();
  }
  std::string pragmas = kPragmas;
  if (options.max_pages > 0) StrAppend(&pragmas, "PRAGMA max_page_count=", options.max_pages, ";");
  if (Status status = (*db)->Exec(pragmas); !status.ok()) return status.error();
  if (Status status = sqlite::PrepareSchema(db->get(), writable, mode == OpenMode::kCreate);
      !status.ok()) {
    return status.error();
  }
  std::unique_ptr<Store> store(new Store());
  store->impl_->db = std::move(*db);
  if (writable) {
    if (Status status = store->impl_->PrepareWriting(); !status.ok()) return status.error();
  }
  return store;
}

// ---------------------------------------------------------------------------------------------- transactions

Status Store::Impl::Fail(Error error) {
  if (failed) return *failed;
  // A full disk or an I/O error may have rolled back already.
  if (db->InTransaction()) (void)db->Exec("ROLLBACK");
  failed = error;
  return error;
}

Status Store::Impl::PrepareWriting() {
  const std::pair<Statement*, const char*> kStatements[] = {
      {&find_row, "SELECT line_hash FROM rows WHERE id = ?"},
      {&insert_input,
       "INSERT INTO inputs(id, run_id, file, rows_done, last_line) VALUES (?, ?, ?, 0, 0)"},
      {&update_input, "UPDATE inputs SET rows_done = ?, last_line = ? WHERE id = ?"},
      {&read_data_version, "PRAGMA data_version"},
      {&insert_dataset_row,
       "INSERT INTO dataset_rows(dataset_id, position, sample_id, decision, rejected_id, split) "
       "VALUES "
       "(?, ?, ?, ?, ?, ?)"},
      {&insert_dataset_drop,
       "INSERT INTO dataset_drops(dataset_id, sample_id, place, detail) VALUES (?, ?, ?, ?)"},
  };
  for (const auto& [statement, sql] : kStatements) {
    Result<Statement> prepared = db->Prepare(sql);
    if (!prepared.ok()) return prepared.error();
    *statement = std::move(*prepared);
  }
  checkpointer.emplace(db->path());
  batches.emplace();
  const std::tuple<BatchInsert*, const char*, int> kBatches[] = {
      {&batches->texts, "texts(id, bytes, body)", 3},
      {&batches->problems,
       "problems(id, name, task, prompt_id, messages, answers, verification_info)", 7},
      {&batches->rows,
       "rows(id, input_id, line, line_hash, problem_id, flat, first_sample, sample_count, options, "
       "extra, error, id_is_number)",
       12},
      {&batches->samples,
       "samples(id, row_id, text_id, finish_reason, model, seed, token_ids, logprobs, reward, "
       "advantage, messages, line, verdicts)",
       13},
  };
  for (const auto& [batch, table, columns] : kBatches) {
    Result<BatchInsert> made = BatchInsert::Make(db.get(), table, columns);
    if (!made.ok()) return made.error();
    *batch = std::move(*made);
  }
  if (Status status = texts.Prepare(db.get(), "text_hashes"); !status.ok()) return status;
  return problems.Prepare(db.get(), "problem_hashes");
}

Status Store::Impl::Begin() {
  if (failed) return *failed;
  if (db->InTransaction()) return {};
  if (Status status = db->Exec("BEGIN IMMEDIATE"); !status.ok()) return status;
  Result<bool> row = read_data_version.Step();
  if (!row.ok()) return row.error();
  int64_t version = read_data_version.IntAt(0);
  read_data_version.Reset();
  // It changes when another connection has committed.
  if (version == data_version) return {};
  data_version = version;
  return Refresh();
}

Status Store::Impl::Refresh() {
  const std::pair<const char*, int64_t*> kCounters[] = {{"texts", &next.text},
                                                        {"problems", &next.problem},
                                                        {"samples", &next.sample},
                                                        {"inputs", &next.input}};
  for (const auto& [table, counter] : kCounters) {
    Result<int64_t> last = db->QueryInt(StrCat("SELECT max(id) FROM ", table));
    if (!last.ok()) return last.error();
    *counter = *last + 1;
  }
  if (Status status = RefreshInputs(); !status.ok()) return status;
  if (Status status = texts.Reload(); !status.ok()) return status;
  return problems.Reload();
}

// Two processes that write one run would both think that they are its only source.
Status Store::Impl::RefreshInputs() {
  for (const auto& [key, input] : inputs) {
    Result<int64_t> rows =
        db->QueryInt(StrCat("SELECT rows_done FROM inputs WHERE id = ", input.id));
    if (!rows.ok()) return rows.error();
    if (*rows != input.rows_done) {
      return UsageError(StrCat("another process writes the same run to store '", db->path(), "'"),
                        "let it finish, or use another --run");
    }
  }
  return {};
}

Status Store::Impl::FlushRows() {
  for (BatchInsert* batch :
       {&batches->texts, &batches->problems, &batches->rows, &batches->samples}) {
    if (Status status = batch->Flush(); !status.ok()) return status;
  }
  return {};
}

Status Store::Impl::FlushIfFull() {
  for (BatchInsert* batch :
       {&batches->texts, &batches->problems, &batches->rows, &batches->samples}) {
    if (batch->full()) return FlushRows();
  }
  return {};
}

Status Store::Impl::CommitAll() {
  if (failed) return *failed;
  if (!db->InTransaction()) return {};
  if (Status status = FlushRows(); !status.ok()) return status;
  for (sqlite::HashIndex* index : {&texts, &problems}) {
    if (Status status = index->Flush(); !status.ok()) return status;
  }
  for (auto& [key, input] : inputs) {
    if (!input.dirty) continue;
    update_input.Int(1, input.rows_done);
    update_input.Int(2, input.last_line);
    update_input.Int(3, input.id);
    if (Status status = update_input.Run(); !status.ok()) return status;
    input.dirty = false;
  }
  if (Status status = db->Exec("COMMIT"); !status.ok()) return status;
  // Small runs are left to the checkpoint at the end.
  if (pending_rows >= kCommitRows || pending_bytes >= kCommitBytes) checkpointer->Wake();
  pending_rows = 0;
  pending_bytes = 0;
  return {};
}

bool Store::ShouldCommit() const {
  return impl_->pending_rows >= kCommitRows || impl_->pending_bytes >= kCommitBytes;
}

Status Store::Commit() {
  if (Status status = impl_->CommitAll(); !status.ok()) return impl_->Fail(status.error());
  return {};
}

}  // namespace assay
