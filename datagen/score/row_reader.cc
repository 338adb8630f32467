#include "datagen/score/row_reader.h"

#include <memory>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/jsonl.h"
#include "datagen/score/stored_rows.h"

namespace assay {
namespace {

constexpr size_t kBatchRows = 64;
constexpr int64_t kBatchBytes = 64 << 10;
constexpr int64_t kLargeBatchBytes = 2 << 20;  // where verifiers gain from more at once
// What a row and a line weigh beside their text.
constexpr int64_t kRowBytes = 512, kLineBytes = 256;

Hash128 HashOf(const std::vector<InputLine>& lines) {
  Hash128 hash = HashBytes128(lines[0].text);
  for (size_t i = 1; i < lines.size(); ++i)
    hash = HashBytes128(lines[i].text, hash.low ^ hash.high);
  return hash;
}

}  // namespace

void RowReader::Run() {
  Status status = ReadAll();
  if (status.ok() && rows_read_ < plan_.rows_done && !queue_->stopped() && !options_.Interrupted())
    status = plan_.too_short(rows_read_);
  PushPending();
  queue_->EndOfInput(status);
}

Status RowReader::ReadAll() {
  if (plan_.gathers) return ReadGathered();
  if (!options_.from_store.empty()) return ReadStored();
  for (size_t file = 0; file < options_.files.size() && !queue_->stopped(); ++file) {
    if (Status status = ReadFileInOrder(file); !status.ok()) return status;
  }
  return queue_->stopped() ? Status() : use_.Check(group_field_);
}

Status RowReader::ReadGathered() {
  const auto stop = [this] { return queue_->stopped() || options_.Interrupted(); };
  const LineSource source =
      options_.from_store.empty()
          ? LinesOfFiles(options_.files, stop,
                         [this](std::string_view line) { return filters_.Repeats(line); })
          : LinesOfStoredRun(options_.from_store, options_.from_run, options_.files, stop);
  return GatherGroups(source, group_field_, options_.output, stop,
                      [this](ScoreRow row) { return Emit(std::move(row)); });
}

Status RowReader::ReadStored() {
  bool stopped = false;  // its error only ends the reading
  const Status status = ForEachStoredRow(options_.from_store, options_.from_run, options_.files,
                                         [&](ScoreRow row) -> Status {
                                           stopped = queue_->stopped();
                                           if (stopped)
                                             return Error{ErrorCode::kInternal, "stopped", ""};
                                           return Emit(std::move(row));
                                         });
  return stopped ? Status() : status;
}

Status RowReader::ReadFileInOrder(size_t file) {
  // While a pipe gives nothing, what has come is scored instead of waiting for a full batch.
  const auto keep_waiting = [this] {
    PushPending();
    return !queue_->stopped();
  };
  Result<std::unique_ptr<LineReader>> opened = LineReader::Open(options_.files[file], keep_waiting);
  if (!opened.ok()) return opened.error();
  LineReader& reader = **opened;
  bytes_total_ += reader.bytes_total();
  const int64_t bytes_before = bytes_read_;
  const auto emit = [this](ScoreRow row) { return Emit(std::move(row)); };
  AdjacentLines rows(group_field_, emit, &split_groups_, &use_);
  LineReader::Line line;
  for (;;) {
    Result<bool> more = reader.Next(&line);
    if (!more.ok()) return more.error();
    if (queue_->stopped()) return {};
    if (!*more) return rows.Finish();
    bytes_read_ = bytes_before + reader.bytes_read();
    if (filters_.Repeats(line.text)) continue;
    Status status = rows.Take({line.number, std::string(line.text), line.too_long, file});
    if (!status.ok()) return status;
  }
}

Status RowReader::Emit(ScoreRow row) {
  if (!row.stored) row.hash = HashOf(row.lines);
  const int64_t index = rows_read_++;
  if (index < plan_.rows_done) return plan_.compare_with_done(row, index);
  pending_.bytes += kRowBytes;
  for (const InputLine& line : row.lines)
    pending_.bytes += static_cast<int64_t>(line.text.size()) + kLineBytes;
  for (const Sample& sample : row.group.samples)
    pending_.bytes += static_cast<int64_t>(sample.text.size());
  pending_.rows.push_back(std::move(row));
  if (IsFull(pending_)) PushPending();
  return {};
}

bool RowReader::IsFull(const RowBatch& batch) const {
  if (plan_.batch_samples == 0)
    return batch.rows.size() >= kBatchRows || batch.bytes >= kBatchBytes;
  // How many samples a row has is not known before it is parsed; each line has at least one.
  return static_cast<int64_t>(batch.rows.size()) >= plan_.batch_samples ||
         batch.bytes >= kLargeBatchBytes;
}

void RowReader::PushPending() {
  if (pending_.rows.empty()) return;
  queue_->Push(std::exchange(pending_, RowBatch()));
}

}  // namespace assay
