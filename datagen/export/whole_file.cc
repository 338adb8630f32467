#include "datagen/export/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/byte_source.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr size_t kBufferBytes = size_t{256} << 10;

}  // namespace

Result<WholeFile> WholeFile::Open(const std::string& path, const std::atomic<bool>* interrupted) {
  if (Status status = Packer::CheckName(path); !status.ok()) return status.error();
  WholeFile file;
  file.interrupted_ = interrupted;
  file.path_ = path;
  file.packer_ = Packer::Make(Packer::KindOf(path));
  if (path.empty() || path == "-") {
    file.path_ = "standard output";
    file.fd_ = STDOUT_FILENO;
    return file;
  }
  std::error_code ignored;
  struct stat info;
  file.renames_ = true;
  if (::stat(path.c_str(), &info) == 0) {
    // Through a link: the link stays, its target is replaced.
    const std::filesystem::path real = std::filesystem::canonical(path, ignored);
    if (!ignored) file.path_ = real.string();
    file.renames_ = S_ISREG(info.st_mode);
  }
  file.partial_ =
      file.renames_ ? StrCat(file.path_, ".partial-", static_cast<int64_t>(getpid())) : file.path_;
  file.fd_ = ::open(file.partial_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_TRUNC, 0666);
  if (file.fd_ < 0) return IoError("cannot write", file.path_, errno);
  return file;
}

WholeFile::WholeFile(WholeFile&& other) noexcept
    : path_(std::move(other.path_)),
      partial_(std::move(other.partial_)),
      text_(std::move(other.text_)),
      packed_(std::move(other.packed_)),
      hash_(std::move(other.hash_)),
      fd_(std::exchange(other.fd_, -1)),
      renames_(other.renames_),
      bytes_(other.bytes_),
      interrupted_(other.interrupted_),
      packer_(std::move(other.packer_)),
      sha_(other.sha_) {}

WholeFile::~WholeFile() {
  if (fd_ < 0) return;
  if (fd_ > STDERR_FILENO) ::close(fd_);
  if (renames_) ::unlink(partial_.c_str());
}

Error WholeFile::Failed(const std::string& what, int error_number) const {
  return IoError(what, path_, error_number);
}

Status WholeFile::Write(const Json& line) {
  text_.clear();
  line.AppendTo(&text_);
  text_.push_back('\n');
  return WriteText(text_);
}

Status WholeFile::WriteText(std::string_view text) {
  if (interrupted_ != nullptr && *interrupted_)
    return Error{ErrorCode::kUnavailable, "interrupted", ""};
  const size_t before = packed_.size();
  if (Status status = packer_->Add(text, &packed_); !status.ok()) return status;
  bytes_ += static_cast<int64_t>(packed_.size() - before);
  return packed_.size() >= kBufferBytes ? Flush() : Status();
}

Status WholeFile::Flush() {
  sha_.Add(packed_);
  for (size_t at = 0; at < packed_.size();) {
    const ssize_t count = ::write(fd_, packed_.data() + at, packed_.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failed("cannot write", errno);
    at += static_cast<size_t>(count);
  }
  packed_.clear();
  return {};
}

Status WholeFile::Finish() {
  const size_t before = packed_.size();
  if (Status status = packer_->Finish(&packed_); !status.ok()) return status;
  bytes_ += static_cast<int64_t>(packed_.size() - before);
  if (Status status = Flush(); !status.ok()) return status;
  hash_ = sha_.Hex();
  if (renames_ && ::fdatasync(fd_) != 0) return Failed("cannot write", errno);
  const int fd = std::exchange(fd_, -1);
  if (fd > STDERR_FILENO && ::close(fd) != 0) return Failed("cannot write", errno);
  if (renames_ && std::rename(partial_.c_str(), path_.c_str()) != 0) {
    const int error_number = errno;
    ::unlink(partial_.c_str());
    return Failed(StrCat("cannot rename '", partial_, "' to"), error_number);
  }
  return {};
}

}  // namespace assay
