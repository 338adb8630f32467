// SpoolFile: texts put aside on the disk and read back by their place, where holding them would take as much memory as the input is
// large. The file has no name: nothing is left of it however the process ends. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

namespace assay {

class SpoolFile {
 public:
  struct Place {
    int64_t offset = 0;
    int64_t bytes = 0;
  };

  // In the folder of `beside` if that is a file's name, else in $TMPDIR or /var/tmp. Errors: kIo.
  static Result<std::unique_ptr<SpoolFile>> Make(const std::string& beside);
  ~SpoolFile();
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;

  // Errors: kIo (a full disk).
  Result<Place> Add(std::string_view text);
  Status Read(const Place& place, std::string* out);

 private:
  SpoolFile(int fd, std::string folder) : fd_(fd), folder_(std::move(folder)) {}
  Status WriteBuffer();

  const int fd_;
  const std::string folder_;  // for errors
  std::string buffer_;        // the end of it, not written yet
  int64_t written_ = 0;
};

}  // namespace assay
