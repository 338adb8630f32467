#include "grpo/files/gguf_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "core/check.h"
#include "core/text.h"
#include "grpo/files/gguf_blocks.h"

namespace assay {
namespace {

constexpr size_t kAlignment = 32;
constexpr size_t kFlushBytes = size_t{1} << 20;

// Numbers of metadata types.
enum : uint32_t { kU32 = 4, kI32 = 5, kFloat = 6, kBool = 7, kString = 8, kArray = 9 };

template <typename T>
void AppendRaw(T value, std::string* out) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out->append(bytes, sizeof(T));
}

void AppendString(std::string_view text, std::string* out) {
  AppendRaw(static_cast<uint64_t>(text.size()), out);
  out->append(text);
}

uint16_t Bf16FromFloat(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

uint16_t HalfFromFloat(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const float magnitude = std::abs(value);
  if (std::isnan(value)) return sign | 0x7E00;
  if (magnitude >= 65520.0f) return sign | 0x7C00;  // rounds to infinity
  // Below 2^-14 a unit is 2^-24; the sum rounds there as the format does.
  if (magnitude < 0x1p-14f) {
    const auto units = std::bit_cast<uint32_t>(magnitude + 0.5f) - std::bit_cast<uint32_t>(0.5f);
    return static_cast<uint16_t>(sign | units);
  }
  const uint32_t positive = bits & 0x7FFFFFFF;
  const uint32_t rounded = positive + 0xFFF + (positive >> 13 & 1);
  return static_cast<uint16_t>(sign | ((rounded >> 13) - (uint32_t{112} << 10)));
}

void AppendQ8Block(const float* values, std::string* out) {
  float most = 0;
  for (int i = 0; i < 32; ++i) most = std::max(most, std::abs(values[i]));
  const float scale = most / 127;
  const float inverse = scale != 0 ? 1 / scale : 0;
  AppendRaw(HalfFromFloat(scale), out);
  for (int i = 0; i < 32; ++i)
    out->push_back(static_cast<char>(static_cast<int8_t>(std::round(values[i] * inverse))));
}

size_t RowBytes(const GgufWriter::Tensor& tensor) {
  const GgmlType* type = FindGgmlType(static_cast<uint32_t>(tensor.type));
  ASSAY_CHECK(tensor.shape.back() % type->block_elements == 0);
  return static_cast<size_t>(tensor.shape.back() / type->block_elements * type->block_bytes);
}

int64_t Rows(const GgufWriter::Tensor& tensor) {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < tensor.shape.size(); ++i) rows *= tensor.shape[i];
  return rows;
}

size_t Aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// A file that is gone again unless Finish was reached.
class NewFile {
 public:
  explicit NewFile(std::string path)
      : path_(std::move(path)),
        temporary_(path_ + ".writing"),
        fd_(open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {}
  ~NewFile() {
    if (fd_ < 0) return;
    close(fd_);
    (void)unlink(temporary_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  Status Write(std::string* bytes) {
    if (fd_ < 0) return Failed("write");
    for (size_t done = 0; done < bytes->size();) {
      const ssize_t count = write(fd_, bytes->data() + done, bytes->size() - done);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return Failed("write");
      done += static_cast<size_t>(count);
    }
    bytes->clear();
    return {};
  }
  Status Finish() {
    if (fsync(fd_) != 0) return Failed("write");
    close(fd_);
    fd_ = -1;
    return rename(temporary_.c_str(), path_.c_str()) == 0 ? Status() : Failed("rename to");
  }

 private:
  Status Failed(const char* what) const {
    return Error{ErrorCode::kIo, StrCat("cannot ", what, " '", path_, "': ", std::strerror(errno)),
                 errno == ENOSPC ? "free some space" : ""};
  }
  const std::string path_, temporary_;
  int fd_;
};

}  // namespace

void AppendGgufRow(GgufOut type, const float* row, int64_t columns, std::string* out) {
  switch (type) {
    case GgufOut::kF32:
      for (int64_t i = 0; i < columns; ++i) AppendRaw(row[i], out);
      return;
    case GgufOut::kF16:
      for (int64_t i = 0; i < columns; ++i) AppendRaw(HalfFromFloat(row[i]), out);
      return;
    case GgufOut::kBf16:
      for (int64_t i = 0; i < columns; ++i) AppendRaw(Bf16FromFloat(row[i]), out);
      return;
    case GgufOut::kQ8_0:
      ASSAY_CHECK(columns % 32 == 0);
      for (int64_t i = 0; i < columns; i += 32) AppendQ8Block(row + i, out);
      return;
  }
}

void GgufWriter::Key(std::string_view key, uint32_t type) {
  AppendString(key, &metadata_);
  AppendRaw(type, &metadata_);
  ++values_;
}

void GgufWriter::Add(std::string_view key, std::string_view value) {
  Key(key, kString);
  AppendString(value, &metadata_);
}
void GgufWriter::Add(std::string_view key, uint32_t value) {
  Key(key, kU32);
  AppendRaw(value, &metadata_);
}
void GgufWriter::Add(std::string_view key, float value) {
  Key(key, kFloat);
  AppendRaw(value, &metadata_);
}
void GgufWriter::Add(std::string_view key, bool value) {
  Key(key, kBool);
  metadata_.push_back(value ? 1 : 0);
}
void GgufWriter::Add(std::string_view key, const std::vector<std::string>& values) {
  Key(key, kArray);
  AppendRaw(uint32_t{kString}, &metadata_);
  AppendRaw(static_cast<uint64_t>(values.size()), &metadata_);
  for (const std::string& value : values) AppendString(value, &metadata_);
}
void GgufWriter::Add(std::string_view key, const std::vector<float>& values) {
  Key(key, kArray);
  AppendRaw(uint32_t{kFloat}, &metadata_);
  AppendRaw(static_cast<uint64_t>(values.size()), &metadata_);
  for (const float value : values) AppendRaw(value, &metadata_);
}
void GgufWriter::Add(std::string_view key, const std::vector<int32_t>& values) {
  Key(key, kArray);
  AppendRaw(uint32_t{kI32}, &metadata_);
  AppendRaw(static_cast<uint64_t>(values.size()), &metadata_);
  for (const int32_t value : values) AppendRaw(value, &metadata_);
}

Status GgufWriter::Write(const std::string& path) const {
  std::string bytes = "GGUF";
  AppendRaw(uint32_t{3}, &bytes);
  AppendRaw(static_cast<uint64_t>(tensors_.size()), &bytes);
  AppendRaw(values_, &bytes);
  bytes.append(metadata_);
  size_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    AppendString(tensor.name, &bytes);
    AppendRaw(static_cast<uint32_t>(tensor.shape.size()), &bytes);
    for (size_t i = tensor.shape.size(); i-- > 0;)
      AppendRaw(static_cast<uint64_t>(tensor.shape[i]), &bytes);
    AppendRaw(static_cast<uint32_t>(tensor.type), &bytes);
    AppendRaw(static_cast<uint64_t>(offset), &bytes);
    offset += Aligned(static_cast<size_t>(Rows(tensor)) * RowBytes(tensor));
  }
  bytes.resize(Aligned(bytes.size()));
  NewFile file(path);
  if (Status status = file.Write(&bytes); !status.ok()) return status;
  std::vector<float> row;
  for (const Tensor& tensor : tensors_) {
    const int64_t columns = tensor.shape.back(), rows = Rows(tensor);
    row.resize(static_cast<size_t>(columns));
    for (int64_t i = 0; i < rows; ++i) {
      if (Status status = tensor.read_row(i, row.data()); !status.ok()) return status;
      AppendGgufRow(tensor.type, row.data(), columns, &bytes);
      if (bytes.size() < kFlushBytes || i + 1 == rows) continue;
      if (Status status = file.Write(&bytes); !status.ok()) return status;
    }
    const size_t whole = static_cast<size_t>(rows) * RowBytes(tensor);
    bytes.append(Aligned(whole) - whole, '\0');
    if (Status status = file.Write(&bytes); !status.ok()) return status;
  }
  return file.Finish();
}

}  // namespace assay
