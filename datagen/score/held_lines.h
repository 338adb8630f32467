// HeldLines: output lines that come out of their order and wait until all before them are there. Small amounts wait in memory, larger
// ones on the disk, so that a file whose groups are scattered over it takes no memory for their lines. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/spool_file.h"

namespace assay {

class HeldLines {
 public:
  // `beside`: SpoolFile's.
  explicit HeldLines(std::string beside) : beside_(std::move(beside)) {}
  // Each place once, counted from 0. Errors: kIo.
  Status Put(size_t place, std::string_view line);
  // Gives all lines to `write` whose turn it is.
  Status Release(const std::function<Status(std::string_view)>& write);

 private:
  enum class Where : uint8_t { kMissing, kMemory, kDisk };
  struct Held {
    SpoolFile::Place place;             // on the disk
    std::unique_ptr<std::string> text;  // in memory
    Where where = Where::kMissing;
  };

  const std::string beside_;
  std::deque<Held> held_;  // from the first line that is not written
  size_t first_ = 0;       // its place
  size_t memory_bytes_ = 0;
  std::unique_ptr<SpoolFile> spool_;
};

}  // namespace assay
