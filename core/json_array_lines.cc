#include "core/json_array_lines.h"

#include "core/text.h"

namespace assay {
namespace {

// So many blank bytes at its start, and a file is no array.
constexpr size_t kBlankMost = size_t{64} << 10;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

bool JsonArrayLines::Decide(std::string_view start) {
  if (StartsWith(start, "\xEF\xBB\xBF")) start.remove_prefix(3);
  size_t at = 0;
  const auto skip_blank = [&] {
    while (at < start.size() && IsBlank(start[at])) ++at;
    return at < start.size();
  };
  if (!skip_blank() && at <= kBlankMost) return false;
  if (at < start.size() && start[at] == '[') {
    ++at;
    if (!skip_blank()) return false;
    // "[1, 2]" on a line is a row that is none, "[garbage" a broken line: only objects make an array of rows.
    if (start[at] == '{' || start[at] == ']') {
      state_ = State::kArray;
      return true;
    }
  }
  state_ = State::kLines;
  return true;
}

bool JsonArrayLines::Keep(char* c) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (*c == '\\') {
      escaped_ = true;
    } else if (*c == '"') {
      in_string_ = false;
    }
    return true;
  }
  switch (*c) {
    case '"':
      in_string_ = true;
      return true;
    case '[':
    case '{':
      return depth_++ > 0;
    case ']':
    case '}':
      if (depth_ > 0) --depth_;
      if (depth_ > 0) return true;
      state_ = State::kBehind;
      *c = '\n';
      return true;
    case ',':
      if (depth_ == 1) *c = '\n';
      return true;
    case '\n':
    case '\r':
      return false;
    default:
      return true;
  }
}

size_t JsonArrayLines::Rewrite(char* data, size_t size) {
  if (state_ != State::kArray) return size;
  size_t kept = 0;
  for (size_t i = 0; i < size; ++i) {
    char c = data[i];
    if (state_ == State::kArray && !Keep(&c)) continue;
    data[kept++] = c;
  }
  return kept;
}

}  // namespace assay
