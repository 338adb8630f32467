#include "grpo/files/safetensors.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/json.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr uint64_t kMaxHeaderBytes = uint64_t{100} << 20;

Error BadFile(const std::string& path, const std::string& what,
              const std::string& hint = "fetch the file again") {
  return Error{ErrorCode::kInput, StrCat(path, " ", what), hint};
}

// One header entry: {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}. False if it is not of that form or its
// parts contradict each other.
bool ReadEntry(const Json& entry, SafeTensor* tensor, uint64_t* begin, uint64_t* end) {
  tensor->dtype = std::string(entry.StringOr("dtype", ""));
  const size_t element = SafeDtypeBytes(tensor->dtype);
  const Json* shape = entry.Find("shape");
  const Json* offsets = entry.Find("data_offsets");
  if (element == 0 || shape == nullptr || !shape->IsArray() || offsets == nullptr ||
      !offsets->IsArray())
    return false;
  uint64_t bytes = element;
  for (const Json& size : *shape->AsArray()) {
    const int64_t* value = size.AsInt();
    if (value == nullptr || *value < 0 || *value > (int64_t{1} << 40)) return false;
    if (*value > 0 && bytes > (uint64_t{1} << 46) / static_cast<uint64_t>(*value)) return false;
    bytes *= static_cast<uint64_t>(*value);
    tensor->shape.push_back(*value);
  }
  const Json::Array& pair = *offsets->AsArray();
  if (pair.size() != 2 || !pair[0].IsInt() || !pair[1].IsInt()) return false;
  if (*pair[0].AsInt() < 0 || *pair[1].AsInt() < *pair[0].AsInt()) return false;
  *begin = static_cast<uint64_t>(*pair[0].AsInt());
  *end = static_cast<uint64_t>(*pair[1].AsInt());
  tensor->bytes = bytes;
  return *end - *begin == bytes;
}

std::string MakeHeader(const std::vector<SafeTensorOut>& tensors) {
  Json header = Json::MakeObject();
  header.Set("__metadata__", Json(Json::Object{{"format", Json("pt")}}));
  uint64_t offset = 0;
  for (const SafeTensorOut& out : tensors) {
    Json shape = Json::MakeArray();
    for (int64_t size : out.tensor.shape) shape.Append(size);
    Json entry = Json::MakeObject();
    entry.Set("dtype", out.tensor.dtype).Set("shape", std::move(shape));
    entry.Set("data_offsets", Json(Json::Array{Json(offset), Json(offset + out.tensor.bytes)}));
    offset += out.tensor.bytes;
    header.Set(out.name, std::move(entry));
  }
  std::string text = header.Dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // tensors start 8-aligned
  return text;
}

bool WriteAll(int fd, const void* data, size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = write(fd, at, std::min(size, size_t{1} << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

}  // namespace

size_t SafeDtypeBytes(std::string_view dtype) {
  if (dtype == "F64" || dtype == "I64" || dtype == "U64") return 8;
  if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 4;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") return 2;
  if (dtype == "I8" || dtype == "U8" || dtype == "BOOL" || dtype == "F8_E4M3" || dtype == "F8_E5M2")
    return 1;
  return 0;
}

Result<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::Open(const std::string& path) {
  Result<MappedFile> mapped = MappedFile::Open(path);
  if (!mapped.ok()) return mapped.error();
  auto file = std::make_shared<SafetensorsFile>();
  file->file_ = std::move(mapped).value();
  const uint8_t* data = file->file_.data();
  const size_t size = file->file_.size();
  uint64_t header_bytes = 0;
  if (size < 8) return BadFile(path, StrCat("is cut short (", size, " bytes)"));
  std::memcpy(&header_bytes, data, 8);
  if (header_bytes > kMaxHeaderBytes) {
    return BadFile(
        path, StrCat("is no safetensors file: its header would be ", header_bytes, " bytes long"),
        "");
  }
  if (header_bytes > size - 8) return BadFile(path, "is cut short inside its header");
  Result<Json> header =
      ParseJson(std::string_view(reinterpret_cast<const char*>(data) + 8, header_bytes));
  if (!header.ok() || !header->IsObject()) return BadFile(path, "has a header that is not JSON");
  const uint64_t space = size - 8 - header_bytes;
  for (const Json::Member& member : *header->AsObject()) {
    if (member.key == "__metadata__") continue;
    SafeTensor tensor;
    uint64_t begin = 0;
    uint64_t end = 0;
    if (!ReadEntry(member.value, &tensor, &begin, &end)) {
      return BadFile(path, StrCat("has a bad header entry for tensor '", Shorten(member.key, 120),
                                  "': dtype, shape and ", "data_offsets do not fit together"));
    }
    if (end > space) {
      return BadFile(path,
                     StrCat("is cut short: tensor '", Shorten(member.key, 120), "' ends at byte ",
                            8 + header_bytes + end, ", the file at ", size));
    }
    tensor.data = data + 8 + header_bytes + begin;
    file->tensors_.insert_or_assign(member.key, std::move(tensor));
  }
  return std::shared_ptr<const SafetensorsFile>(std::move(file));
}

Status WriteSafetensors(const std::string& path, const std::vector<SafeTensorOut>& tensors) {
  const std::string beside = StrCat(path, ".part");
  auto failed = [&](const char* what) {
    const int error = errno;
    unlink(beside.c_str());
    return Error{ErrorCode::kIo, StrCat("cannot ", what, " ", path, ": ", std::strerror(error)),
                 error == ENOSPC ? "free some space, or name another folder" : ""};
  };
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return failed("create");
  const std::string header = MakeHeader(tensors);
  const uint64_t header_bytes = header.size();
  bool ok = WriteAll(fd, &header_bytes, 8) && WriteAll(fd, header.data(), header.size());
  for (const SafeTensorOut& out : tensors)
    ok = ok && WriteAll(fd, out.tensor.data, out.tensor.bytes);
  ok = ok && fsync(fd) == 0;
  if (!ok) {
    const Error error = failed("write");
    close(fd);
    return error;
  }
  if (close(fd) != 0) return failed("write");
  if (rename(beside.c_str(), path.c_str()) != 0) return failed("rename into");
  return {};
}

}  // namespace assay
