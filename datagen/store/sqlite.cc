#include "datagen/store/sqlite.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/text.h"

namespace assay::sqlite {
namespace {

constexpr int kFewRows = 16;

Error IoError(sqlite3* db, const std::string& path) {
  int system_errno = db != nullptr ? sqlite3_system_errno(db) : 0;
  if (system_errno == ENOSPC || system_errno == EDQUOT) return ErrorFrom(db, SQLITE_FULL, path);
  return {ErrorCode::kIo,
          StrCat("cannot read or write store '", path,
                 "': ", system_errno != 0 ? std::strerror(system_errno) : sqlite3_errmsg(db)),
          system_errno == EFBIG
              ? "raise the limit on a file's size (ulimit -f); what was committed before is kept"
              : "check the disk; what was committed before is kept"};
}

Error OpenError(sqlite3* db, const std::string& path) {
  int system_errno = db != nullptr ? sqlite3_system_errno(db) : 0;
  return {ErrorCode::kIo,
          StrCat("cannot open store '", path, "'", system_errno != 0 ? ": " : "",
                 system_errno != 0 ? std::strerror(system_errno) : ""),
          "check that its folder exists and that you may write there (WAL needs two files beside "
          "the store)"};
}

}  // namespace

Error ErrorFrom(sqlite3* db, int code, const std::string& path) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return {ErrorCode::kIo, StrCat("no space left for store '", path, "'"),
              "free some space and go on with --resume: what was committed before is kept"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::kIo, StrCat("store '", path, "' is locked by another writer"),
              "wait until the other process is done with it, or write to a store of your own"};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {ErrorCode::kIo, StrCat("store '", path, "' is read-only"),
              "check the permissions of the file and of its folder"};
    case SQLITE_CANTOPEN:
      return OpenError(db, path);
    case SQLITE_NOTADB:
      return {ErrorCode::kInput, StrCat("'", path, "' is not a SQLite database"),
              "name a store written by assay, or a new file"};
    case SQLITE_CORRUPT:
      return {ErrorCode::kInput, StrCat("store '", path, "' is damaged: ", sqlite3_errmsg(db)),
              "`sqlite3 FILE .recover` saves what can be read"};
    case SQLITE_CONSTRAINT:
      return {ErrorCode::kInput,
              StrCat("store '", path, "' contradicts itself: ", sqlite3_errmsg(db)),
              "the file was changed by something else than assay; restore it from a copy"};
    case SQLITE_IOERR:
      return IoError(db, path);
    case SQLITE_NOMEM:
      return {ErrorCode::kLimit, StrCat("out of memory in store '", path, "'"), ""};
    case SQLITE_TOOBIG:
      return {ErrorCode::kLimit, StrCat("a text is too large for store '", path, "'"),
              "texts may have up to 1 GB"};
    default:
      return {
          ErrorCode::kInternal,
          StrCat("store '", path, "': ", db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code)),
          "this is a bug in assay; please report it"};
  }
}

void Statement::Text(int index, std::string_view value) {
  // A null pointer would bind NULL.
  sqlite3_bind_text64(stmt_.get(), index, value.data() != nullptr ? value.data() : "", value.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::Blob(int index, std::string_view value) {
  sqlite3_bind_blob64(stmt_.get(), index, value.data() != nullptr ? value.data() : "", value.size(),
                      SQLITE_STATIC);
}

Result<bool> Statement::Step() {
  int code = sqlite3_step(stmt_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Error error = ErrorFrom(sqlite3_db_handle(stmt_.get()), code, *path_);
  Reset();
  return error;
}

Status Statement::Run() {
  for (;;) {
    Result<bool> more = Step();
    if (!more.ok()) return more.error();
    if (!*more) break;
  }
  Reset();
  return {};
}

std::string_view Statement::TextAt(int column) const {
  const void* data = sqlite3_column_blob(stmt_.get(), column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data),
          static_cast<size_t>(sqlite3_column_bytes(stmt_.get(), column))};
}

namespace {

// True for a database in a folder where nobody here may write, with nothing in its log: WAL mode would want to make two files
// beside it even for reading.
bool IsAtRest(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  struct stat log;
  return access(folder.c_str(), W_OK) != 0 &&
         (stat((path + "-wal").c_str(), &log) != 0 || log.st_size == 0) &&
         access((path + "-shm").c_str(), F_OK) != 0;
}

std::string ImmutableUri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      StrAppend(&uri, "%", c == '%' ? "25" : c == '?' ? "3f" : "23");
    } else {
      uri.push_back(c);
    }
  }
  return uri + "?immutable=1";
}

}  // namespace

Result<std::unique_ptr<Database>> Database::Open(const std::string& path, int open_flags,
                                                 int busy_timeout_ms) {
  // SQLite counts its memory under a lock of the whole process; nobody asks for the count. Only before its first use.
  static const int without_statistics = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  (void)without_statistics;
  std::unique_ptr<Database> database(new Database());
  database->path_ = path;
  // Our Database belongs to one thread, so SQLite's own mutexes are not needed.
  const bool immutable = (open_flags & SQLITE_OPEN_READONLY) != 0 && IsAtRest(path);
  int code = sqlite3_open_v2(immutable ? ImmutableUri(path).c_str() : path.c_str(), &database->db_,
                             open_flags | SQLITE_OPEN_NOMUTEX | (immutable ? SQLITE_OPEN_URI : 0),
                             nullptr);
  if (code != SQLITE_OK) return ErrorFrom(database->db_, code, path);
  sqlite3_extended_result_codes(database->db_, 1);
  sqlite3_busy_timeout(database->db_, busy_timeout_ms);
  return database;
}

Database::~Database() { sqlite3_close_v2(db_); }

Status Database::Exec(const std::string& sql) {
  int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return ErrorFrom(db_, code, path_);
  return {};
}

Result<Statement> Database::Prepare(const std::string& sql) {
  sqlite3_stmt* stmt = nullptr;
  int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                SQLITE_PREPARE_PERSISTENT, &stmt, nullptr);
  if (code != SQLITE_OK) return ErrorFrom(db_, code, path_);
  return Statement(stmt, &path_);
}

Result<int64_t> Database::QueryInt(const std::string& sql) {
  Result<Statement> statement = Prepare(sql);
  if (!statement.ok()) return statement.error();
  Result<bool> row = statement->Step();
  if (!row.ok()) return row.error();
  return *row ? statement->IntAt(0) : 0;
}

Result<BatchInsert> BatchInsert::Make(Database* db, const std::string& table, int columns) {
  BatchInsert batch;
  batch.columns_ = columns;
  std::string row = "(?";
  for (int i = 1; i < columns; ++i) row += ",?";
  row += ")";
  const std::pair<Insert*, int> kinds[] = {
      {&batch.many_, kRows}, {&batch.few_, kFewRows}, {&batch.one_, 1}};
  for (const auto& [insert, rows] : kinds) {
    std::string sql = StrCat("INSERT INTO ", table, " VALUES ", row);
    for (int i = 1; i < rows; ++i) StrAppend(&sql, ",", row);
    Result<Statement> prepared = db->Prepare(sql);
    if (!prepared.ok()) return prepared.error();
    // Parameters begin as null.
    *insert = {std::move(*prepared), rows,
               std::vector<char>(static_cast<size_t>(rows * columns), 1)};
  }
  return batch;
}

BatchInsert& BatchInsert::Int(int64_t value) {
  Cell& cell = cells_.emplace_back();
  cell.kind = Kind::kInt;
  cell.integer = value;
  return *this;
}

BatchInsert& BatchInsert::Real(double value) {
  Cell& cell = cells_.emplace_back();
  cell.kind = Kind::kReal;
  cell.real = value;
  return *this;
}

BatchInsert& BatchInsert::RealOrNull(std::optional<double> value) {
  return value ? Real(*value) : Null();
}

BatchInsert& BatchInsert::Null() {
  cells_.emplace_back().kind = Kind::kNull;
  return *this;
}

BatchInsert& BatchInsert::Text(std::string_view value) { return Bytes(Kind::kText, value); }

BatchInsert& BatchInsert::Blob(std::string_view value) { return Bytes(Kind::kBlob, value); }

BatchInsert& BatchInsert::Bytes(Kind kind, std::string_view value) {
  Cell& cell = cells_.emplace_back();
  cell.kind = kind;
  cell.offset = bytes_.size();
  cell.size = value.size();
  bytes_.append(value);
  return *this;
}

Status BatchInsert::InsertRows(Insert* insert, size_t first_cell) {
  Statement* statement = &insert->statement;
  std::string_view bytes = bytes_;
  for (int i = 0; i < insert->rows * columns_; ++i) {
    const Cell& cell = cells_[first_cell + i];
    // Bindings outlive a run: most nulls are there already.
    if (cell.kind == Kind::kNull && insert->null[i]) continue;
    insert->null[i] = cell.kind == Kind::kNull;
    switch (cell.kind) {
      case Kind::kNull:
        statement->Null(i + 1);
        break;
      case Kind::kInt:
        statement->Int(i + 1, cell.integer);
        break;
      case Kind::kReal:
        statement->Real(i + 1, cell.real);
        break;
      case Kind::kText:
        statement->Text(i + 1, bytes.substr(cell.offset, cell.size));
        break;
      case Kind::kBlob:
        statement->Blob(i + 1, bytes.substr(cell.offset, cell.size));
        break;
    }
  }
  return statement->Run();
}

Status BatchInsert::Flush() {
  int rows = static_cast<int>(cells_.size()) / columns_;
  for (int done = 0; done < rows;) {
    int left = rows - done;
    Insert* insert = left >= kRows ? &many_ : left >= kFewRows ? &few_ : &one_;
    if (Status status = InsertRows(insert, static_cast<size_t>(done) * columns_); !status.ok())
      return status;
    done += insert->rows;
  }
  cells_.clear();
  bytes_.clear();
  return {};
}

}  // namespace assay::sqlite
