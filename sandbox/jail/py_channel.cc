#include "sandbox/jail/py_channel.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace assay::jail {
namespace {

bool WriteAll(int fd, const char* data, size_t size) {
  while (size > 0) {
    ssize_t sent = write(fd, data, size);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    data += sent;
    size -= static_cast<size_t>(sent);
  }
  return true;
}

bool ReadAll(int fd, char* data, size_t size, void (*interrupted)()) {
  while (size > 0) {
    ssize_t got = read(fd, data, size);
    if (got < 0 && errno == EINTR) {
      if (interrupted != nullptr) interrupted();
      continue;
    }
    if (got <= 0) return false;
    data += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

}  // namespace

bool WriteFrame(int fd, std::string_view body) {
  uint32_t size = static_cast<uint32_t>(body.size());
  if (body.size() > 4096) {
    return WriteAll(fd, reinterpret_cast<const char*>(&size), sizeof size) &&
           WriteAll(fd, body.data(), body.size());
  }
  char whole[4096 + sizeof size];
  std::memcpy(whole, &size, sizeof size);
  std::memcpy(whole + sizeof size, body.data(), body.size());
  return WriteAll(fd, whole, sizeof size + body.size());
}

ReadStatus ReadFrame(int fd, size_t max_bytes, std::string* body, void (*interrupted)()) {
  uint32_t size = 0;
  if (!ReadAll(fd, reinterpret_cast<char*>(&size), sizeof size, interrupted)) {
    return ReadStatus::kClosed;
  }
  if (size > max_bytes) return ReadStatus::kTooLarge;
  body->clear();
  // Grown as it arrives: a length alone costs nothing.
  while (body->size() < size) {
    size_t at = body->size();
    size_t step = std::min<size_t>(size - at, size_t{1} << 20);
    body->resize(at + step);
    if (!ReadAll(fd, body->data() + at, step, interrupted)) return ReadStatus::kClosed;
  }
  return ReadStatus::kOk;
}

}  // namespace assay::jail
