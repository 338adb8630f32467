#include "cli/serve/fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

// What pydantic says, by what was expected.
struct Complaint {
  std::string type;
  std::string message;
};

std::optional<double> NumberOf(const Json& value) {
  if (value.IsNumber()) return value.NumberOr(0);
  if (const bool* flag = value.AsBool()) return *flag ? 1 : 0;
  const std::string* text = value.AsString();
  if (text == nullptr) return std::nullopt;
  const std::string_view trimmed = Trim(*text);
  double number = 0;
  const auto [end, error] =
      std::from_chars(trimmed.data(), trimmed.data() + trimmed.size(), number);
  if (error != std::errc() || end != trimmed.data() + trimmed.size() || !std::isfinite(number))
    return std::nullopt;
  return number;
}

// Doubles beyond this are no whole numbers of 64 bits.
constexpr double kWholeMax = 9.0e18;

std::optional<Complaint> Take(const Json& value, double* out) {
  const std::optional<double> number = NumberOf(value);
  if (number) {
    *out = *number;
    return std::nullopt;
  }
  if (value.IsString())
    return Complaint{"float_parsing",
                     "Input should be a valid number, unable to parse string as a number"};
  return Complaint{"float_type", "Input should be a valid number"};
}

std::optional<Complaint> Take(const Json& value, int64_t* out) {
  const std::optional<double> number = NumberOf(value);
  if (number && *number == std::floor(*number)) {
    *out = value.IsInt() ? *value.AsInt()
                         : static_cast<int64_t>(std::clamp(*number, -kWholeMax, kWholeMax));
    return std::nullopt;
  }
  if (value.IsString())
    return Complaint{"int_parsing",
                     "Input should be a valid integer, unable to parse string as an integer"};
  if (number)
    return Complaint{"int_from_float",
                     "Input should be a valid integer, got a number with a fractional part"};
  return Complaint{"int_type", "Input should be a valid integer"};
}

std::optional<Complaint> Take(const Json& value, bool* out) {
  if (const bool* flag = value.AsBool()) {
    *out = *flag;
    return std::nullopt;
  }
  const std::string text = value.IsString() || value.IsInt() ? value.ScalarText() : "";
  if (text == "true" || text == "1" || text == "false" || text == "0") {
    *out = text == "true" || text == "1";
    return std::nullopt;
  }
  return Complaint{"bool_type", "Input should be a valid boolean"};
}

std::optional<Complaint> Take(const Json& value, std::string* out) {
  if (const std::string* text = value.AsString()) {
    *out = *text;
    return std::nullopt;
  }
  return Complaint{"string_type", "Input should be a valid string"};
}

std::optional<Complaint> Take(const Json& value, std::optional<std::string>* out) {
  if (value.IsNull()) {
    out->reset();
    return std::nullopt;
  }
  return Take(value, &out->emplace());
}

std::string Quoted(const std::vector<std::string>& choices) {
  std::string out;
  for (size_t i = 0; i < choices.size(); ++i) {
    StrAppend(&out, i == 0 ? "" : i + 1 == choices.size() ? " or " : ", ", "'", choices[i], "'");
  }
  return out;
}

// A list of strings, with an error for each item that is none.
Json TakeStrings(const std::string& name, const Json& value, std::vector<std::string>* out) {
  Json errors = Json::MakeArray();
  const Json::Array* items = value.AsArray();
  if (items == nullptr) {
    errors.Append(FieldError("list_type", {"body", name}, "Input should be a valid list", value));
    return errors;
  }
  out->clear();
  for (size_t i = 0; i < items->size(); ++i) {
    if (std::optional<Complaint> bad = Take((*items)[i], &out->emplace_back())) {
      errors.Append(FieldError(bad->type, {"body", name, static_cast<int64_t>(i)}, bad->message,
                               (*items)[i]));
    }
  }
  return errors;
}

}  // namespace

Json FieldError(std::string_view type, const std::vector<Json>& loc, std::string_view message,
                const Json& input) {
  return Json()
      .Set("type", type)
      .Set("loc", Json(Json::Array(loc.begin(), loc.end())))
      .Set("msg", message)
      .Set("input", input);
}

HttpResponse FieldErrors(Json details) {
  return HttpResponse::OfJson(422, Json().Set("detail", std::move(details)));
}

Field& Field::Required() {
  required_ = true;
  return *this;
}
Field& Field::OneOf(std::vector<std::string> choices) {
  choices_ = std::move(choices);
  return *this;
}
Field& Field::Clamp(double lowest, double highest) {
  lowest_ = lowest;
  highest_ = highest;
  return *this;
}
Field& Field::Example(Json example) {
  example_ = std::move(example);
  return *this;
}
Field& Field::Schema(Json schema) {
  schema_ = std::move(schema);
  return *this;
}

Field& Fields::Put(std::string_view name, Field::Target target, std::string_view help) {
  Field& field = fields_.emplace_back();
  field.name_ = name;
  field.help_ = help;
  field.target_ = target;
  return field;
}
Field& Fields::Add(std::string_view name, std::string* out, std::string_view help) {
  return Put(name, out, help);
}
Field& Fields::Add(std::string_view name, std::optional<std::string>* out, std::string_view help) {
  return Put(name, out, help);
}
Field& Fields::Add(std::string_view name, double* out, std::string_view help) {
  return Put(name, out, help);
}
Field& Fields::Add(std::string_view name, int64_t* out, std::string_view help) {
  return Put(name, out, help);
}
Field& Fields::Add(std::string_view name, bool* out, std::string_view help) {
  return Put(name, out, help);
}
Field& Fields::Add(std::string_view name, std::vector<std::string>* out, std::string_view help) {
  return Put(name, out, help);
}
Field& Fields::AddAny(std::string_view name, Json* out, std::string_view help) {
  return Put(name, out, help);
}
Field& Fields::AddObject(std::string_view name, Json* out, std::string_view help) {
  Field& field = Put(name, out, help);
  field.object_ = true;
  return field;
}
Field& Fields::AddList(std::string_view name, Json* out, std::string_view help) {
  Field& field = Put(name, out, help);
  field.list_ = true;
  return field;
}

void Fields::ComplainOfOthers(const Json& body, Json* errors) const {
  std::vector<std::string> names;
  for (const Field& field : fields_) names.push_back(field.name_);
  for (const Json::Member& member : *body.AsObject()) {
    if (std::find(names.begin(), names.end(), member.key) != names.end()) continue;
    errors->Append(FieldError("extra_forbidden", {"body", member.key},
                              StrCat("unknown field: ", DidYouMean(member.key, names)),
                              member.value));
  }
}

Json Fields::Read(const Json& body) {
  Json errors = Json::MakeArray();
  if (only_these_) ComplainOfOthers(body, &errors);
  const auto complain = [&](const Field& field, const Complaint& bad, const Json& input) {
    errors.Append(FieldError(bad.type, {"body", field.name_}, bad.message, input));
  };
  for (Field& field : fields_) {
    const Json* value = body.Find(field.name_);
    if (value == nullptr) {
      if (field.required_) complain(field, {"missing", "Field required"}, body);
      continue;
    }
    std::optional<Complaint> bad;
    if (auto* strings = std::get_if<std::vector<std::string>*>(&field.target_)) {
      Json wrong = TakeStrings(field.name_, *value, *strings);
      for (Json& error : *wrong.AsArray()) errors.Append(std::move(error));
    } else if (auto* any = std::get_if<Json*>(&field.target_)) {
      if (field.object_ && !value->IsObject()) {
        bad = {"dict_type", "Input should be a valid dictionary"};
      } else if (field.list_ && !value->IsArray()) {
        bad = {"list_type", "Input should be a valid list"};
      } else {
        **any = *value;
      }
    } else {
      bad = std::visit(
          [&](auto* target) -> std::optional<Complaint> {
            if constexpr (requires { Take(*value, target); }) return Take(*value, target);
            return std::nullopt;
          },
          field.target_);
    }
    if (auto* text = std::get_if<std::string*>(&field.target_);
        text != nullptr && !bad && !field.choices_.empty() &&
        std::find(field.choices_.begin(), field.choices_.end(), **text) == field.choices_.end()) {
      bad = {"literal_error", StrCat("Input should be ", Quoted(field.choices_))};
    }
    if (bad) {
      complain(field, *bad, *value);
    } else if (field.lowest_) {
      if (auto* number = std::get_if<double*>(&field.target_))
        **number = std::clamp(**number, *field.lowest_, *field.highest_);
      if (auto* whole = std::get_if<int64_t*>(&field.target_))
        **whole = std::clamp(**whole, static_cast<int64_t>(*field.lowest_),
                             static_cast<int64_t>(*field.highest_));
    }
  }
  return errors;
}

namespace {

Json TypeOf(const char* type) { return Json().Set("type", type); }

struct SchemaOf {
  bool object, list, required;
  Json operator()(const std::string* value) const {
    Json schema = TypeOf("string");
    return required ? schema : schema.Set("default", *value);
  }
  Json operator()(const std::optional<std::string>* value) const {
    Json types = Json::MakeArray().Append("string").Append("null");
    return Json().Set("type", std::move(types)).Set("default", *value ? Json(**value) : Json());
  }
  Json operator()(const double* value) const {
    Json schema = TypeOf("number");
    return required ? schema : schema.Set("default", *value);
  }
  Json operator()(const int64_t* value) const {
    Json schema = TypeOf("integer");
    return required ? schema : schema.Set("default", *value);
  }
  Json operator()(const bool* value) const { return TypeOf("boolean").Set("default", *value); }
  Json operator()(const std::vector<std::string>*) const {
    return TypeOf("array").Set("items", TypeOf("string"));
  }
  Json operator()(const Json*) const {
    if (object) return TypeOf("object");
    if (list) return TypeOf("array");
    return Json::MakeObject();
  }
};

}  // namespace

Json Fields::Schema() const {
  Json properties = Json::MakeObject(), required = Json::MakeArray();
  for (const Field& field : fields_) {
    Json schema =
        field.schema_.IsNull()
            ? std::visit(SchemaOf{field.object_, field.list_, field.required_}, field.target_)
            : field.schema_;
    schema.Set("description", field.help_);
    if (!field.choices_.empty()) {
      Json choices = Json::MakeArray();
      for (const std::string& choice : field.choices_) choices.Append(choice);
      schema.Set("enum", std::move(choices));
    }
    if (!field.example_.IsNull()) schema.Set("examples", Json::MakeArray().Append(field.example_));
    properties.Set(field.name_, std::move(schema));
    if (field.required_) required.Append(field.name_);
  }
  Json schema = TypeOf("object").Set("properties", std::move(properties));
  if (only_these_) schema.Set("additionalProperties", false);
  if (!required.AsArray()->empty()) schema.Set("required", std::move(required));
  return schema;
}

std::optional<HttpResponse> ReadFields(const Json& given, Fields table) {
  Json errors = table.Read(given);
  if (errors.AsArray()->empty()) return std::nullopt;
  return FieldErrors(std::move(errors));
}

std::optional<HttpResponse> ReadBody(const HttpRequest& request, Fields table) {
  const Result<Json> body = ParseJson(request.body);
  if (!body.ok()) {
    Json error = FieldError("json_invalid", {"body", 0}, "JSON decode error", Json::MakeObject());
    error.Set("ctx", Json().Set("error", body.error().message));
    return FieldErrors(Json::MakeArray().Append(std::move(error)));
  }
  if (!body->IsObject()) {
    return FieldErrors(Json::MakeArray().Append(
        FieldError("model_attributes_type", {"body"},
                   "Input should be a valid dictionary or object to extract fields from", *body)));
  }
  return ReadFields(*body, std::move(table));
}

}  // namespace assay
