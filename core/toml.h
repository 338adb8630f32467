// TOML as Json, with the lines that errors name. Pure; safe from any thread. toml++ stays inside of the .cc.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"

namespace assay {

struct TomlFile {
  std::string name;
  Json json;  // an object, keys of each table in alphabetical order; dates and times as text
  std::map<std::string, int64_t, std::less<>> lines;  // by path: "model.path", "term[0].weight"

  // "r.toml:3: " for a path that the file has, "r.toml: " for any other.
  std::string At(std::string_view path) const;
};

// Error: kInput "r.toml:3: ...", without a hint.
Result<TomlFile> ParseToml(const std::string& text, const std::string& file_name);
// One value as it would stand behind "key =": `3`, `"text"`, `[1, 2]`; empty if it is none.
std::optional<Json> ParseTomlValue(std::string_view text);

}  // namespace assay
