#include "datagen/score/resume_journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/text.h"

namespace assay {
namespace {

struct Record {
  uint64_t place;  // file << 48 | line
  uint64_t hash;
  uint32_t output_lines;
  uint32_t unused;  // once the row's faults: records keep their size
};
static_assert(sizeof(Record) == 24);
constexpr size_t kFlushRecords = 1024;

Error SystemError(const std::string& path, int error_number) {
  return {ErrorCode::kIo, StrCat("cannot write '", path, "': ", std::strerror(error_number)),
          error_number == ENOSPC  ? "free some space, then run the same command with --resume"
          : error_number == EFBIG ? "raise the limit on a file's size (ulimit -f)"
                                  : ""};
}

uint64_t Place(size_t file, int64_t line) {
  return (static_cast<uint64_t>(file) << 48) | static_cast<uint64_t>(line);
}

std::string Header(const std::string& config_hash, const std::vector<std::string>& files) {
  Json list = Json::MakeArray();
  for (const std::string& file : files) list.Append(file);
  return Json()
             .Set("assay_resume", 1)
             .Set("config", config_hash)
             .Set("files", std::move(list))
             .Dump() +
         "\n";
}

}  // namespace

struct ResumeJournal::Impl {
  std::string path;
  int fd = -1;
  int output_fd = -1;        // holds the lock on the output
  std::vector<Record> done;  // of the interrupted run
  int64_t rows_done = 0;
  std::vector<Record> pending;

  Status Flush() {
    Status status =
        Write(reinterpret_cast<const char*>(pending.data()), pending.size() * sizeof(Record));
    if (status.ok()) pending.clear();
    return status;
  }

  Status Write(const char* data, size_t left) const {
    while (left > 0) {
      const ssize_t count = write(fd, data, left);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return SystemError(path, errno);
      data += count;
      left -= static_cast<size_t>(count);
    }
    return {};
  }
};

namespace {

// Keeps the first rows of `records` whose lines are whole in the output, and says where the output ends then.
Result<int64_t> CutOutput(const std::string& output, int64_t rows_max,
                          std::vector<Record>* records) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(output.c_str(), "rb"), std::fclose);
  std::vector<char> buffer(size_t{1} << 20);
  size_t row = 0, have = 0, at = 0;
  int64_t offset = 0, cut = 0;
  uint64_t lines_of_row = 0;
  while (file && row < records->size() && (rows_max < 0 || row < static_cast<size_t>(rows_max))) {
    if (at == have) {
      have = std::fread(buffer.data(), 1, buffer.size(), file.get());
      at = 0;
      if (have == 0) break;
    }
    const void* hit = std::memchr(buffer.data() + at, '\n', have - at);
    const size_t end = hit == nullptr
                           ? have
                           : static_cast<size_t>(static_cast<const char*>(hit) - buffer.data()) + 1;
    offset += static_cast<int64_t>(end - at);
    at = end;
    if (hit == nullptr) continue;
    if (++lines_of_row == (*records)[row].output_lines) {
      lines_of_row = 0;
      ++row;
      cut = offset;
    }
  }
  records->resize(row);
  return cut;
}

Status ReadJournal(const std::string& path, const std::string& header, std::vector<Record>* records,
                   bool* fresh) {
  Result<std::string> text = ReadFile(path, size_t{1} << 34);
  if (!text.ok()) return text.error();
  const size_t newline = text->find('\n');
  if (newline == std::string::npos) {  // killed while it was being made: nothing was scored yet
    *fresh = true;
    return {};
  }
  if (text->substr(0, newline + 1) != header) {
    Result<Json> old = ParseJson(text->substr(0, newline));
    Result<Json> now = ParseJson(header);
    const bool same_config = old.ok() && old->StringOr("config", "") == now->StringOr("config", "");
    return Error{
        ErrorCode::kUsage,
        same_config ? "the interrupted run had other input files"
                    : "the interrupted run had another configuration (rubric, options or version)",
        StrCat("repeat its command line, or start afresh without --resume (see ", path, ")")};
  }
  const size_t count = (text->size() - newline - 1) / sizeof(Record);
  records->resize(count);
  if (count > 0) std::memcpy(records->data(), text->data() + newline + 1, count * sizeof(Record));
  return {};
}

}  // namespace

Error ResumeJournal::Missing(const std::string& output) {
  return {
      ErrorCode::kUsage,
      StrCat("cannot resume '", output, "': its journal '", output, ".resume' is missing"),
      "a run that finishes removes it (unless it was told to --resume); if that one did not, start "
      "afresh without --resume"};
}

ResumeJournal::ResumeJournal() : impl_(std::make_unique<Impl>()) {}
ResumeJournal::~ResumeJournal() {
  if (impl_->fd >= 0) close(impl_->fd);
  if (impl_->output_fd >= 0) close(impl_->output_fd);
}

namespace {

// The output opened for cutting, and locked: the lines of two runs in one file would be worth nothing.
Result<int> LockOutput(const std::string& output) {
  const int fd = open(output.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) {
    const int error_number = errno;
    return Error{
        ErrorCode::kIo, StrCat("cannot write '", output, "': ", std::strerror(error_number)),
        error_number == ENOENT ? "make its folder first" : "check the permissions (ls -l)"};
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    close(fd);
    return Error{ErrorCode::kUsage, StrCat("another process is writing to '", output, "'"),
                 "wait until it is done, or write to another file"};
  }
  return fd;  // file systems without locks go without
}

}  // namespace

Result<std::unique_ptr<ResumeJournal>> ResumeJournal::Open(const std::string& output,
                                                           const std::string& config_hash,
                                                           const std::vector<std::string>& files,
                                                           bool resume, int64_t rows_max) {
  std::unique_ptr<ResumeJournal> journal(new ResumeJournal());
  Impl& impl = *journal->impl_;
  struct stat info {};
  const bool exists = stat(output.c_str(), &info) == 0;
  if (exists && !S_ISREG(info.st_mode)) {
    if (!resume) return std::unique_ptr<ResumeJournal>();  // a pipe or a device: nothing to journal
    return Error{ErrorCode::kUsage,
                 StrCat("cannot resume into '", output, "': it is no regular file"), ""};
  }
  impl.path = output + ".resume";
  const std::string header = Header(config_hash, files);
  struct stat journal_info {};
  const bool journal_exists = stat(impl.path.c_str(), &journal_info) == 0;
  bool fresh = !resume || !journal_exists;
  if (resume && !journal_exists && exists && info.st_size > 0) {
    return Missing(output);
  }
  Result<int> locked = LockOutput(output);
  if (!locked.ok()) return locked.error();
  impl.output_fd = *locked;
  if (!fresh) {
    Status status = ReadJournal(impl.path, header, &impl.done, &fresh);
    if (!status.ok()) return status.error();
  }
  if (fresh) impl.done.clear();
  int64_t cut = 0;
  if (!impl.done.empty()) {
    Result<int64_t> found = CutOutput(output, rows_max, &impl.done);
    if (!found.ok()) return found.error();
    cut = *found;
  }
  impl.rows_done = static_cast<int64_t>(impl.done.size());
  if (ftruncate(impl.output_fd, cut) != 0) return SystemError(output, errno);
  if (!fresh &&
      truncate(impl.path.c_str(),
               static_cast<off_t>(header.size() + impl.done.size() * sizeof(Record))) != 0) {
    return SystemError(impl.path, errno);
  }
  impl.fd = open(impl.path.c_str(),
                 O_WRONLY | O_APPEND | O_CLOEXEC | (fresh ? O_CREAT | O_TRUNC : 0), 0666);
  if (impl.fd < 0) return SystemError(impl.path, errno);
  if (!fresh) return journal;
  if (Status status = impl.Write(header.data(), header.size()); !status.ok()) return status.error();
  return journal;
}

Result<std::unique_ptr<ResumeJournal>> ResumeJournal::OpenFinished(
    const std::string& output, const std::string& config_hash,
    const std::vector<std::string>& files) {
  std::unique_ptr<ResumeJournal> journal(new ResumeJournal());
  Impl& impl = *journal->impl_;
  impl.path = output + ".resume";
  Result<int> locked = LockOutput(output);
  if (!locked.ok()) return locked.error();
  impl.output_fd = *locked;
  bool fresh = false;
  Status status = ReadJournal(impl.path, Header(config_hash, files), &impl.done, &fresh);
  if (!status.ok()) return status.error();
  impl.rows_done = static_cast<int64_t>(impl.done.size());
  return journal;
}

int64_t ResumeJournal::rows_done() const { return impl_->rows_done; }

size_t ResumeJournal::OutputLines(int64_t index) const {
  return impl_->done[static_cast<size_t>(index)].output_lines;
}

bool ResumeJournal::Matches(int64_t index, size_t file, int64_t line, uint64_t hash) {
  if (index >= impl_->rows_done) return false;
  const Record& record = impl_->done[static_cast<size_t>(index)];
  return record.place == Place(file, line) && record.hash == hash;
}

Status ResumeJournal::Add(const Row& row) {
  impl_->pending.push_back(
      {Place(row.file, row.line), row.hash, static_cast<uint32_t>(row.output_lines), 0});
  return impl_->pending.size() >= kFlushRecords ? impl_->Flush() : Status();
}

Status ResumeJournal::Flush() { return impl_->Flush(); }

Status ResumeJournal::Close() {
  if (impl_->fd < 0) return {};
  Status status = impl_->Flush();
  if (close(impl_->fd) != 0 && status.ok()) status = SystemError(impl_->path, errno);
  impl_->fd = -1;
  return status;
}

}  // namespace assay
