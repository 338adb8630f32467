#include "core/spool_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "core/byte_source.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

std::string FolderFor(const std::string& beside) {
  if (!beside.empty() && beside != "-") {
    const size_t slash = beside.rfind('/');
    return slash == std::string::npos ? "." : beside.substr(0, slash + 1);
  }
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/var/tmp";
}

}  // namespace

Result<std::unique_ptr<SpoolFile>> SpoolFile::Make(const std::string& beside) {
  const std::string folder = FolderFor(beside);
  std::string name = StrCat(folder, "/.assay-spool-XXXXXX");
  const int fd = mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) return IoError("cannot make a temporary file in", folder, errno);
  (void)unlink(name.c_str());
  return std::unique_ptr<SpoolFile>(new SpoolFile(fd, folder));
}

SpoolFile::~SpoolFile() { close(fd_); }

Status SpoolFile::WriteBuffer() {
  for (size_t done = 0; done < buffer_.size();) {
    const ssize_t count = pwrite(fd_, buffer_.data() + done, buffer_.size() - done,
                                 written_ + static_cast<int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      return IoError("cannot write a temporary file in", folder_, count < 0 ? errno : ENOSPC);
    done += static_cast<size_t>(count);
  }
  written_ += static_cast<int64_t>(buffer_.size());
  buffer_.clear();
  return {};
}

Result<SpoolFile::Place> SpoolFile::Add(std::string_view text) {
  const Place place{written_ + static_cast<int64_t>(buffer_.size()),
                    static_cast<int64_t>(text.size())};
  buffer_.append(text);
  if (buffer_.size() >= kBufferBytes) {
    if (Status status = WriteBuffer(); !status.ok()) return status.error();
  }
  return place;
}

Status SpoolFile::Read(const Place& place, std::string* out) {
  // A text is written whole or not yet.
  if (place.offset >= written_) {
    out->assign(buffer_, static_cast<size_t>(place.offset - written_),
                static_cast<size_t>(place.bytes));
    return {};
  }
  out->resize(static_cast<size_t>(place.bytes));
  for (size_t done = 0; done < out->size();) {
    const ssize_t count = pread(fd_, out->data() + done, out->size() - done,
                                place.offset + static_cast<int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      return IoError("cannot read a temporary file in", folder_, count < 0 ? errno : EIO);
    done += static_cast<size_t>(count);
  }
  return {};
}

}  // namespace assay
