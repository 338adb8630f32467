#include "datagen/score/row_reader.h"

#include <memory>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/jsonl.h"

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
  const Status status = ReadAll();
  PushPending();
  queue_->EndOfInput(status);
}

Status RowReader::ReadAll() {
  if (plan_.gathers) return ReadGathered();
  for (size_t file = 0; file < options_.files.size() && !queue_->stopped(); ++file) {
    if (Status status = ReadFileInOrder(file); !status.ok()) return status;
  }
  return {};
}

Status RowReader::ReadGathered() {
  const auto stop = [this] { return queue_->stopped() || options_.Interrupted(); };
  Result<std::vector<ScoreRow>> rows = GatherGroups(options_.files, group_field_, stop);
  if (!rows.ok()) return rows.error();
  for (ScoreRow& row : *rows) {
    if (Status status = Emit(std::move(row)); !status.ok()) return status;
  }
  return {};
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
  AdjacentLines rows(group_field_, emit, &split_groups_);
  LineReader::Line line;
  for (;;) {
    Result<bool> more = reader.Next(&line);
    if (!more.ok()) return more.error();
    if (queue_->stopped()) return {};
    if (!*more) return rows.Finish();
    bytes_read_ = bytes_before + reader.bytes_read();
    Status status = rows.Take({line.number, std::string(line.text), line.too_long, file});
    if (!status.ok()) return status;
  }
}

Status RowReader::Emit(ScoreRow row) {
  row.hash = HashOf(row.lines);
  const int64_t index = rows_read_++;
  if (index < plan_.rows_done) return plan_.compare_with_done(row, index);
  pending_.bytes += kRowBytes;
  for (const InputLine& line : row.lines)
    pending_.bytes += static_cast<int64_t>(line.text.size()) + kLineBytes;
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
