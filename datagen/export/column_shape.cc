#include "datagen/export/column_shape.h"

#include <algorithm>

namespace assay {
namespace {

constexpr size_t kFieldsMax = 64;

}  // namespace

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
    for (const Json::Member& member : *object) {
      const auto [place, is_new] = places_.try_emplace(member.key, fields_.size());
      if (is_new && fields_.size() < kFieldsMax + 1)
        fields_.emplace_back(member.key, ColumnShape());
      if (place->second < fields_.size()) fields_[place->second].second.Take(member.value);
    }
  }
}

bool ColumnShape::MixedHere() const {
  return kind_ == Kind::kMixed ||
         // Arrow has no struct without fields; one with very many is a map, whose keys are data.
         (kind_ == Kind::kObject && (fields_.empty() || fields_.size() > kFieldsMax));
}

bool ColumnShape::Mixed() const {
  return MixedHere() || (!element_.empty() && element_[0].Mixed()) ||
         std::any_of(fields_.begin(), fields_.end(),
                     [](const auto& field) { return field.second.Mixed(); });
}

bool ColumnShape::IsShownBy(const ColumnShape& head) const {
  if (kind_ == Kind::kNull || MixedHere()) return true;
  if (head.kind_ == Kind::kNull) return false;
  if (!element_.empty() && element_[0].kind_ != Kind::kNull &&
      (head.element_.empty() || !element_[0].IsShownBy(head.element_[0])))
    return false;
  return std::all_of(fields_.begin(), fields_.end(), [&](const auto& field) {
    const auto place = head.places_.find(field.first);
    static const ColumnShape kNothing;
    return field.second.IsShownBy(place == head.places_.end() ? kNothing
                                                              : head.fields_[place->second].second);
  });
}

Json ColumnShape::TypeOf(bool parts) const {
  if (parts ? MixedHere() : Mixed()) return "string";
  switch (kind_) {
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int64";
    case Kind::kDouble:
      return "double";
    case Kind::kArray:
      return Json().Append("list").Append(element_.empty() ? Json("string")
                                                           : element_[0].TypeOf(parts));
    case Kind::kObject: {
      Json fields = Json::MakeObject();
      for (const auto& [name, shape] : fields_) fields.Set(name, shape.TypeOf(parts));
      return fields;
    }
    default:
      return "string";
  }
}

Json ColumnShape::Fit(const Json& value) const {
  if (value.IsNull()) return value;
  return Mixed() ? Json(value.Dump()) : FitInside(value, /*parts=*/false);
}

Json ColumnShape::FitParts(const Json& value) const { return FitInside(value, /*parts=*/true); }

Json ColumnShape::FitInside(const Json& value, bool parts) const {
  if (value.IsNull()) return value;
  if (parts && MixedHere()) return Json(value.Dump());
  if (kind_ == Kind::kDouble && value.IsInt()) return Json(value.NumberOr(0));
  if (const Json::Array* array = value.AsArray()) {
    Json out = Json::MakeArray();
    for (const Json& item : *array) out.Append(element_[0].FitInside(item, parts));
    return out;
  }
  if (value.IsObject()) {
    Json out = Json::MakeObject();
    for (const auto& [name, shape] : fields_) {
      const Json* member = value.Find(name);
      out.Set(name, member != nullptr ? shape.FitInside(*member, parts) : Json());
    }
    return out;
  }
  return value;
}

}  // namespace assay
