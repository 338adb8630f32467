#include "datagen/score/held_lines.h"

#include <utility>

#include "core/check.h"

namespace assay {
namespace {

constexpr size_t kMemoryBytesMax = size_t{16} << 20;

}  // namespace

Status HeldLines::Put(size_t place, std::string_view line) {
  ASSAY_CHECK(place >= first_);
  if (place - first_ >= held_.size()) held_.resize(place - first_ + 1);
  Held& held = held_[place - first_];
  ASSAY_CHECK(held.where == Where::kMissing);
  if (place == first_ || memory_bytes_ + line.size() <= kMemoryBytesMax) {
    held.where = Where::kMemory;
    held.text = std::make_unique<std::string>(line);
    memory_bytes_ += line.size();
    return {};
  }
  if (!spool_) {
    Result<std::unique_ptr<SpoolFile>> made = SpoolFile::Make(beside_);
    if (!made.ok()) return made.error();
    spool_ = std::move(*made);
  }
  Result<SpoolFile::Place> kept = spool_->Add(line);
  if (!kept.ok()) return kept.error();
  held.where = Where::kDisk;
  held.place = *kept;
  return {};
}

Status HeldLines::Release(const std::function<Status(std::string_view)>& write) {
  std::string text;
  for (; !held_.empty() && held_.front().where != Where::kMissing; held_.pop_front(), ++first_) {
    Held& held = held_.front();
    if (held.where == Where::kMemory) {
      text = std::move(*held.text);
      memory_bytes_ -= text.size();
    } else if (Status status = spool_->Read(held.place, &text); !status.ok()) {
      return status;
    }
    if (Status status = write(text); !status.ok()) return status;
  }
  return {};
}

}  // namespace assay
