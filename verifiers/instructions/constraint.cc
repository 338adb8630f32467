#include "verifiers/instructions/constraint.h"

#include <cmath>
#include <unordered_map>

#include "core/text.h"
#include "verifiers/words.h"

namespace assay {
namespace {

enum class Relation { kLess, kAtMost, kAtLeast, kMore, kExactly };

std::optional<Relation> RelationOf(std::string_view name) {
  static constexpr std::pair<std::string_view, Relation> kNames[] = {
      {"less than", Relation::kLess},     {"fewer than", Relation::kLess},
      {"at most", Relation::kAtMost},     {"at least", Relation::kAtLeast},
      {"more than", Relation::kMore},     {"exactly", Relation::kExactly},
      {"equal to", Relation::kExactly},   {"al menos", Relation::kAtLeast},
      {"como máximo", Relation::kAtMost}, {"menos de", Relation::kLess},
      {"almenys", Relation::kAtLeast},    {"com a màxim", Relation::kAtMost},
      {"menys de", Relation::kLess}};
  const std::string small = LowerCase(name);
  for (const auto& [known, relation] : kNames) {
    if (small == known) return relation;
  }
  return std::nullopt;
}

bool IsWholeNumber(const Json& value) {
  if (value.IsInt()) return true;
  const double number = value.IsDouble() ? value.NumberOr(0.5) : 0.5;
  return number == std::floor(number) && std::abs(number) < 1e9;
}

bool IsListOfTexts(const Json& value) {
  if (value.AsArray() == nullptr || value.AsArray()->empty()) return false;
  for (const Json& item : *value.AsArray()) {
    if (item.AsString() == nullptr || Trim(*item.AsString()).empty()) return false;
  }
  return true;
}

bool Fits(const Json& value, std::string_view kind) {
  if (kind == "number") return IsWholeNumber(value);
  if (kind == "texts") return IsListOfTexts(value);
  if (value.AsString() == nullptr || Trim(*value.AsString()).empty()) return false;
  return kind != "relation" || RelationOf(*value.AsString()).has_value();
}

}  // namespace

int64_t ConstraintParameters::Number(std::string_view name) const {
  const Json* value = object_.Find(name);
  return value == nullptr ? 0 : static_cast<int64_t>(value->NumberOr(0));
}

std::string_view ConstraintParameters::Text(std::string_view name) const {
  return object_.StringOr(name, "");
}

std::vector<std::string_view> ConstraintParameters::Texts(std::string_view name) const {
  std::vector<std::string_view> texts;
  const Json* value = object_.Find(name);
  if (value == nullptr || value->AsArray() == nullptr) return texts;
  for (const Json& item : *value->AsArray()) {
    if (item.AsString() != nullptr) texts.push_back(*item.AsString());
  }
  return texts;
}

bool ConstraintParameters::Holds(std::string_view relation_name, int64_t count,
                                 std::string_view name) const {
  const int64_t number = Number(name);
  switch (RelationOf(Text(relation_name)).value_or(Relation::kAtLeast)) {
    case Relation::kLess:
      return count < number;
    case Relation::kAtMost:
      return count <= number;
    case Relation::kAtLeast:
      return count >= number;
    case Relation::kMore:
      return count > number;
    case Relation::kExactly:
      return count == number;
  }
  return false;
}

std::string ConstraintParameters::Complaint(std::string_view described) const {
  for (std::string_view one : SplitChar(described, ' ')) {
    const size_t equals = one.find('=');
    if (equals == std::string_view::npos) continue;
    std::string_view name = one.substr(0, equals);
    const bool optional = EndsWith(name, "?");
    if (optional) name.remove_suffix(1);
    const Json* value = object_.Find(name);
    if (value == nullptr || value->IsNull()) {
      if (!optional) return StrCat("`", name, "` is missing");
    } else if (!Fits(*value, one.substr(equals + 1))) {
      return StrCat("`", name, "` is no ", one.substr(equals + 1));
    }
  }
  return "";
}

namespace {

const std::unordered_map<std::string_view, const ConstraintKind*>& Kinds() {
  static const std::unordered_map<std::string_view, const ConstraintKind*> kinds = [] {
    std::unordered_map<std::string_view, const ConstraintKind*> made;
    for (const auto* family : {&WordConstraints(), &LengthConstraints(), &FormConstraints(),
                               &SentenceConstraints(), &CopyConstraints()}) {
      for (const ConstraintKind& kind : *family) made[kind.id] = &kind;
    }
    return made;
  }();
  return kinds;
}

}  // namespace

const ConstraintKind* FindConstraint(std::string_view id) {
  const auto found = Kinds().find(id);
  return found == Kinds().end() ? nullptr : found->second;
}

std::vector<std::string> ConstraintNames() {
  std::vector<std::string> names;
  for (const auto* family : {&WordConstraints(), &LengthConstraints(), &FormConstraints(),
                             &SentenceConstraints(), &CopyConstraints()}) {
    for (const ConstraintKind& kind : *family) names.emplace_back(kind.id);
  }
  return names;
}

}  // namespace assay
