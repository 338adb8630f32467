#include "cli/table_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "core/option_docs.h"
#include "core/text.h"
#include "core/toml.h"

namespace assay {
namespace {

std::string FlagName(std::string_view option) {
  std::string name = StrCat("--", option);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string HelpOf(const OptionInfo& info) {
  std::string help(info.help);
  if (!help.empty() && help[0] >= 'a' && help[0] <= 'z') help[0] = static_cast<char>(help[0] - 32);
  if (info.kind == OptionKind::kBool || !info.example.empty()) return help;
  const std::string values = info.choices.empty() ? "" : ChoiceList(info.choices, " | ");
  const std::string initial = DefaultText(info);
  if (!values.empty()) StrAppend(&help, " (", values, ")");
  if (initial != "none") StrAppend(&help, " [", initial, "]");
  return help;
}

// A number stays what TOML takes it for, so that the table's own error names what is wrong with it.
Json NumberOf(const std::string& text) {
  const std::optional<Json> value = ParseTomlValue(text);
  return value && value->IsNumber() ? *value : Json(text);
}

const char* TypeName(const OptionInfo& info) {
  if (info.kind == OptionKind::kInt) return "N";
  return info.kind == OptionKind::kNumber ? "X" : "TEXT";
}

}  // namespace

void AddTableFlags(const std::vector<OptionInfo>& infos, const std::shared_ptr<Json>& values,
                   CLI::App* command) {
  *values = Json::MakeObject();
  for (const OptionInfo& info : infos) {
    const std::string key(info.name);
    if (info.kind == OptionKind::kBool) {
      command->add_flag_callback(
          FlagName(key), [values, key] { values->Set(key, true); }, HelpOf(info));
      continue;
    }
    const OptionKind kind = info.kind;
    CLI::Option* option = command->add_option_function<std::vector<std::string>>(
        FlagName(key),
        [values, key, kind](const std::vector<std::string>& given) {
          if (kind == OptionKind::kStrings) {
            Json list = Json::MakeArray();
            for (const std::string& one : given) list.Append(one);
            values->Set(key, std::move(list));
          } else {
            values->Set(key,
                        kind == OptionKind::kString ? Json(given.back()) : NumberOf(given.back()));
          }
        },
        HelpOf(info));
    option->type_name(TypeName(info))->expected(1)->allow_extra_args(false);
    if (kind == OptionKind::kStrings) option->take_all();
    if (!info.example.empty()) option->required();
  }
}

}  // namespace assay
