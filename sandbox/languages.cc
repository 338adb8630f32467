#include "sandbox/languages.h"

// Every file of the project says so: toml++ with and without exceptions does not mix in one program.
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>

#include "core/text.h"

namespace assay::sandbox {
namespace {

std::vector<Language> BuiltIn() {
  return {
      {"python", "main.py", {}, {}, {}, {"python3", "--version"}, "", true},
      {"c",
       "main.c",
       {"gcc", "-O2", "-pipe", "-DONLINE_JUDGE", "-o", "main", "main.c", "-lm", "-pthread"},
       {"main"},
       {"./main"},
       {"gcc", "--version"},
       "gcc",
       false},
      {"c++",
       "main.cc",
       {"g++", "-O2", "-pipe", "-std=c++20", "-DONLINE_JUDGE", "-o", "main", "main.cc", "-pthread"},
       {"main"},
       {"./main"},
       {"g++", "--version"},
       "g++",
       false},
      {"javascript",
       "main.js",
       {},
       {},
       {"node", "--max-old-space-size={memory_mib}", "main.js"},
       {"node", "--version"},
       "nodejs",
       false},
      {"bash", "main.sh", {}, {}, {"bash", "main.sh"}, {"bash", "--version"}, "bash", false},
  };
}

struct Alias {
  const char* alias;
  const char* name;
};
constexpr Alias kAliases[] = {
    {"py", "python"}, {"python3", "python"}, {"cpp", "c++"},         {"cc", "c++"},
    {"cxx", "c++"},   {"js", "javascript"},  {"node", "javascript"}, {"nodejs", "javascript"},
    {"sh", "bash"},   {"shell", "bash"}};

Result<std::vector<std::string>> StringArray(const toml::table& table, const std::string& name,
                                             const char* key) {
  std::vector<std::string> list;
  const toml::node* node = table.get(key);
  if (node == nullptr) return list;
  const toml::array* array = node->as_array();
  Error bad{ErrorCode::kUsage, StrCat("language.", name, ".", key, " is not a list of strings"),
            "for example run = [\"./main\"]"};
  if (array == nullptr) return bad;
  for (const toml::node& item : *array) {
    const auto* text = item.as_string();
    if (text == nullptr) return bad;
    list.push_back(text->get());
  }
  return list;
}

Result<Language> FromTable(const std::string& name, const toml::table& table) {
  Language language;
  language.name = name;
  language.source = table["source"].value_or(std::string());
  language.package = table["package"].value_or(std::string());
  const std::pair<const char*, std::vector<std::string>*> lists[] = {
      {"compile", &language.compile},
      {"artifacts", &language.artifacts},
      {"run", &language.run},
      {"version", &language.version}};
  std::vector<std::string> known = {"source", "package"};
  for (const auto& [key, target] : lists) {
    known.push_back(key);
    Result<std::vector<std::string>> list = StringArray(table, name, key);
    if (!list.ok()) return list.error();
    *target = std::move(list).value();
  }
  for (const auto& [key, value] : table) {
    if (std::find(known.begin(), known.end(), key.str()) == known.end()) {
      return Error{ErrorCode::kUsage, StrCat("unknown key '", key.str(), "' in language.", name),
                   DidYouMean(key.str(), known)};
    }
  }
  if (language.source.empty() || language.run.empty()) {
    return Error{ErrorCode::kUsage, StrCat("language.", name, " needs 'source' and 'run'"),
                 "see docs/sandbox.md, \"Languages\""};
  }
  return language;
}

}  // namespace

std::vector<std::string> FilledIn(std::vector<std::string> command, const Limits& limits) {
  constexpr std::string_view kMemory = "{memory_mib}";
  for (std::string& part : command) {
    for (size_t at = 0; (at = part.find(kMemory, at)) != std::string::npos;)
      part.replace(at, kMemory.size(), std::to_string(limits.memory_mib));
  }
  return command;
}

Result<LanguageTable> LanguageTable::Make(const std::string& toml_text) {
  LanguageTable table;
  table.languages_ = BuiltIn();
  if (toml_text.empty()) return table;
  const toml::parse_result parsed = toml::parse(toml_text);
  if (!parsed) {
    return Error{
        ErrorCode::kUsage,
        StrCat("languages: line ", static_cast<int64_t>(parsed.error().source().begin.line), ": ",
               std::string(parsed.error().description())),
        ""};
  }
  const toml::table* languages = parsed.table()["language"].as_table();
  if (languages == nullptr) return table;
  for (const auto& [key, value] : *languages) {
    std::string name(key.str());
    if (value.as_table() == nullptr)
      return Error{ErrorCode::kUsage, StrCat("language.", name, " is not a table"), ""};
    Result<Language> language = FromTable(name, *value.as_table());
    if (!language.ok()) return language.error();
    std::erase_if(table.languages_, [&](const Language& old) { return old.name == name; });
    table.languages_.push_back(std::move(language).value());
  }
  return table;
}

const Language* LanguageTable::Find(std::string_view name) const {
  std::string lower = AsciiLower(name);
  for (const Language& language : languages_) {
    if (language.name == lower) return &language;
  }
  for (const Alias& alias : kAliases) {
    if (lower == alias.alias) return Find(alias.name);
  }
  return nullptr;
}

std::vector<std::string> LanguageTable::Names() const {
  std::vector<std::string> names;
  for (const Language& language : languages_) names.push_back(language.name);
  return names;
}

}  // namespace assay::sandbox
