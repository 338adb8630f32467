// ByteSource: the bytes of a file or of standard input, unpacked where they are gzip or zstd, turned into JSON lines where they
// are Parquet (core/parquet.h); all are recognised by their magic bytes. zlib's gzFile is not used: it takes a truncated stream for a whole one. One thread.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"

namespace assay {

class ParquetLines;

inline constexpr size_t kReadBytes = size_t{256} << 10;  // asked of a file at once

// kIo, with a hint for the usual causes.
Error IoError(const std::string& what, const std::string& path, int error_number);

class ByteSource {
 public:
  ByteSource();
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  ~ByteSource();

  // As LineReader::Open.
  Status Open(const std::string& path, std::function<bool()> keep_waiting);
  // Reads up to `size` bytes; 0 at the end.
  Result<size_t> Read(char* out, size_t size);

  // Of the file, packed as it is; the total is 0 if unknown.
  int64_t bytes_read() const { return read_; }
  int64_t bytes_total() const { return total_; }

 private:
  // False if there will be nothing to read because nobody waits any longer.
  bool WaitForInput() const;
  Result<size_t> ReadRaw(char* out, size_t size);
  // Reads from the program that reads Parquet from now on.
  Status OpenParquet();
  // Looks at the first bytes.
  Status Sniff();
  Result<size_t> Inflate(char* out, size_t size);
  Result<size_t> Unzstd(char* out, size_t size);
  // More packed bytes into raw_; false at the end, which must not come in the middle of a stream.
  Result<bool> Refill();

  std::string path_;
  int fd_ = -1;
  std::function<bool()> keep_waiting_;  // empty: regular files never keep us waiting
  bool sniffed_ = false;
  bool gzip_ = false;
  bool zstd_ = false;
  bool inflating_ = false;
  z_stream stream_{};
  std::unique_ptr<ParquetLines> parquet_;
  struct ZstdContext;
  std::unique_ptr<ZstdContext> zstd_context_;
  std::vector<char> raw_;
  size_t raw_at_ = 0;
  int64_t read_ = 0;
  int64_t total_ = 0;
};

}  // namespace assay
