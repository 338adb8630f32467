// Parquet through the sibling program assay-parquet (scripts/assay_parquet.py, pyarrow): files in as JSON lines, JSON lines out as files.
// The program lies beside the one that runs, or where ASSAY_PARQUET says; its interpreter is python3 or what ASSAY_PYARROW names.
// Functions are thread-safe; a ParquetLines belongs to one thread.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "core/result.h"

namespace assay {

// A Parquet file's rows as JSON lines, from the program that reads it.
class ParquetLines {
 public:
  static Result<std::unique_ptr<ParquetLines>> Open(const std::string& path);
  ~ParquetLines();  // ends the program
  ParquetLines(const ParquetLines&) = delete;
  ParquetLines& operator=(const ParquetLines&) = delete;

  int fd() const { return fd_; }
  // At the end of the lines: an error if the program failed. Call once.
  Status Finish();

 private:
  ParquetLines() = default;
  std::string path_;
  int fd_ = -1;
  pid_t pid_ = -1;
};

// Writes `lines_path`, JSON lines, as `path`; `schema_json`: column types as assay_parquet.py has them. Errors: kUnavailable without
// the program or pyarrow, kIo, kInput.
Status WriteParquet(const std::string& lines_path, const std::string& path,
                    const std::string& schema_json);

}  // namespace assay
