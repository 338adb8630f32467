#include "datagen/export/whole_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/text.h"

namespace assay {

Result<WholeFile> WholeFile::Open(const std::string& path, const std::atomic<bool>* interrupted) {
  WholeFile file;
  file.interrupted_ = interrupted;
  file.path_ = path;
  if (path.empty() || path == "-") {
    file.partial_ = path;
  } else {
    std::error_code ignored;
    struct stat info;
    if (::stat(path.c_str(), &info) == 0) {
      // Through a link: the link stays, its target is replaced.
      const std::filesystem::path real = std::filesystem::canonical(path, ignored);
      if (!ignored) file.path_ = real.string();
      file.renames_ = S_ISREG(info.st_mode);
    } else {
      file.renames_ = true;
    }
    file.partial_ = file.renames_ ? StrCat(file.path_, ".partial-", static_cast<int64_t>(getpid()))
                                  : file.path_;
  }
  Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(file.partial_);
  if (!writer.ok()) return file.Named(writer.error());
  file.writer_ = std::move(*writer);
  return file;
}

WholeFile::~WholeFile() {
  if (writer_ == nullptr) return;
  (void)writer_->Close();
  if (renames_) ::unlink(partial_.c_str());
}

Status WholeFile::Write(const Json& line) {
  if (interrupted_ != nullptr && *interrupted_)
    return Error{ErrorCode::kUnavailable, "interrupted", ""};
  text_.clear();
  line.AppendTo(&text_);
  Status status = writer_->Write(text_);
  return status.ok() ? status : Named(status.error());
}

Status WholeFile::Finish() {
  Status status = renames_ ? writer_->Sync() : writer_->Flush();
  if (status.ok()) status = writer_->Close();
  if (!status.ok()) return Named(status.error());
  if (renames_ && std::rename(partial_.c_str(), path_.c_str()) != 0) {
    return Error{ErrorCode::kIo,
                 StrCat("cannot rename '", partial_, "' to '", path_, "': ", std::strerror(errno)),
                 "check the permissions of the folder"};
  }
  writer_.reset();
  return {};
}

Error WholeFile::Named(Error error) const {
  const size_t at = renames_ ? error.message.find(partial_) : std::string::npos;
  if (at != std::string::npos) error.message.replace(at, partial_.size(), path_);
  return error;
}

}  // namespace assay
