#include "core/rows/row_edit.h"

#include <utility>

namespace assay {

Error InputError(std::string message, std::string hint) {
  return {ErrorCode::kInput, std::move(message), std::move(hint)};
}

// `datasets` fills rows of unlike keys with nulls.
const Json* Present(const Json& object, std::string_view key) {
  const Json* value = object.Find(key);
  return value != nullptr && !value->IsNull() ? value : nullptr;
}

bool Has(const Json& row, std::string_view key) { return Present(row, key) != nullptr; }

void Fill(Json* row, std::string_view key, std::initializer_list<const char*> sources) {
  if (Has(*row, key)) return;
  for (const char* source : sources) {
    if (const Json* value = Present(*row, source)) {
      row->Set(key, Json(*value));
      return;
    }
  }
}

void FillWith(Json* row, std::string_view key, Json value) {
  if (!Has(*row, key) && !value.IsNull()) row->Set(key, std::move(value));
}

void Move(Json* row, std::string_view from, std::string_view to) {
  Json value = std::move(*row->Find(from));
  row->Erase(from);
  row->Set(to, std::move(value));
}

Json Struct(const Json* value) {
  if (value == nullptr) return Json();
  const std::string* text = value->AsString();
  if (text == nullptr) return *value;
  Result<Json> parsed = ParseJson(*text);
  return parsed.ok() ? *parsed : Json();
}

bool IsArrayAt(const Json& row, std::string_view key) {
  const Json* value = Present(row, key);
  return value != nullptr && value->IsArray();
}

}  // namespace assay
