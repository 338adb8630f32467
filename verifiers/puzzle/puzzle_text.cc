#include <algorithm>

#include "core/text.h"
#include "verifiers/puzzle/puzzles.h"

namespace assay {
namespace {

constexpr size_t kGridMax = 36;

std::string_view WithoutQuotes(std::string_view text) {
  text = Trim(text);
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'' || text.front() == '`') &&
      text.back() == text.front())
    text = Trim(text.substr(1, text.size() - 2));
  return text;
}

// A fence's lines around all of it, or brackets, are layout.
std::string_view WithoutFrame(std::string_view text) {
  text = Trim(text);
  if (StartsWith(text, "```") && EndsWith(text, "```") && text.size() > 6) {
    const size_t line = text.find('\n');
    if (line != std::string_view::npos) text = Trim(text.substr(line, text.size() - 3 - line));
  }
  return text;
}

std::vector<std::string> Split(std::string_view text, const std::vector<std::string_view>& marks) {
  std::vector<std::string> out;
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const auto mark = std::find_if(marks.begin(), marks.end(), [&](std::string_view one) {
      return text.substr(i, one.size()) == one;
    });
    if (mark == marks.end()) {
      ++i;
      continue;
    }
    out.emplace_back(WithoutQuotes(text.substr(begin, i - begin)));
    i += mark->size();
    begin = i;
  }
  out.emplace_back(WithoutQuotes(text.substr(begin)));
  return out;
}

std::optional<std::vector<std::string>> FromArray(const Json& array, size_t longest) {
  if (array.AsArray() == nullptr || array.AsArray()->size() > longest) return std::nullopt;
  std::vector<std::string> out;
  for (const Json& item : *array.AsArray()) {
    if (item.IsArray() || item.IsObject()) return std::nullopt;
    out.push_back(item.ScalarText());
  }
  return out;
}

}  // namespace

std::optional<std::vector<std::string>> ReadList(std::string_view text, size_t longest) {
  text = WithoutFrame(text);
  if (text.size() > longest * 200 + 1000) return std::nullopt;
  if (StartsWith(text, "[")) {
    if (Result<Json> read = ParseJson(text); read.ok()) return FromArray(*read, longest);
  }
  if (text.size() > 1 && (text.front() == '[' || text.front() == '(' || text.front() == '{'))
    text = text.substr(1, text.size() - 2);
  std::vector<std::string> out;
  for (const auto& marks : std::vector<std::vector<std::string_view>>{
           {"->", "\u2192", "\\to", "\\rightarrow"}, {"\n"}, {";"}, {","}, {" < ", "<"}, {" "}}) {
    out = Split(text, marks);
    out.erase(std::remove(out.begin(), out.end(), std::string()), out.end());
    if (out.size() > 1) break;
  }
  if (out.empty() || out.size() > longest) return std::nullopt;
  return out;
}

std::optional<std::vector<std::vector<std::string>>> ReadGrid(std::string_view text, size_t size) {
  text = WithoutFrame(text);
  if (size == 0 || size > kGridMax || text.size() > size * size * 20 + 1000) return std::nullopt;
  std::vector<std::vector<std::string>> grid;
  if (StartsWith(text, "[")) {
    Result<Json> read = ParseJson(text);
    if (!read.ok() || read->AsArray() == nullptr) return std::nullopt;
    for (const Json& row : *read->AsArray()) {
      std::optional<std::vector<std::string>> cells = FromArray(row, size);
      if (!cells) return std::nullopt;
      grid.push_back(std::move(*cells));
    }
  } else {
    for (std::string_view line : SplitChar(text, '\n')) {
      std::vector<std::string> cells;
      std::string cell;
      for (char c : line) {
        if (c == ' ' || c == ',' || c == '|' || c == '\t' || c == '\r') {
          if (!cell.empty()) cells.push_back(std::move(cell));
          cell.clear();
        } else {
          cell.push_back(c);
        }
      }
      if (!cell.empty()) cells.push_back(std::move(cell));
      if (cells.empty()) continue;
      // Lines between blocks are drawn.
      if (line.find_first_not_of("-+|= \t\r") == std::string_view::npos) continue;
      if (cells.size() == 1 && cells[0].size() == size && size > 1) {  // 53..7....
        const std::string run = cells[0];
        cells.clear();
        for (char c : run) cells.emplace_back(1, c);
      }
      grid.push_back(std::move(cells));
      if (grid.size() > size) return std::nullopt;
    }
  }
  if (grid.size() != size) return std::nullopt;
  for (const auto& row : grid) {
    if (row.size() != size) return std::nullopt;
  }
  return grid;
}

}  // namespace assay
