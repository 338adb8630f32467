#include "cli/serve/schemas.h"

namespace assay {
namespace {

Json Typed(const char* type, std::string_view description) {
  Json schema = Json().Set("type", type);
  if (!description.empty()) schema.Set("description", description);
  return schema;
}

}  // namespace

Json StringSchema(std::string_view description) { return Typed("string", description); }
Json NumberSchema(std::string_view description) { return Typed("number", description); }
Json IntegerSchema(std::string_view description) { return Typed("integer", description); }
Json BooleanSchema(std::string_view description) { return Typed("boolean", description); }

Json ArraySchema(Json items, std::string_view description) {
  return Typed("array", description).Set("items", std::move(items));
}

Json OrNull(Json schema) {
  const Json* type = schema.Find("type");
  if (type == nullptr || !type->IsString()) return schema;
  return schema.Set("type", Json::MakeArray().Append(*type).Append("null"));
}

Json ObjectSchema(std::vector<std::pair<std::string, Json>> properties,
                  std::string_view description) {
  Json all = Json::MakeObject(), required = Json::MakeArray();
  for (auto& [name, schema] : properties) {
    required.Append(name);
    all.Set(name, std::move(schema));
  }
  return Typed("object", description)
      .Set("properties", std::move(all))
      .Set("required", std::move(required));
}

}  // namespace assay
