#include "core/byte_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/parquet.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr int kPollMs = 100;

// By its mark, or by the zeros beside two of JSON's characters.
bool IsUtf16(std::string_view start) {
  if (StartsWith(start, "\xff\xfe") || StartsWith(start, "\xfe\xff")) return true;
  if (start.size() < 4) return false;
  const bool zeros[] = {start[0] == 0, start[1] == 0, start[2] == 0, start[3] == 0};
  return zeros[0] == zeros[2] && zeros[1] == zeros[3] && zeros[0] != zeros[1];
}

}  // namespace

Error IoError(const std::string& what, const std::string& path, int error_number) {
  std::string hint;
  if (error_number == ENOENT) hint = "check the path; relative paths start at the current folder";
  if (error_number == EACCES || error_number == EPERM) hint = "check the permissions (ls -l)";
  if (error_number == EISDIR) hint = "give a file, not a folder";
  if (error_number == EFBIG) hint = "raise the limit on a file's size (ulimit -f)";
  if (error_number == ENOSPC || error_number == EDQUOT) {
    hint = "free some space, then run it again (`assay score`: with --resume)";
  }
  return {ErrorCode::kIo, StrCat(what, " '", path, "': ", std::strerror(error_number)), hint};
}

struct ByteSource::ZstdContext {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  ~ZstdContext() { ZSTD_freeDCtx(context); }
};

ByteSource::ByteSource() = default;

ByteSource::~ByteSource() {
  if (inflating_ && gzip_) inflateEnd(&stream_);
  if (fd_ > STDERR_FILENO) close(fd_);
}

Status ByteSource::Open(const std::string& path, std::function<bool()> keep_waiting) {
  path_ = path;
  fd_ = path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) return IoError("cannot read", path, errno);
  struct stat info {};
  if (fstat(fd_, &info) == 0) {
    if (S_ISDIR(info.st_mode)) return IoError("cannot read", path, EISDIR);
    if (S_ISREG(info.st_mode)) {
      total_ = info.st_size;
      (void)posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
    } else {
      keep_waiting_ = std::move(keep_waiting);
    }
  }
  return {};
}

Result<size_t> ByteSource::Read(char* out, size_t size) {
  if (!sniffed_) {
    Status status = Sniff();
    if (!status.ok()) return status.error();
  }
  if (gzip_) return Inflate(out, size);
  if (zstd_) return Unzstd(out, size);
  if (raw_at_ < raw_.size()) {
    const size_t count = std::min(size, raw_.size() - raw_at_);
    std::memcpy(out, raw_.data() + raw_at_, count);
    raw_at_ += count;
    return count;
  }
  return ReadRaw(out, size);
}

bool ByteSource::WaitForInput() const {
  pollfd wait = {fd_, POLLIN, 0};
  while (keep_waiting_ && poll(&wait, 1, kPollMs) == 0) {
    if (!keep_waiting_()) return false;
  }
  return true;
}

Result<size_t> ByteSource::ReadRaw(char* out, size_t size) {
  for (;;) {
    if (!WaitForInput()) return size_t{0};
    const ssize_t count = read(parquet_ != nullptr ? parquet_->fd() : fd_, out, size);
    if (count == 0 && parquet_ != nullptr) {
      if (Status status = parquet_->Finish(); !status.ok()) return status.error();
    }
    if (count >= 0) {
      read_ += count;
      return static_cast<size_t>(count);
    }
    if (errno != EINTR) return IoError("cannot read", path_, errno);
  }
}

Status ByteSource::Sniff() {
  sniffed_ = true;
  raw_.resize(kReadBytes);
  size_t have = 0;
  while (have < 4) {
    Result<size_t> count = ReadRaw(raw_.data() + have, raw_.size() - have);
    if (!count.ok()) return count.error();
    if (*count == 0) break;
    have += *count;
  }
  raw_.resize(have);
  gzip_ = have >= 2 && static_cast<unsigned char>(raw_[0]) == 0x1f &&
          static_cast<unsigned char>(raw_[1]) == 0x8b;
  const std::string_view start(raw_.data(), std::min<size_t>(have, 4));
  if (start == "PAR1") {
    return OpenParquet();
  }
  if (IsUtf16(start)) {
    return Error{ErrorCode::kInput, StrCat("'", path_, "' is UTF-16, not UTF-8"),
                 StrCat("iconv -f UTF-16 -t UTF-8 ", path_, " makes UTF-8 of it")};
  }
  zstd_ = start == "\x28\xb5\x2f\xfd";
  if (zstd_) zstd_context_ = std::make_unique<ZstdContext>();
  return {};
}

Status ByteSource::OpenParquet() {
  if (total_ == 0) {
    return Error{ErrorCode::kInput, "a Parquet file cannot be read from a pipe",
                 "name the file: its directory stands at its end"};
  }
  Result<std::unique_ptr<ParquetLines>> lines = ParquetLines::Open(path_);
  if (!lines.ok()) return lines.error();
  parquet_ = std::move(*lines);
  raw_.clear();
  total_ = read_ = 0;
  return {};
}

Result<bool> ByteSource::Refill() {
  raw_.resize(kReadBytes);
  Result<size_t> count = ReadRaw(raw_.data(), raw_.size());
  if (!count.ok()) return count.error();
  raw_.resize(*count);
  raw_at_ = 0;
  if (*count > 0) return true;
  if (!inflating_) return false;
  return Error{ErrorCode::kInput,
               StrCat("'", path_, "' ends in the middle of its ", zstd_ ? "zstd" : "gzip", " data"),
               "the file was cut short: copy or download it again"};
}

Result<size_t> ByteSource::Inflate(char* out, size_t size) {
  stream_.next_out = reinterpret_cast<Bytef*>(out);
  stream_.avail_out = static_cast<uInt>(size);
  while (stream_.avail_out == size) {
    if (raw_at_ == raw_.size()) {
      Result<bool> more = Refill();
      if (!more.ok()) return more.error();
      if (!*more) return size_t{0};
    }
    if (!inflating_) {
      if (inflateInit2(&stream_, 15 + 32) != Z_OK)
        return Error{ErrorCode::kInternal, "zlib: inflateInit2 failed", ""};
      inflating_ = true;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(raw_.data() + raw_at_);
    stream_.avail_in = static_cast<uInt>(raw_.size() - raw_at_);
    const int code = inflate(&stream_, Z_NO_FLUSH);
    raw_at_ = raw_.size() - stream_.avail_in;
    if (code == Z_STREAM_END) {  // another member may follow
      inflateEnd(&stream_);
      inflating_ = false;
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      return Error{
          ErrorCode::kInput,
          StrCat("'", path_, "' is not valid gzip data: ", stream_.msg ? stream_.msg : "corrupt"),
          "test it with `gzip -t`"};
    }
  }
  return size - stream_.avail_out;
}

Result<size_t> ByteSource::Unzstd(char* out, size_t size) {
  ZSTD_outBuffer to{out, size, 0};
  while (to.pos == 0) {
    if (raw_at_ == raw_.size()) {
      Result<bool> more = Refill();
      if (!more.ok()) return more.error();
      if (!*more) return size_t{0};
    }
    ZSTD_inBuffer from{raw_.data() + raw_at_, raw_.size() - raw_at_, 0};
    const size_t left = ZSTD_decompressStream(zstd_context_->context, &to, &from);
    raw_at_ += from.pos;
    if (ZSTD_isError(left)) {
      return Error{ErrorCode::kInput,
                   StrCat("'", path_, "' is not valid zstd data: ", ZSTD_getErrorName(left)),
                   "test it with `zstd -t`"};
    }
    inflating_ = left != 0;  // 0: a frame has ended, another may follow
  }
  return to.pos;
}

}  // namespace assay
