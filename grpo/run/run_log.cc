#include "grpo/run/run_log.h"

#include <unistd.h>

#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "core/json.h"
#include "core/text.h"

namespace assay {
namespace {

double WallTime() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// CRC-32C (Castagnoli), bit by bit: an event is a few hundred bytes.
uint32_t Crc32c(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFFu;
  for (unsigned char byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1u)));
  }
  return ~crc;
}

// TFRecord's masking: rotate by 15, add a constant.
uint32_t MaskedCrc(std::string_view bytes) {
  const uint32_t crc = Crc32c(bytes);
  return std::rotr(crc, 15) + 0xA282EAD8u;
}

template <typename T>
void AppendLittle(T value, std::string* out) {
  for (size_t i = 0; i < sizeof(T); ++i)
    out->push_back(static_cast<char>((value >> (8 * i)) & 0xFF));
}

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>((value & 0x7F) | 0x80));
  out->push_back(static_cast<char>(value));
}

void AppendBytesField(int number, std::string_view bytes, std::string* out) {
  AppendVarint(static_cast<uint64_t>(number) << 3 | 2, out);
  AppendVarint(bytes.size(), out);
  out->append(bytes);
}

// Event { double wall_time = 1; int64 step = 2; ... }
std::string EventStart(double wall_time, int64_t step) {
  std::string event;
  event.push_back(0x09);
  AppendLittle(std::bit_cast<uint64_t>(wall_time), &event);
  event.push_back(0x10);
  AppendVarint(static_cast<uint64_t>(step), &event);
  return event;
}

std::string Record(const std::string& payload) {
  std::string length;
  AppendLittle(static_cast<uint64_t>(payload.size()), &length);
  std::string out = length;
  AppendLittle(MaskedCrc(length), &out);
  out += payload;
  AppendLittle(MaskedCrc(payload), &out);
  return out;
}

Error IoError(const std::string& path) {
  return {ErrorCode::kIo, StrCat("cannot write '", path, "': ", std::strerror(errno)), ""};
}

}  // namespace

std::string TensorBoardHeader(double wall_time) {
  std::string event = EventStart(wall_time, 0);
  AppendBytesField(3, "brain.Event:2", &event);
  return Record(event);
}

std::string TensorBoardRecord(double wall_time, int64_t step, const NamedValues& values) {
  std::string summary;
  for (const auto& [name, value] : values) {
    std::string entry;  // Summary.Value { string tag = 1; float simple_value = 2; }
    AppendBytesField(1, name, &entry);
    entry.push_back(0x15);
    AppendLittle(std::bit_cast<uint32_t>(static_cast<float>(value)), &entry);
    AppendBytesField(1, entry, &summary);
  }
  std::string event = EventStart(wall_time, step);
  AppendBytesField(5, summary, &event);
  return Record(event);
}

Result<std::unique_ptr<RunLog>> RunLog::Open(const Options& options) {
  namespace fs = std::filesystem;
  std::error_code code;
  fs::create_directories(fs::path(options.folder) / "tensorboard", code);
  if (code) {
    return Error{ErrorCode::kIo, StrCat("cannot make '", options.folder, "': ", code.message()),
                 "give another --out"};
  }
  std::unique_ptr<RunLog> log(new RunLog);
  const std::string path = (fs::path(options.folder) / "metrics.jsonl").string();
  if (options.keep_bytes >= 0 && fs::exists(path) &&
      fs::file_size(path) > static_cast<uint64_t>(options.keep_bytes)) {
    fs::resize_file(path, options.keep_bytes, code);
    if (code) return Error{ErrorCode::kIo, StrCat("cannot cut '", path, "': ", code.message()), ""};
  }
  log->start_bytes_ =
      options.keep_bytes >= 0 && fs::exists(path) ? static_cast<int64_t>(fs::file_size(path)) : 0;
  Result<std::unique_ptr<LineWriter>> writer =
      LineWriter::Open(path, /*append=*/options.keep_bytes >= 0);
  if (!writer.ok()) return writer.error();
  log->metrics_ = std::move(*writer);
  const double now = WallTime();
  const std::string name = StrCat("events.out.tfevents.", static_cast<int64_t>(now), ".assay.",
                                  static_cast<int64_t>(getpid()), ".", options.first_step);
  const std::string events = (fs::path(options.folder) / "tensorboard" / name).string();
  log->events_ = std::fopen(events.c_str(), "wb");
  if (log->events_ == nullptr) return IoError(events);
  const std::string header = TensorBoardHeader(now);
  std::fwrite(header.data(), 1, header.size(), log->events_);
  log->progress_ = std::make_unique<Progress>(options.label, options.total_steps, options.progress);
  return log;
}

RunLog::~RunLog() {
  if (events_ != nullptr) std::fclose(events_);
}

Status RunLog::Write(int64_t step, const NamedValues& values) {
  Json line = Json::MakeObject();
  line.Set("step", step);
  NamedValues finite;
  for (const auto& [name, value] : values) {
    line.Set(name, std::isfinite(value) ? Json(value) : Json());
    if (std::isfinite(value)) finite.emplace_back(name, value);
  }
  if (Status status = metrics_->Write(line.Dump()); !status.ok()) return status;
  if (Status status = metrics_->Flush(); !status.ok()) return status;
  const std::string record = TensorBoardRecord(WallTime(), step, finite);
  if (std::fwrite(record.data(), 1, record.size(), events_) != record.size() ||
      std::fflush(events_) != 0) {
    return IoError("tensorboard");
  }
  return {};
}

void RunLog::Show(int64_t step, const std::string& note) { progress_->Update(step, note); }

Result<int64_t> RunLog::SyncedBytes() {
  if (Status status = metrics_->Sync(); !status.ok()) return status.error();
  return start_bytes_ + metrics_->bytes_written();
}

Status RunLog::Close() {
  progress_->Done();
  return metrics_->Close();
}

}  // namespace assay
