#include "datagen/export/csv_line.h"

#include <string_view>

namespace assay {
namespace {

void AppendCell(std::string_view text, bool first, std::string* out) {
  if (!first) out->push_back(',');
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out->append(text);
    return;
  }
  out->push_back('"');
  for (const char c : text) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

}  // namespace

std::string CsvHeader(const Json& line) {
  std::string out;
  for (const Json::Member& member : *line.AsObject()) AppendCell(member.key, out.empty(), &out);
  return out + "\r\n";
}

std::string CsvLine(const Json& line) {
  std::string out;
  bool first = true;
  for (const Json::Member& member : *line.AsObject()) {
    AppendCell(member.value.IsNull() ? "" : member.value.ScalarText(), first, &out);
    first = false;
  }
  return out + "\r\n";
}

}  // namespace assay
