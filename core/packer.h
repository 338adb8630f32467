// Packer: bytes packed as gzip or zstd, or left as they are, by a file's name. The same bytes in give the same bytes out: no clock, no
// file name, one thread, fixed levels. Not thread-safe. ByteSource (core/byte_source.h) reads what it writes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

namespace assay {

class Packer {
 public:
  enum class Kind { kNone, kGzip, kZstd };
  // ".gz", ".zst" and ".zstd" at the end of the name.
  static Kind KindOf(std::string_view path);
  static std::unique_ptr<Packer> Make(Kind kind);
  // kUsage where the name's end promises bytes that nobody here writes (.xz, .bz2, .parquet, ..): plain text under it would mislead.
  static Status CheckName(std::string_view path);
  virtual ~Packer() = default;

  // Appends to `out` what comes out of these bytes; it may be nothing yet. Errors: kInternal (the library's).
  virtual Status Add(std::string_view bytes, std::string* out) = 0;
  // Appends the end. Nothing may be added after it.
  virtual Status Finish(std::string* out) = 0;
};

}  // namespace assay
