#include "datagen/export/column_shape.h"

#include <algorithm>

namespace assay {

ColumnShape::Kind ColumnShape::KindOf(const Json& value) {
  if (value.IsNull()) return Kind::kNull;
  if (value.IsBool()) return Kind::kBool;
  if (value.IsInt()) return Kind::kInt;
  if (value.IsDouble()) return Kind::kDouble;
  if (value.IsString()) return Kind::kString;
  if (value.IsArray()) return Kind::kArray;
  if (value.IsObject()) return Kind::kObject;
  return Kind::kMixed;  // an integer beyond 64 bits with sign has no type there
}

void ColumnShape::Take(const Json& value) {
  const Kind kind = KindOf(value);
  if (kind == Kind::kNull || kind_ == Kind::kMixed) return;
  const bool numbers = (kind_ == Kind::kInt && kind == Kind::kDouble) ||
                       (kind_ == Kind::kDouble && kind == Kind::kInt);
  if (kind_ == Kind::kNull) {
    kind_ = kind;
  } else if (numbers) {
    kind_ = Kind::kDouble;
  } else if (kind_ != kind) {
    kind_ = Kind::kMixed;
    return;
  }
  if (const Json::Array* array = value.AsArray()) {
    if (element_.empty()) element_.emplace_back();
    for (const Json& item : *array) element_[0].Take(item);
  } else if (const Json::Object* object = value.AsObject()) {
    for (const Json::Member& member : *object) fields_[member.key].Take(member.value);
  }
}

bool ColumnShape::Mixed() const {
  return kind_ == Kind::kMixed || (!element_.empty() && element_[0].Mixed()) ||
         // Arrow has no struct without fields.
         (kind_ == Kind::kObject && fields_.empty()) ||
         std::any_of(fields_.begin(), fields_.end(),
                     [](const auto& field) { return field.second.Mixed(); });
}

Json ColumnShape::Fit(const Json& value) const {
  if (value.IsNull()) return value;
  return Mixed() ? Json(value.Dump()) : FitInside(value);
}

Json ColumnShape::FitInside(const Json& value) const {
  if (kind_ == Kind::kDouble && value.IsInt()) return Json(value.NumberOr(0));
  if (const Json::Array* array = value.AsArray()) {
    Json out = Json::MakeArray();
    for (const Json& item : *array) out.Append(element_[0].FitInside(item));
    return out;
  }
  if (const Json::Object* object = value.AsObject()) {
    Json out = Json::MakeObject();
    for (const Json::Member& member : *object)
      out.Set(member.key, fields_.at(member.key).FitInside(member.value));
    return out;
  }
  return value;
}

}  // namespace assay
