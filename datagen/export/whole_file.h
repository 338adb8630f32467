// WholeFile: JSON lines that appear under their file's name only when all are written. What is no regular file (a pipe, /dev/null,
// standard output) is written directly: renaming over it would replace the device. One thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/result.h"

namespace assay {

class WholeFile {
 public:
  // "-" or "" is standard output. `interrupted` (may be null): once it is set, Write is an error.
  static Result<WholeFile> Open(const std::string& path, const std::atomic<bool>* interrupted);
  WholeFile(WholeFile&&) = default;
  ~WholeFile();  // what was not finished is taken away

  Status Write(const Json& line);
  int64_t bytes() const { return writer_->bytes_written(); }
  // Makes the file durable and puts it in its place. Nothing may be called after it.
  Status Finish();

 private:
  WholeFile() = default;
  // The error under the name that the user gave.
  Error Named(Error error) const;

  std::string path_, partial_, text_;
  bool renames_ = false;
  const std::atomic<bool>* interrupted_ = nullptr;
  std::unique_ptr<LineWriter> writer_;
};

}  // namespace assay
