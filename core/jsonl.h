// JSON Lines in and out. LineReader splits a file (plain, .gz, or "-" for standard input) into lines with bounded memory;
// a byte order mark, CRLF, blank lines and a missing last newline are taken in stride; a line over kMaxLineBytes is
// reported and skipped, not fatal. A file that is one JSON array of objects gives a line for each of them, which its number counts. LineWriter appends whole lines through a buffer and reports a full disk. One thread each.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

namespace assay {

inline constexpr size_t kMaxLineBytes = size_t{256} << 20;

class LineReader {
 public:
  // "-" is standard input. gzip is recognised by its magic bytes, so a name without .gz works too.
  // `keep_waiting` (may be empty) is called every tenth of a second while a pipe or terminal gives nothing; false ends the data.
  static Result<std::unique_ptr<LineReader>> Open(const std::string& path,
                                                  std::function<bool()> keep_waiting = nullptr);
  virtual ~LineReader() = default;

  struct Line {
    std::string_view
        text;  // without line end; valid until the next call; kJsonPadding readable bytes follow
    int64_t number = 0;     // 1-based, blank lines counted
    bool too_long = false;  // text is empty then
  };
  // The next line that is not blank; false at the end. Errors: kIo, a broken gzip stream (kInput).
  virtual Result<bool> Next(Line* line) = 0;
  // For progress: bytes of the file consumed, and its size (0 if unknown).
  virtual int64_t bytes_read() const = 0;
  virtual int64_t bytes_total() const = 0;
};

class LineWriter {
 public:
  // "-" or "" is standard output. Truncates unless `append`. A name that ends in .gz or .zst is written packed (core/packer.h).
  static Result<std::unique_ptr<LineWriter>> Open(const std::string& path, bool append = false);
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Appends `line` and a newline. Errors: kIo ("no space left on device", with the file and what was saved).
  Status Write(std::string_view line);
  Status Flush();
  // Flush, and fsync for regular files.
  Status Sync();
  Status Close();
  int64_t bytes_written() const;

 private:
  LineWriter();
  Status WriteBuffer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// True if both names lead to one file that exists (through links too). "-" is the file that is standard input as `a`, standard
// output as `b`; pipes, terminals and devices are no files here.
bool IsSameFile(const std::string& a, const std::string& b);
// A whole file as a string. Errors: kIo; kLimit above `max_bytes`.
Result<std::string> ReadFile(const std::string& path, size_t max_bytes = size_t{1} << 30);
// Writes beside and renames over, so that a reader sees the old or the new file, never half of one.
Status WriteFileAtomic(const std::string& path, std::string_view contents);

}  // namespace assay
