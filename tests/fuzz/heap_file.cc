#include "tests/fuzz/heap_file.h"

#include <cstdlib>
#include <cstring>

#include "grpo/files/mapped_file.h"

namespace assay {
namespace {

const uint8_t* given = nullptr;
size_t given_size = 0;

}  // namespace

void SetHeapFile(const uint8_t* data, size_t size) {
  given = data;
  given_size = size;
}

Result<MappedFile> MappedFile::Open(const std::string& path) {
  MappedFile file;
  file.path_ = path;
  file.size_ = given_size;
  if (given_size > 0) {
    file.data_ = static_cast<uint8_t*>(std::malloc(given_size));
    std::memcpy(file.data_, given, given_size);
  }
  return file;
}

MappedFile::~MappedFile() { std::free(data_); }

}  // namespace assay
