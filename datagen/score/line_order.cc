#include "datagen/score/line_order.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "core/byte_source.h"
#include "core/jsonl.h"
#include "core/spool_file.h"
#include "core/text.h"

namespace assay {
namespace {

class InputFile {
 public:
  explicit InputFile(const std::string& path)
      : path_(path), fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~InputFile() {
    if (fd_ >= 0) close(fd_);
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  // As many bytes as are wanted, or all up to the end.
  Status Read(int64_t offset, size_t wanted, std::string* out) const {
    out->resize(wanted);
    size_t have = 0;
    while (have < wanted) {
      const ssize_t count = pread(fd_, out->data() + have, wanted - have,
                                  static_cast<off_t>(offset + static_cast<int64_t>(have)));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return IoError("cannot read", path_, errno);
      if (count == 0) break;
      have += static_cast<size_t>(count);
    }
    out->resize(have);
    return {};
  }

 private:
  const std::string path_;
  const int fd_;
};

// Where each line begins, and behind the last one where it ends.
Result<std::vector<int64_t>> LineStarts(const InputFile& file) {
  constexpr size_t kPiece = size_t{1} << 20;
  std::vector<int64_t> starts = {0};
  std::string piece;
  for (int64_t at = 0;; at += static_cast<int64_t>(piece.size())) {
    if (Status status = file.Read(at, kPiece, &piece); !status.ok()) return status.error();
    if (piece.empty()) return starts;
    for (size_t end = piece.find('\n'); end != std::string::npos; end = piece.find('\n', end + 1))
      starts.push_back(at + static_cast<int64_t>(end) + 1);
  }
}

Error NotOurs(const std::string& path) {
  return {ErrorCode::kInput, StrCat("'", path, "' is not what this run wrote"),
          "something else changed it: start afresh, without --resume"};
}

}  // namespace

void LineOrder::Add(const ScoreRow& row) {
  for (const InputLine& line : row.lines) places_.push_back(line.place);
}

Result<bool> LineOrder::Write(const std::string& from, const std::string& to,
                              const std::function<bool()>& stop) const {
  const InputFile file(from);
  Result<std::vector<int64_t>> starts = LineStarts(file);
  if (!starts.ok()) return starts.error();
  if (starts->size() != places_.size() + 1) return NotOurs(from);
  std::vector<uint64_t> written(places_.size(), places_.size());  // by place: which line it is
  for (uint64_t line = 0; line < places_.size(); ++line) {
    if (places_[line] < written.size()) written[places_[line]] = line;
  }
  Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(to, /*append=*/false);
  if (!writer.ok()) return writer.error();
  std::string text;
  for (const uint64_t line : written) {
    if (line >= places_.size()) return NotOurs(from);
    if (stop()) return false;
    const auto bytes = static_cast<size_t>((*starts)[line + 1] - (*starts)[line] - 1);
    Status status = file.Read((*starts)[line], bytes, &text);
    if (status.ok()) status = (*writer)->Write(text);
    if (!status.ok()) return status.error();
  }
  if (Status status = (*writer)->Close(); !status.ok()) return status.error();
  return true;
}

Status LineOrder::ReadBack(const std::string& path,
                           const std::function<void(std::string_view line)>& take) const {
  // It may be packed.
  Result<std::unique_ptr<SpoolFile>> spool = SpoolFile::Make(path);
  if (!spool.ok()) return spool.error();
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  if (!reader.ok()) return reader.error();
  std::vector<SpoolFile::Place> lines;
  for (LineReader::Line line;;) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) break;
    Result<SpoolFile::Place> place = (*spool)->Add(line.text);
    if (!place.ok()) return place.error();
    lines.push_back(*place);
  }
  if (lines.size() != places_.size()) return NotOurs(path);
  std::string text;
  for (const uint64_t place : places_) {
    if (place >= lines.size()) return NotOurs(path);
    if (Status status = (*spool)->Read(lines[place], &text); !status.ok()) return status;
    take(text);
  }
  return {};
}

}  // namespace assay
