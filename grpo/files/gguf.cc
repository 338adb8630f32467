#include "grpo/files/gguf.h"

#include <cstring>
#include <limits>
#include <utility>

#include "core/text.h"
#include "grpo/files/gguf_blocks.h"

namespace assay {
namespace {

enum ValueType : uint32_t {
  kU8 = 0,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kFloat64
};

}  // namespace

int64_t GgufTensor::elements() const {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return count;
}

const char* GgmlTypeName(uint32_t type) {
  const GgmlType* known = FindGgmlType(type);
  return known != nullptr ? known->name : "unknown";
}

Status DequantizeGguf(const GgufTensor& tensor, float* out) {
  const GgmlType* type = FindGgmlType(tensor.type);
  if (type == nullptr || type->decode == nullptr) {
    return Error{ErrorCode::kInput,
                 StrCat("tensor '", tensor.name, "' has type ", GgmlTypeName(tensor.type), " (",
                        tensor.type, "), which is not supported"),
                 "convert the file to F16, Q8_0 or a K-quant"};
  }
  const int64_t blocks = tensor.elements() / type->block_elements;
  for (int64_t i = 0; i < blocks; ++i)
    type->decode(tensor.data + i * type->block_bytes, out + i * type->block_elements);
  return {};
}

// Reads the header once, front to back. Every read is checked; after the first failure the rest is skipped.
class GgufParser {
 public:
  explicit GgufParser(GgufFile* file)
      : file_(file), at_(file->file_.data()), end_(at_ + file->file_.size()) {}

  Status Parse() {
    const size_t size = file_->file_.size();
    if (size < 24 || std::memcmp(at_, "GGUF", 4) != 0) {
      return Fail(StrCat("is no GGUF file (", size, " bytes)"),
                  "a GGUF file starts with the letters GGUF");
    }
    at_ += 4;
    const uint32_t version = Read<uint32_t>();
    if (version != 2 && version != 3)
      return Fail(StrCat("has GGUF version ", version), "versions 2 and 3 are supported");
    const uint64_t tensor_count = Read<uint64_t>();
    const uint64_t value_count = Read<uint64_t>();
    // Each entry takes more than 12 bytes of file: a count that cannot fit is not worth a loop.
    if (tensor_count > size / 12 || value_count > size / 12)
      return Fail(StrCat("is cut short or damaged: its header promises ", value_count,
                         " values and ", tensor_count, " tensors, the file has ", size, " bytes"),
                  "fetch the file again");
    for (uint64_t i = 0; i < value_count && ok_; ++i) ReadEntry();
    for (uint64_t i = 0; i < tensor_count && ok_; ++i) ReadTensor();
    if (!ok_)
      return Fail(problem_.empty() ? "is cut short inside its header" : problem_,
                  "fetch the file again");
    return PlaceTensors();
  }

 private:
  Status Fail(const std::string& what, const std::string& hint) const {
    return Error{ErrorCode::kInput, StrCat(file_->path(), " ", what), hint};
  }
  void Bad(std::string problem) {
    ok_ = false;
    if (problem_.empty()) problem_ = std::move(problem);
  }
  size_t Left() const { return static_cast<size_t>(end_ - at_); }

  template <typename T>
  T Read() {
    T value{};
    if (!ok_ || Left() < sizeof(T)) {
      ok_ = false;
      return value;
    }
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  std::string_view ReadString() {
    const uint64_t length = Read<uint64_t>();
    if (!ok_ || length > Left()) {
      ok_ = false;
      return {};
    }
    std::string_view text(reinterpret_cast<const char*>(at_), length);
    at_ += length;
    return text;
  }

  // One scalar of a metadata type into the fields of `value`.
  void ReadScalar(uint32_t type, GgufValue* value) {
    using Kind = GgufValue::Kind;
    value->kind = Kind::kInt;
    switch (type) {
      case kU8:
        value->i = Read<uint8_t>();
        break;
      case kI8:
        value->i = Read<int8_t>();
        break;
      case kU16:
        value->i = Read<uint16_t>();
        break;
      case kI16:
        value->i = Read<int16_t>();
        break;
      case kU32:
        value->i = Read<uint32_t>();
        break;
      case kI32:
        value->i = Read<int32_t>();
        break;
      case kI64:
        value->i = Read<int64_t>();
        break;
      case kU64:
        value->i = static_cast<int64_t>(Read<uint64_t>());
        value->kind = Kind::kUint;
        break;
      case kBool:
        value->i = Read<uint8_t>() != 0;
        value->kind = Kind::kBool;
        break;
      case kFloat32:
        value->f = Read<float>();
        value->kind = Kind::kFloat;
        break;
      case kFloat64:
        value->f = Read<double>();
        value->kind = Kind::kFloat;
        break;
      case kString:
        value->s = ReadString();
        value->kind = Kind::kString;
        break;
      default:
        Bad(StrCat("has a metadata value of unknown type ", type));
    }
  }

  void ReadArray(GgufValue* value) {
    const uint32_t type = Read<uint32_t>();
    const uint64_t count = Read<uint64_t>();
    if (!ok_ || count > Left()) {  // an element takes at least a byte
      ok_ = false;
      return;
    }
    for (uint64_t i = 0; i < count && ok_; ++i) {
      GgufValue item;
      ReadScalar(type, &item);
      if (item.kind == GgufValue::Kind::kString) {
        value->strings.push_back(item.s);
      } else if (item.kind == GgufValue::Kind::kFloat) {
        value->floats.push_back(item.f);
      } else {
        value->ints.push_back(item.i);
      }
    }
    value->kind = GgufValue::Kind::kArray;
  }

  void ReadEntry() {
    std::string key(ReadString());
    const uint32_t type = Read<uint32_t>();
    GgufValue value;
    if (type == kArray) {
      ReadArray(&value);
    } else {
      ReadScalar(type, &value);
    }
    if (ok_) file_->values_.insert_or_assign(std::move(key), std::move(value));
  }

  void ReadTensor() {
    GgufTensor tensor;
    tensor.name = std::string(ReadString());
    const uint32_t dims = Read<uint32_t>();
    if (dims > 8) return Bad(StrCat("has tensor '", tensor.name, "' with ", dims, " dimensions"));
    int64_t count = 1;
    for (uint32_t i = 0; i < dims && ok_; ++i) {
      const uint64_t size = Read<uint64_t>();
      if (size == 0 || size > (uint64_t{1} << 40) / static_cast<uint64_t>(count)) {
        return Bad(StrCat("has tensor '", tensor.name, "' with an impossible shape"));
      }
      count *= static_cast<int64_t>(size);
      tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(size));
    }
    tensor.type = Read<uint32_t>();
    offsets_.push_back(Read<uint64_t>());
    if (ok_) file_->tensors_.push_back(std::move(tensor));
  }

  // Offsets count from the end of the header, aligned.
  Status PlaceTensors() {
    const int64_t alignment = file_->IntOr("general.alignment", 32);
    if (alignment < 1 || alignment > 65536) return Fail(StrCat("has alignment ", alignment), "");
    const size_t size = file_->file_.size();
    const size_t header = static_cast<size_t>(at_ - file_->file_.data());
    const size_t base = (header + alignment - 1) / alignment * alignment;
    for (size_t i = 0; i < file_->tensors_.size(); ++i) {
      GgufTensor& tensor = file_->tensors_[i];
      const GgmlType* info = FindGgmlType(tensor.type);
      // The size of an unsupported type is unknown; DequantizeGguf refuses it by name when it is asked for.
      if (info != nullptr && info->block_elements > 0) {
        const int64_t columns = tensor.shape.empty() ? 1 : tensor.shape.back();
        if (columns % info->block_elements != 0) {
          return Fail(StrCat("has tensor '", tensor.name, "' whose rows of ", columns,
                             " are no whole blocks of ", info->name),
                      "");
        }
        tensor.bytes =
            static_cast<size_t>(tensor.elements() / info->block_elements * info->block_bytes);
      }
      const uint64_t offset = offsets_[i];
      if (base > size || offset > size - base || tensor.bytes > size - base - offset) {
        return Fail(StrCat("is cut short: tensor '", tensor.name, "' ends at byte ",
                           base + offset + tensor.bytes, ", the file at ", size),
                    "fetch the file again");
      }
      tensor.data = file_->file_.data() + base + offset;
      if (!file_->tensor_index_.emplace(tensor.name, i).second) {
        return Fail(StrCat("names tensor '", tensor.name, "' twice"), "");
      }
    }
    return {};
  }

  GgufFile* file_;
  const uint8_t* at_;
  const uint8_t* end_;
  bool ok_ = true;
  std::string problem_;
  std::vector<uint64_t> offsets_;
};

Result<std::shared_ptr<const GgufFile>> GgufFile::Open(const std::string& path) {
  Result<MappedFile> mapped = MappedFile::Open(path);
  if (!mapped.ok()) return mapped.error();
  auto file = std::make_shared<GgufFile>();
  file->file_ = std::move(mapped).value();
  if (Status s = GgufParser(file.get()).Parse(); !s.ok()) return s.error();
  return std::shared_ptr<const GgufFile>(std::move(file));
}

const GgufValue* GgufFile::Find(std::string_view key) const {
  auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

int64_t GgufFile::IntOr(std::string_view key, int64_t fallback) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return fallback;
  const bool integer =
      value->kind == GgufValue::Kind::kInt || value->kind == GgufValue::Kind::kUint;
  return integer ? value->i : fallback;
}

double GgufFile::DoubleOr(std::string_view key, double fallback) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return fallback;
  if (value->kind == GgufValue::Kind::kFloat) return value->f;
  return value->kind == GgufValue::Kind::kInt ? static_cast<double>(value->i) : fallback;
}

std::string_view GgufFile::StringOr(std::string_view key, std::string_view fallback) const {
  const GgufValue* value = Find(key);
  return value != nullptr && value->kind == GgufValue::Kind::kString ? value->s : fallback;
}

bool GgufFile::BoolOr(std::string_view key, bool fallback) const {
  const GgufValue* value = Find(key);
  return value != nullptr && value->kind == GgufValue::Kind::kBool ? value->i != 0 : fallback;
}

const GgufTensor* GgufFile::FindTensor(std::string_view name) const {
  auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace assay
