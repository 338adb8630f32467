// JSON arrays of objects as JSON Lines: many tools keep a data set as one array, indented or not. JsonArrayLines looks at the bytes of a file as
// they are read; where the file is such an array, each element becomes a line (its own line ends go), and anything else passes as it is.
// Memory: none of its own. One thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace assay {

class JsonArrayLines {
 public:
  // Looks at the file's first bytes, all of them so far: false while more are needed to decide.
  bool Decide(std::string_view start);
  bool decided() const { return state_ != State::kUnknown; }
  // Rewrites the next bytes in place; returns how many are left of them.
  size_t Rewrite(char* data, size_t size);
  // The data ended inside of the array.
  bool open() const { return state_ == State::kArray; }

 private:
  enum class State { kUnknown, kLines, kArray, kBehind };
  // One byte; true if it is kept, as what stands in *c.
  bool Keep(char* c);

  State state_ = State::kUnknown;
  size_t depth_ = 0;  // of brackets and braces, the array's own included
  bool in_string_ = false, escaped_ = false;
};

}  // namespace assay
