#include "datagen/score/run_outputs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "core/byte_source.h"
#include "core/check.h"
#include "core/packer.h"
#include "core/text.h"

namespace assay {
namespace {

// A file, or nothing yet: what can be cut back and read again.
bool IsFileOrNew(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode);
}

bool HasBytes(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && info.st_size > 0;
}

Status MakeDurable(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool done = fd >= 0 && fdatasync(fd) == 0;
  const int error_number = errno;
  if (fd >= 0) close(fd);
  return done ? Status() : Status(IoError("cannot write", path, error_number));
}

}  // namespace

RunOutputs::RunOutputs(const ScoreRunOptions& options, bool gathers)
    : options_(options),
      gathers_(gathers),
      reorders_(gathers && options.to_file() && IsFileOrNew(options.output)),
      last_flush_(std::chrono::steady_clock::now()),
      held_(options.output) {}

std::string RunOutputs::Growing() const {
  return reorders_ ? options_.output + ".gathered" : options_.output;
}

Result<std::unique_ptr<RunOutputs>> RunOutputs::Open(const ScoreRunOptions& options,
                                                     const RubricSpec& rubric, bool gathers) {
  std::unique_ptr<RunOutputs> outputs(new RunOutputs(options, gathers));
  const std::string config = ScoreRunConfigHash(options, rubric);
  if (!options.store.empty()) {
    if (Status status = outputs->OpenStore(rubric, config); !status.ok()) return status.error();
  }
  // What is no file has no journal beside it: a store knows how far the run came.
  if (options.to_file() && (options.store.empty() || IsFileOrNew(options.output))) {
    if (Status status = outputs->OpenJournal(config); !status.ok()) return status.error();
  } else if (options.resume && !gathers) {
    outputs->rows_done_ = outputs->store_rows_;
  }
  if (outputs->reorders_ && access(options.output.c_str(), W_OK) != 0 && errno != ENOENT)
    return IoError("cannot write", options.output, errno);
  if (outputs->was_finished_) return outputs;
  if (gathers && !outputs->reorders_ && options.resume && outputs->store_rows_ > 0 &&
      options.warn) {
    options.warn(
        "groups are gathered and their lines go into a pipe, so the run begins again: rows that "
        "the "
        "store has are scored again, and not stored twice. With -o FILE it would go on");
  }
  const bool append = outputs->journal_ != nullptr;
  Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(outputs->Growing(), append);
  if (!writer.ok()) return writer.error();
  outputs->writer_ = std::move(*writer);
  return outputs;
}

Status RunOutputs::OpenStore(const RubricSpec& rubric, const std::string& config) {
  Result<std::unique_ptr<Store>> store = Store::Open(options_.store, OpenMode::kCreate);
  if (!store.ok()) return store.error();
  RunInfo info;
  info.name = options_.run_name;
  info.rubric_json = rubric.ToJson().Dump();
  info.config_hash = config;
  info.tool_version = options_.tool_version;
  info.seed = options_.seed;
  Result<RunId> run = (*store)->BeginRun(info, options_.resume);
  if (!run.ok()) return run.error();
  store_rows_ = 0;
  for (const std::string& file : options_.files) {
    Result<int64_t> rows = (*store)->RowsDone(*run, file);
    if (!rows.ok()) return rows.error();
    store_rows_ += *rows;
  }
  store_ = std::make_unique<StoreWriter>(options_, std::move(*store), *run);
  return {};
}

Status RunOutputs::OpenJournal(const std::string& config) {
  // What is packed cannot be cut back to whole rows either.
  const bool packed = Packer::KindOf(Growing()) != Packer::Kind::kNone;
  if (reorders_ && options_.resume) {
    if (Status status = OpenFinished(config); !status.ok() || was_finished_) return status;
  }
  if (gathers_ || packed) (void)unlink((options_.output + ".resume").c_str());
  if ((gathers_ && !reorders_) || packed) return {};
  Result<std::unique_ptr<ResumeJournal>> journal =
      ResumeJournal::Open(Growing(), config, options_.files, options_.resume, store_rows_);
  if (!journal.ok()) return journal.error();
  journal_ = std::move(*journal);
  if (journal_) rows_done_ = journal_->rows_done();
  return {};
}

// A gathered run leaves its journal beside OUT when it has come to its end.
Status RunOutputs::OpenFinished(const std::string& config) {
  if (HasBytes(Growing() + ".resume") || !HasBytes(options_.output)) return {};
  if (!HasBytes(options_.output + ".resume")) return ResumeJournal::Missing(options_.output);
  Result<std::unique_ptr<ResumeJournal>> journal =
      ResumeJournal::OpenFinished(options_.output, config, options_.files);
  if (!journal.ok()) return journal.error();
  // What a store lacks is scored into it.
  if (store_rows_ >= 0 && store_rows_ < (*journal)->rows_done()) return {};
  (void)unlink(Growing().c_str());
  journal_ = std::move(*journal);
  rows_done_ = journal_->rows_done();
  was_finished_ = true;
  return {};
}

Status RunOutputs::ReadWritten(const std::function<void(const Json&, bool begins)>& take) const {
  if (!journal_ || rows_done_ == 0) return {};
  int64_t row = 0;
  size_t lines_of_row = 0;
  const auto take_line = [&](std::string_view text) {
    const Result<Json> parsed = ParseJson(text);
    take(parsed.ok() ? *parsed : Json(), lines_of_row == 0);
    if (row >= rows_done_ || ++lines_of_row < journal_->OutputLines(row)) return;
    ++row;
    lines_of_row = 0;
  };
  if (was_finished_) return order_.ReadBack(options_.output, take_line);
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(Growing());
  if (!reader.ok()) return reader.error();
  LineReader::Line line;
  for (;;) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) return {};
    take_line(line.text);
  }
}

Status RunOutputs::ReadStored(const std::function<void(const ScoreRow&)>& take) {
  if (journal_ || !store_ || rows_done_ == 0) return {};
  return store_->store()->ForEachGroup(store_->run(), /*with_texts=*/false,
                                       [&](const StoredGroup& group) {
                                         ScoreRow row;
                                         row.bad = !group.error.empty();
                                         row.score.labels = group.labels;
                                         for (const StoredSample& sample : group.samples) {
                                           row.score.samples.push_back(sample.score);
                                           row.cut_off += sample.sample.truncated() ? 1 : 0;
                                         }
                                         take(row);
                                         return Status();
                                       });
}

std::string RunOutputs::KnownBy() const {
  if (!journal_) return StrCat("store '", options_.store, "'");
  return StrCat("'", was_finished_ ? options_.output : Growing(), ".resume'");
}

Error RunOutputs::TooShort(int64_t rows) const {
  return {ErrorCode::kInput,
          StrCat("the input ends after ", rows, " rows, and by ", KnownBy(), " ", rows_done_,
                 " were scored"),
          "the input has changed since: start afresh, without --resume, into another file or run"};
}

Status RunOutputs::CompareWithDone(const ScoreRow& row, int64_t index) {
  const Error changed{
      ErrorCode::kInput,
      StrCat("line ", row.lines[0].number, " of '", options_.files[row.file],
             "' is not what the interrupted run scored by ", KnownBy()),
      "the input (or that file) has changed since: start afresh, without --resume, into another "
      "file or run"};
  if (reorders_) order_.Add(row);
  if (journal_) {
    const bool same = journal_->Matches(index, row.file, row.lines[0].number, row.hash.low);
    return same ? Status() : Status(changed);
  }
  if (store_) {
    Result<bool> has = store_->HasRow(row);
    if (!has.ok()) return has.error();
    if (!*has) return changed;
  }
  return {};
}

Status RunOutputs::Write(const ScoreRow& row) {
  if (was_finished_) {
    return Error{ErrorCode::kInput,
                 StrCat("the input has more rows than the ", rows_done_,
                        " of the run that ended, by ", KnownBy()),
                 "start afresh, without --resume, into another file or run"};
  }
  if (journal_) {
    Status status = journal_->Add({row.file, row.lines[0].number, row.hash.low, row.lines.size()});
    if (!status.ok()) return status;
  }
  if (reorders_) order_.Add(row);
  return gathers_ && !reorders_ ? WriteInPlace(row) : writer_->Write(row.output);
}

// The lines in their order, written beside OUT and then renamed over it: whoever is killed meanwhile leaves what was there. A link stays, and
// so do a file's permissions.
Result<bool> RunOutputs::PutInPlace() const {
  std::error_code is_new;
  const std::filesystem::path real = std::filesystem::canonical(options_.output, is_new);
  const std::string target = is_new ? options_.output : real.string();
  const bool packed = Packer::KindOf(target) != Packer::Kind::kNone;
  const std::string partial =
      StrCat(target, ".gathered.new", packed ? target.substr(target.rfind('.')) : "");
  const Result<bool> written =
      order_.Write(Growing(), partial, [this] { return options_.Interrupted(); });
  if (!written.ok() || !*written) {
    (void)unlink(partial.c_str());
    return written;
  }
  struct stat old {};
  if (stat(target.c_str(), &old) == 0) (void)chmod(partial.c_str(), old.st_mode & 07777);
  if (Status status = MakeDurable(partial); !status.ok()) return status.error();
  if (std::rename(partial.c_str(), target.c_str()) != 0)
    return IoError("cannot write", target, errno);
  return true;
}

// Of a run that is finished. The gathered lines' journal goes first under the name by which a resumed run knows that nothing is left to do.
void RunOutputs::RemoveJournals() const {
  const std::string journal = options_.output + ".resume";
  if (reorders_ && !was_finished_) {
    (void)std::rename((Growing() + ".resume").c_str(), journal.c_str());
    (void)unlink(Growing().c_str());
  }
  if (!options_.resume) (void)unlink(journal.c_str());
}

Status RunOutputs::Keep(std::unique_ptr<RowBatch> batch) {
  return store_ ? store_->Add(std::move(batch)) : Status();
}

// A gathered group's lines wait until all before them are written.
Status RunOutputs::WriteInPlace(const ScoreRow& row) {
  const std::vector<std::string_view> lines = SplitChar(row.output, '\n');
  ASSAY_CHECK(lines.size() == row.lines.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    if (Status status = held_.Put(row.lines[i].place, lines[i]); !status.ok()) return status;
  }
  return held_.Release([this](std::string_view line) { return writer_->Write(line); });
}

Status RunOutputs::FlushNowAndThen() {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_flush_ < std::chrono::seconds(1)) return {};
  last_flush_ = now;
  Status status = writer_ ? writer_->Flush() : Status();
  if (status.ok() && journal_) status = journal_->Flush();
  return status.ok() && store_ ? store_->CommitSoon() : status;
}

Status RunOutputs::CommitStore() { return store_ ? store_->Commit() : Status(); }

Status RunOutputs::Close(End* end) {
  Status status = *end != End::kFailed ? CommitStore() : Status();
  if (journal_) {
    const Status journal = journal_->Close();
    if (status.ok()) status = journal;
  }
  if (writer_) {
    const Status written = writer_->Close();
    if (status.ok()) status = written;
  }
  if (!status.ok() || *end != End::kFinished) return status;
  if (reorders_ && !was_finished_) {
    const Result<bool> placed = PutInPlace();
    if (!placed.ok()) return placed.error();
    if (!*placed) *end = End::kInterrupted;
    if (!*placed) return {};
  }
  if (store_) {
    if (status = store_->FinishRun(); !status.ok()) return status;
  }
  if (journal_) RemoveJournals();
  return {};
}

}  // namespace assay
