// WholeFile: a file that appears under its name only when all of it is written, packed by its name's ending (core/packer.h), with the
// SHA-256 of its bytes. What is no regular file (a pipe, /dev/null, standard output) is written directly: renaming over it would replace
// the device. One thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/json.h"
#include "core/packer.h"
#include "core/result.h"
#include "core/sha256.h"

namespace assay {

class WholeFile {
 public:
  // "-" or "" is standard output. `interrupted` (may be null): once it is set, writing is an error.
  static Result<WholeFile> Open(const std::string& path, const std::atomic<bool>* interrupted);
  WholeFile(WholeFile&& other) noexcept;
  WholeFile& operator=(WholeFile&&) = delete;
  ~WholeFile();  // what was not finished is taken away

  // One JSON line.
  Status Write(const Json& line);
  // Bytes as they are.
  Status WriteText(std::string_view text);
  // Makes the file durable and puts it in its place. Nothing may be written after it.
  Status Finish();

  int64_t bytes() const { return bytes_; }   // of the file, packed
  bool renames() const { return renames_; }  // a regular file
  // The file's own name, links resolved.
  const std::string& path() const { return path_; }
  // After Finish: SHA-256 of the file.
  const std::string& hash() const { return hash_; }

 private:
  WholeFile() = default;
  Status Flush();
  Error Failed(const std::string& what, int error_number) const;

  std::string path_, partial_, text_, packed_, hash_;
  int fd_ = -1;
  bool renames_ = false;
  int64_t bytes_ = 0;
  const std::atomic<bool>* interrupted_ = nullptr;
  std::unique_ptr<Packer> packer_;
  Sha256 sha_;
};

}  // namespace assay
