#include "verifiers/rubric_route.h"

#include <algorithm>
#include <optional>

#include "core/text.h"

namespace assay {
namespace {

bool IsScalar(const Json& value) { return value.IsString() || value.IsNumber() || value.IsBool(); }

bool SameScalar(const Json& wanted, const Json& value) {
  if (wanted.IsNumber() && value.IsNumber()) return wanted.NumberOr(0) == value.NumberOr(1);
  return wanted == value;
}

bool ValueFits(const Json& wanted, const Json& value) {
  if (const Json::Array* list = value.AsArray()) {
    return std::any_of(list->begin(), list->end(), [&](const Json& item) {
      return !item.IsArray() && ValueFits(wanted, item);
    });
  }
  if (const Json::Array* list = wanted.AsArray()) {
    return std::any_of(list->begin(), list->end(),
                       [&](const Json& one) { return SameScalar(one, value); });
  }
  return SameScalar(wanted, value);
}

// `path` inside of `value`: a key as it stands, or keys with dots between them.
const Json* Inside(const Json& value, std::string_view path) {
  if (const Json* found = value.Find(path)) return found;
  const size_t dot = path.find('.');
  if (dot == std::string_view::npos) return nullptr;
  const Json* outer = value.Find(path.substr(0, dot));
  return outer == nullptr ? nullptr : Inside(*outer, path.substr(dot + 1));
}

// The row's field, wherever a Problem or a Sample keeps it.
std::optional<Json> Field(std::string_view path, const Problem& problem, const Sample& sample) {
  const auto text = [](const std::string& field) {
    return field.empty() ? std::nullopt : std::optional<Json>(field);
  };
  if (path == "id") return text(problem.id);
  if (path == "task") return text(problem.task);
  if (path == "prompt") return text(problem.prompt);
  if (path == "finish_reason") return text(sample.finish_reason);
  if (path == "model") {
    if (!sample.model.empty()) return Json(sample.model);
  }
  if (path == "answer") {
    Json list = Json::MakeArray();
    for (const std::string& answer : problem.answers) list.Append(answer);
    return list;
  }
  const size_t dot = std::min(path.find('.'), path.size());
  const std::string_view first = path.substr(0, dot);
  const Json* found = nullptr;
  if (first == "verification_info" || first == "options") {
    const Json& object = first == "options" ? problem.options : problem.verification_info;
    if (dot < path.size()) found = Inside(object, path.substr(dot + 1));
  }
  if (found == nullptr) found = Inside(problem.extra, path);
  return found == nullptr ? std::nullopt : std::optional<Json>(*found);
}

bool TableFits(const Json::Object& table, const std::string& prefix, const Problem& problem,
               const Sample& sample) {
  return std::all_of(table.begin(), table.end(), [&](const Json::Member& member) {
    const std::string path = prefix + member.key;
    if (const Json::Object* inner = member.value.AsObject())
      return TableFits(*inner, path + ".", problem, sample);
    const std::optional<Json> value = Field(path, problem, sample);
    return value && ValueFits(member.value, *value);
  });
}

}  // namespace

Status CheckRoute(std::string_view key, const Json& route) {
  const Json::Object* table = route.AsObject();
  if (table == nullptr) return {};
  for (const Json::Member& member : *table) {
    const std::string path = StrCat(key, ".", member.key);
    if (member.value.IsObject()) {
      if (Status status = CheckRoute(path, member.value); !status.ok()) return status;
      continue;
    }
    const Json::Array* list = member.value.AsArray();
    const bool fine = list != nullptr ? std::all_of(list->begin(), list->end(), IsScalar)
                                      : IsScalar(member.value);
    if (!fine) {
      return Error{
          ErrorCode::kUsage,
          StrCat("'", path, "' is neither text, a number, true or false, nor a list of such"),
          StrCat("for example ", key, " = { task = \"math\" }")};
    }
  }
  return {};
}

bool RouteFits(const Json& route, const Problem& problem, const Sample& sample) {
  const Json::Object* table = route.AsObject();
  return table == nullptr || TableFits(*table, "", problem, sample);
}

}  // namespace assay
