#include "core/option_docs.h"

#include <cmath>

#include "core/text.h"

namespace assay {
namespace {

// 1 for 1.0: a bound reads like that.
Json Bound(double value) {
  if (std::trunc(value) == value && std::fabs(value) < 0x1p53)
    return Json(static_cast<int64_t>(value));
  return Json(value);
}

// A cell must not end at a bar.
std::string Cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

Json Strings(const std::vector<std::string>& items) {
  Json list = Json::MakeArray();
  for (const std::string& item : items) list.Append(item);
  return list;
}

const char* TypeName(OptionKind kind) {
  switch (kind) {
    case OptionKind::kBool:
      return "boolean";
    case OptionKind::kInt:
      return "integer";
    case OptionKind::kNumber:
      return "number";
    case OptionKind::kString:
      return "string";
    case OptionKind::kStrings:
    case OptionKind::kTables:
      return "array";
    case OptionKind::kObject:
      return "object";
  }
  return "object";
}

void AddBounds(const OptionInfo& info, Json* schema) {
  if (std::isfinite(info.lowest)) schema->Set("minimum", Bound(info.lowest));
  if (!std::isfinite(info.highest)) return;
  schema->Set(info.below_highest ? "exclusiveMaximum" : "maximum", Bound(info.highest));
}

Json ItemSchema(const OptionInfo& info) {
  Json item = Json().Set("type", "string");
  if (info.max_items >= 0) item.Set("minLength", 1);
  return item;
}

Json ValueSchema(const OptionInfo& info, bool with_null) {
  Json types = Json::MakeArray();
  types.Append(TypeName(info.kind));
  if (info.or_one) types.Append("string");
  if (with_null) types.Append("null");
  Json schema = Json::MakeObject();
  schema.Set("type", types.AsArray()->size() == 1 ? types.AsArray()->front() : types);
  schema.Set("description", info.help);
  if (!info.choices.empty()) {
    Json choices = Strings(info.choices);
    if (with_null) choices.Append(Json());
    schema.Set("enum", std::move(choices));
  }
  if (info.kind == OptionKind::kInt || info.kind == OptionKind::kNumber) AddBounds(info, &schema);
  if (info.kind == OptionKind::kStrings) {
    schema.Set("items", ItemSchema(info));
    if (info.max_items >= 0) schema.Set("maxItems", info.max_items);
  }
  if (info.kind == OptionKind::kTables) schema.Set("items", OptionSchema(info.keys, with_null));
  if (info.kind == OptionKind::kObject && !info.keys.empty()) {
    const Json inside = OptionSchema(info.keys, with_null);
    schema.Set("properties", *inside.Find("properties")).Set("additionalProperties", false);
  }
  if (!info.initial.IsNull()) schema.Set("default", info.initial);
  return schema;
}

// Into the object of the table that `name` stands in.
void Place(std::string_view name, Json value, Json* schema) {
  const size_t dot = name.find('.');
  Json* properties = schema->Find("properties");
  if (dot == std::string_view::npos) {
    properties->Set(name, std::move(value));
    return;
  }
  const std::string_view table = name.substr(0, dot);
  if (properties->Find(table) == nullptr) properties->Set(table, OptionSchema({}, false));
  Place(name.substr(dot + 1), std::move(value), properties->Find(table));
}

}  // namespace

std::string ChoiceList(const std::vector<std::string>& names, std::string_view between) {
  std::string out;
  for (const std::string& name : names) {
    if (!name.empty()) StrAppend(&out, out.empty() ? "" : between, name);
  }
  return out;
}

std::string RangeText(const OptionInfo& info) {
  const bool low = std::isfinite(info.lowest), high = std::isfinite(info.highest);
  const std::string lowest = Bound(info.lowest).Dump(), highest = Bound(info.highest).Dump();
  if (!low && !high) return info.finite ? "a finite number" : "";
  if (low && info.below_highest) return StrCat("from ", lowest, " to below ", highest);
  if (low && high) return StrCat("from ", lowest, " to ", highest);
  if (low) return StrCat("at least ", lowest);
  return StrCat(info.below_highest ? "below " : "at most ", highest);
}

std::string ValuesText(const OptionInfo& info) {
  const std::string range = RangeText(info);
  switch (info.kind) {
    case OptionKind::kBool:
      return "true | false";
    case OptionKind::kInt:
      return StrCat("whole number", range.empty() ? "" : " ", range);
    case OptionKind::kNumber:
      return StrCat(info.finite ? "" : "number", range.empty() || info.finite ? "" : " ", range);
    case OptionKind::kString:
      return info.choices.empty() ? "string" : ChoiceList(info.choices, " | ");
    case OptionKind::kStrings:
      return info.or_one ? "string or list of strings" : "list of strings";
    case OptionKind::kTables:
      return "list of tables";
    case OptionKind::kObject:
      break;
  }
  std::vector<std::string> names;
  for (const OptionInfo& key : info.keys) names.emplace_back(key.name);
  return names.empty() ? "table" : StrCat("{", ChoiceList(names, ", "), "}");
}

std::string DefaultText(const OptionInfo& info) {
  const Json& value = info.initial;
  const Json::Array* list = value.AsArray();
  const std::string* text = value.AsString();
  if (value.IsNull() || (list != nullptr && list->empty()) || (text != nullptr && text->empty()))
    return "none";
  return text != nullptr ? *text : value.IsDouble() ? StrCat(value.NumberOr(0)) : value.Dump();
}

std::string OptionLines(const std::vector<OptionInfo>& infos) {
  std::string out;
  for (const OptionInfo& info : infos) {
    const std::string initial =
        info.example.empty() ? StrCat(" (default ", DefaultText(info), ")") : " (must be given)";
    StrAppend(&out, out.empty() ? "" : "\n", info.name, ": ", ValuesText(info), initial, ": ",
              info.help);
  }
  return out;
}

std::string OptionMarkdown(const std::vector<OptionInfo>& infos, std::string_view header) {
  std::string out = StrCat("| ", header, " | values | default | |\n|---|---|---|---|\n");
  for (const OptionInfo& info : infos) {
    StrAppend(&out, "| `", info.name, "` | ", Cell(ValuesText(info)), " | ",
              info.example.empty() ? Cell(DefaultText(info)) : "must be given", " | ",
              Cell(info.help), " |\n");
  }
  return out;
}

Json OptionSchema(const std::vector<OptionInfo>& infos, bool with_null) {
  Json schema = Json::MakeObject();
  schema.Set("type", "object").Set("properties", Json::MakeObject());
  Json required = Json::MakeArray();
  for (const OptionInfo& info : infos) {
    Place(info.name, ValueSchema(info, with_null), &schema);
    if (!info.example.empty()) required.Append(info.name);
  }
  if (!required.AsArray()->empty()) schema.Set("required", std::move(required));
  schema.Set("additionalProperties", false);
  return schema;
}

}  // namespace assay
