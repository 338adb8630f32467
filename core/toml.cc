#include "core/toml.h"

#include <sstream>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "core/text.h"

namespace assay {
namespace {

// `lines`: null, or where the lines of everything inside of `node` go.
Json ToJson(const toml::node& node, const std::string& path,
            std::map<std::string, int64_t, std::less<>>* lines) {
  if (lines != nullptr && !path.empty())
    lines->emplace(path, static_cast<int64_t>(node.source().begin.line));
  if (const auto* table = node.as_table()) {
    Json out = Json::MakeObject();
    for (const auto& [key, value] : *table)
      out.Set(key.str(), ToJson(value, StrCat(path, path.empty() ? "" : ".", key.str()), lines));
    return out;
  }
  if (const auto* array = node.as_array()) {
    Json out = Json::MakeArray();
    int64_t at = 0;
    for (const toml::node& item : *array)
      out.Append(ToJson(item, StrCat(path, "[", at++, "]"), lines));
    return out;
  }
  if (const auto* text = node.as_string()) return Json(text->get());
  if (const auto* number = node.as_integer()) return Json(static_cast<int64_t>(number->get()));
  if (const auto* number = node.as_floating_point()) return Json(number->get());
  if (const auto* flag = node.as_boolean()) return Json(flag->get());
  std::ostringstream text;
  if (const auto* date = node.as_date()) text << *date;
  if (const auto* time = node.as_time()) text << *time;
  if (const auto* both = node.as_date_time()) text << *both;
  return Json(text.str());
}

}  // namespace

std::string TomlFile::At(std::string_view path) const {
  const auto found = lines.find(path);
  if (found == lines.end()) return StrCat(name, ": ");
  return StrCat(name, ":", found->second, ": ");
}

Result<TomlFile> ParseToml(const std::string& text, const std::string& file_name) {
  const toml::parse_result parsed = toml::parse(text, file_name);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return Error{ErrorCode::kInput,
                 StrCat(file_name, ":", static_cast<int64_t>(error.source().begin.line), ": ",
                        error.description()),
                 ""};
  }
  TomlFile file;
  file.name = file_name;
  file.json = ToJson(parsed.table(), "", &file.lines);
  return file;
}

std::optional<Json> ParseTomlValue(std::string_view text) {
  const toml::parse_result parsed = toml::parse(StrCat("value = ", text, "\n"));
  if (!parsed || parsed.table().size() != 1 || !parsed.table().contains("value"))
    return std::nullopt;
  return ToJson(*parsed.table().get("value"), "", nullptr);
}

}  // namespace assay
