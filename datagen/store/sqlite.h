// A thin layer over SQLite for datagen's own files: errors as Result with hints for people, statements that clean up after
// themselves, and inserts of many rows at once. One thread a Database. Not a query builder; nobody outside of datagen/
// includes it.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace assay::sqlite {

// What SQLite's `code` means for a person who works with the store at `path`.
Error ErrorFrom(sqlite3* db, int code, const std::string& path);

class Statement {
 public:
  Statement() = default;
  Statement(sqlite3_stmt* stmt, const std::string* path) : stmt_(stmt), path_(path) {}

  // Parameters count from 1. Text and blobs are not copied: they must live until the next Reset.
  void Int(int index, int64_t value) { sqlite3_bind_int64(stmt_.get(), index, value); }
  void Real(int index, double value) { sqlite3_bind_double(stmt_.get(), index, value); }
  void Text(int index, std::string_view value);
  void Blob(int index, std::string_view value);
  void Null(int index) { sqlite3_bind_null(stmt_.get(), index); }

  // True: a row is there to be read. An error also resets the statement.
  Result<bool> Step();
  // Steps to the end and resets.
  Status Run();
  void Reset() { sqlite3_reset(stmt_.get()); }

  // Columns count from 0. Views live until the next Step or Reset.
  bool IsNull(int column) const { return sqlite3_column_type(stmt_.get(), column) == SQLITE_NULL; }
  int64_t IntAt(int column) const { return sqlite3_column_int64(stmt_.get(), column); }
  double RealAt(int column) const { return sqlite3_column_double(stmt_.get(), column); }
  std::string_view TextAt(int column) const;  // of texts and blobs alike; empty for null
  std::string StringAt(int column) const { return std::string(TextAt(column)); }

 private:
  struct Finalizer {
    void operator()(sqlite3_stmt* stmt) const { sqlite3_finalize(stmt); }
  };
  std::unique_ptr<sqlite3_stmt, Finalizer> stmt_;
  const std::string* path_ = nullptr;
};

class Database {
 public:
  static Result<std::unique_ptr<Database>> Open(const std::string& path, int open_flags,
                                                int busy_timeout_ms);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::string& path() const { return path_; }
  sqlite3* handle() { return db_; }
  Status Exec(const std::string& sql);
  Result<Statement> Prepare(const std::string& sql);
  // The first column of the first row as an integer; 0 if there is no row.
  Result<int64_t> QueryInt(const std::string& sql);
  bool InTransaction() const { return sqlite3_get_autocommit(db_) == 0; }

 private:
  Database() = default;
  sqlite3* db_ = nullptr;
  std::string path_;
};

// Collects rows for one table and inserts them with statements of many rows, which costs about half of one by one.
// Values are copied into a buffer of its own. The caller flushes tables in the order that foreign keys ask for.
class BatchInsert {
 public:
  // `table`: "samples(id, row_id, ...)" with `columns` names.
  static Result<BatchInsert> Make(Database* db, const std::string& table, int columns);

  BatchInsert& Int(int64_t value);
  BatchInsert& Real(double value);
  BatchInsert& RealOrNull(std::optional<double> value);
  BatchInsert& Text(std::string_view value);
  BatchInsert& TextOrNull(std::string_view value) { return value.empty() ? Null() : Text(value); }
  BatchInsert& Blob(std::string_view value);
  BatchInsert& Null();

  bool full() const {
    return cells_.size() >= static_cast<size_t>(columns_ * kRowsMax) || bytes_.size() >= kMaxBytes;
  }
  Status Flush();

 private:
  static constexpr int kRows = 256;     // in one statement
  static constexpr int kRowsMax = 512;  // collected before full()
  static constexpr size_t kMaxBytes = size_t{4} << 20;
  enum class Kind : uint8_t { kNull, kInt, kReal, kText, kBlob };
  struct Cell {
    Kind kind;
    union {
      int64_t integer;
      double real;
      size_t offset;
    };
    size_t size;
  };
  BatchInsert& Bytes(Kind kind, std::string_view value);
  struct Insert {
    Statement statement;
    int rows = 0;
    std::vector<char> null;  // which parameters are bound to null now
  };
  Status InsertRows(Insert* insert, size_t first_cell);

  int columns_ = 0;
  Insert many_, few_, one_;  // of kRows, kFewRows and one row
  std::vector<Cell> cells_;
  std::string bytes_;
};

}  // namespace assay::sqlite
