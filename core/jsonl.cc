#include "core/jsonl.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "core/byte_source.h"
#include "core/json.h"
#include "core/json_array_lines.h"
#include "core/packer.h"
#include "core/text.h"

namespace assay {
namespace {

class LineReaderImpl : public LineReader {
 public:
  Status Open(const std::string& path, std::function<bool()> keep_waiting) {
    path_ = path;
    return source_.Open(path, std::move(keep_waiting));
  }

  Result<bool> Next(Line* line) override {
    for (;;) {
      size_t newline = std::string::npos;
      Result<bool> found = FindNewline(&newline);
      if (!found.ok()) return found.error();
      if (!*found && begin_ == end_ && !skipping_) return false;
      ++number_;
      std::string_view text(buffer_.data() + begin_, newline - begin_);
      const bool too_long = skipping_ || text.size() > kMaxLineBytes;
      skipping_ = false;
      begin_ = *found ? newline + 1 : newline;
      scanned_ = begin_;
      if (number_ == 1 && StartsWith(text, "\xEF\xBB\xBF")) text.remove_prefix(3);
      if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
      if (!too_long && Trim(text).empty()) continue;
      if (!first_seen_) {
        first_seen_ = true;
        if (Status status = CheckIsLines(Trim(text)); !status.ok()) return status.error();
      }
      line->text = too_long ? std::string_view() : text;
      line->number = number_;
      line->too_long = too_long;
      return true;
    }
  }

  int64_t bytes_read() const override { return source_.bytes_read(); }
  int64_t bytes_total() const override { return source_.bytes_total(); }

 private:
  // Sets *newline to the offset of the next newline, or of the end of the data (and returns false).
  Result<bool> FindNewline(size_t* newline) {
    for (;;) {
      const void* hit =
          scanned_ < end_ ? std::memchr(buffer_.data() + scanned_, '\n', end_ - scanned_) : nullptr;
      if (hit != nullptr) {
        *newline = static_cast<size_t>(static_cast<const char*>(hit) - buffer_.data());
        return true;
      }
      scanned_ = end_;
      if (at_end_) {
        *newline = end_;
        return false;
      }
      if (end_ - begin_ > kMaxLineBytes) {  // too long: forget it, go on to its end
        skipping_ = true;
        begin_ = end_ = scanned_ = 0;
      }
      Status status = Fill();
      if (!status.ok()) return status.error();
    }
  }

  // One document over several lines would be an error in each of them.
  Status CheckIsLines(std::string_view first) const {
    const bool open_array = StartsWith(first, "[") && !EndsWith(first, "]");
    if (!open_array && first != "{") return {};
    return Error{ErrorCode::kInput,
                 StrCat("'", path_, "' is ", open_array ? "a JSON array" : "a JSON object",
                        " over several lines, not JSON Lines"),
                 open_array ? StrCat("jq -c '.[]' ", path_, " makes a line of each element")
                            : StrCat("jq -c . ", path_, " makes a line of each object")};
  }

  void MakeRoom() {
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      scanned_ -= begin_;
      begin_ = 0;
    }
    // A long line once must not keep its memory for the rest of the file.
    const size_t wanted = end_ + kReadBytes + kJsonPadding;
    if (buffer_.size() < wanted) {
      buffer_.resize(std::max(wanted, end_ > kReadBytes ? end_ + end_ / 2 + kJsonPadding : wanted));
    } else if (buffer_.size() > 8 * kReadBytes && end_ < kReadBytes) {
      buffer_.resize(wanted);
      buffer_.shrink_to_fit();
    }
  }

  Status Fill() {
    MakeRoom();
    const size_t before = end_;
    do {
      MakeRoom();
      Result<size_t> count =
          source_.Read(buffer_.data() + end_, buffer_.size() - end_ - kJsonPadding);
      if (!count.ok()) return count.error();
      at_end_ = *count == 0;
      end_ += *count;
    } while (!at_end_ && !array_.decided() && !array_.Decide({buffer_.data(), end_}));
    if (at_end_ && array_.open()) {
      return Error{ErrorCode::kInput, StrCat("'", path_, "' ends in the middle of its JSON array"),
                   "the file was cut short: copy or download it again"};
    }
    end_ = before + array_.Rewrite(buffer_.data() + before, end_ - before);
    return {};
  }

  ByteSource source_;
  JsonArrayLines array_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0, scanned_ = 0;
  std::string path_;
  bool first_seen_ = false;
  bool at_end_ = false;
  bool skipping_ = false;
  int64_t number_ = 0;
};

}  // namespace

Result<std::unique_ptr<LineReader>> LineReader::Open(const std::string& path,
                                                     std::function<bool()> keep_waiting) {
  auto reader = std::make_unique<LineReaderImpl>();
  Status status = reader->Open(path, std::move(keep_waiting));
  if (!status.ok()) return status.error();
  return std::unique_ptr<LineReader>(std::move(reader));
}

struct LineWriter::Impl {
  std::string path;
  int fd = -1;
  bool regular = false;
  std::unique_ptr<Packer> packer;  // none: as it is
  std::string buffer;
  int64_t written = 0;
};

LineWriter::LineWriter() : impl_(std::make_unique<Impl>()) {}

LineWriter::~LineWriter() {
  if (impl_ && impl_->fd >= 0) (void)Close();
}

Result<std::unique_ptr<LineWriter>> LineWriter::Open(const std::string& path, bool append) {
  if (Status status = Packer::CheckName(path); !status.ok()) return status.error();
  std::unique_ptr<LineWriter> writer(new LineWriter());
  Impl& impl = *writer->impl_;
  if (path.empty() || path == "-") {
    impl.path = "standard output";
    impl.fd = STDOUT_FILENO;
  } else {
    impl.path = path;
    impl.fd =
        open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
    if (impl.fd < 0) return IoError("cannot write", path, errno);
    struct stat info {};
    impl.regular = fstat(impl.fd, &info) == 0 && S_ISREG(info.st_mode);
    if (Packer::KindOf(path) != Packer::Kind::kNone)
      impl.packer = Packer::Make(Packer::KindOf(path));
  }
  return writer;
}

Status LineWriter::Write(std::string_view line) {
  impl_->buffer.append(line);
  impl_->buffer.push_back('\n');
  return impl_->buffer.size() >= (size_t{256} << 10) ? Flush() : Status();
}

Status LineWriter::Flush() {
  if (impl_->packer) {
    std::string packed;
    Status status = impl_->packer->Add(impl_->buffer, &packed);
    if (!status.ok()) return status;
    impl_->buffer = std::move(packed);
  }
  return WriteBuffer();
}

Status LineWriter::WriteBuffer() {
  size_t at = 0;
  while (at < impl_->buffer.size()) {
    const ssize_t count = write(impl_->fd, impl_->buffer.data() + at, impl_->buffer.size() - at);
    if (count < 0) {
      if (errno == EINTR) continue;
      const int error_number = errno;
      impl_->buffer.clear();
      return IoError("cannot write", impl_->path, error_number);
    }
    at += static_cast<size_t>(count);
    impl_->written += count;
  }
  impl_->buffer.clear();
  return {};
}

Status LineWriter::Sync() {
  Status status = Flush();
  if (!status.ok()) return status;
  if (impl_->regular && fdatasync(impl_->fd) != 0)
    return IoError("cannot write", impl_->path, errno);
  return {};
}

Status LineWriter::Close() {
  Status status = Flush();
  if (impl_->packer && status.ok()) status = impl_->packer->Finish(&impl_->buffer);
  impl_->packer.reset();
  if (status.ok()) status = WriteBuffer();
  if (impl_->fd > STDERR_FILENO && close(impl_->fd) != 0 && status.ok()) {
    status = IoError("cannot write", impl_->path, errno);
  }
  impl_->fd = -1;
  return status;
}

int64_t LineWriter::bytes_written() const {
  return impl_->written + static_cast<int64_t>(impl_->buffer.size());
}

bool IsSameFile(const std::string& a, const std::string& b) {
  struct stat first, second;
  const int found_a = a == "-" ? fstat(STDIN_FILENO, &first) : stat(a.c_str(), &first);
  const int found_b = b == "-" ? fstat(STDOUT_FILENO, &second) : stat(b.c_str(), &second);
  return found_a == 0 && found_b == 0 && S_ISREG(first.st_mode) && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

Result<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  ByteSource source;
  Status status = source.Open(path, nullptr);
  if (!status.ok()) return status.error();
  std::string out;
  for (;;) {
    const size_t have = out.size();
    if (have > max_bytes) {
      return Error{
          ErrorCode::kLimit,
          StrCat("'", path, "' is larger than ", HumanBytes(static_cast<double>(max_bytes))), ""};
    }
    out.resize(have + kReadBytes);
    Result<size_t> count = source.Read(out.data() + have, kReadBytes);
    if (!count.ok()) return count.error();
    out.resize(have + *count);
    if (*count == 0) return out;
  }
}

Status WriteFileAtomic(const std::string& path, std::string_view contents) {
  const std::string temporary = StrCat(path, ".tmp", static_cast<int64_t>(getpid()));
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return IoError("cannot write", temporary, errno);
  int failed = 0;
  size_t at = 0;
  while (at < contents.size() && failed == 0) {
    const ssize_t count = write(fd, contents.data() + at, contents.size() - at);
    if (count >= 0) {
      at += static_cast<size_t>(count);
    } else if (errno != EINTR) {
      failed = errno;
    }
  }
  if (failed == 0 && fsync(fd) != 0) failed = errno;
  if (close(fd) != 0 && failed == 0) failed = errno;
  if (failed == 0 && rename(temporary.c_str(), path.c_str()) != 0) failed = errno;
  if (failed != 0) {
    (void)unlink(temporary.c_str());
    return IoError("cannot write", path, failed);
  }
  return {};
}

}  // namespace assay
