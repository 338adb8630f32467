// JsonRepairer: makes JSON of what Python writes and simdjson refuses: lone surrogate escapes, NaN and Infinity, integers beyond 64 bits,
// ill-formed UTF-8. Everything else is copied as it is, malformed JSON too, for simdjson to report. One thread; ParseJson's own.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"

namespace assay {

class JsonRepairer {
 public:
  // Counts what it mends in `repairs`.
  JsonRepairer(std::string_view text, JsonRepairs* repairs);

  std::string Run();
  // With what the string begins that stands for a big integer; the text has it nowhere else.
  const std::string& marker() const { return marker_; }

 private:
  void CopyString();
  // The code unit of \uXXXX at `at`, or -1.
  int EscapeAt(size_t at) const;
  void CopyUnicodeEscape();
  void CopyNumber();
  bool CopyNonfinite(std::string_view word);

  std::string_view text_;
  JsonRepairs* repairs_;
  std::string marker_;
  std::string out_;
  size_t at_ = 0;
};

}  // namespace assay
