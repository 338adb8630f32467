#include "verifiers/json_schema/schema.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "core/text.h"
#include "verifiers/words.h"

namespace assay {
namespace {

constexpr int64_t kStepsMax = 200000;
constexpr int kDepthMax = 300;
constexpr size_t kSchemaBytesMax = size_t{1} << 20;
constexpr int64_t kPatternMemory = int64_t{1} << 20;

// One text for equal values: keys in order, 1.0 as 1.
void AppendCanonical(const Json& value, std::string* out) {
  if (const Json::Array* array = value.AsArray()) {
    out->push_back('[');
    for (const Json& item : *array) {
      AppendCanonical(item, out);
      out->push_back(',');
    }
    out->push_back(']');
  } else if (const Json::Object* object = value.AsObject()) {
    std::map<std::string_view, const Json*> members;
    for (const Json::Member& member : *object) members[member.key] = &member.value;
    out->push_back('{');
    for (const auto& [key, one] : members) {
      AppendJsonString(key, out);
      out->push_back(':');
      AppendCanonical(*one, out);
      out->push_back(',');
    }
    out->push_back('}');
  } else if (value.IsDouble() && std::abs(value.NumberOr(0)) < 9e15 &&
             std::floor(value.NumberOr(0)) == value.NumberOr(0)) {
    StrAppend(out, static_cast<int64_t>(value.NumberOr(0)));
  } else {
    value.AppendTo(out);
  }
}

std::string Canonical(const Json& value) {
  std::string out;
  AppendCanonical(value, &out);
  return out;
}

bool IsWhole(const Json& value) {
  if (!value.IsNumber()) return false;
  if (value.IsDouble()) return std::floor(value.NumberOr(0.5)) == value.NumberOr(0.5);
  return value.ScalarText().find_first_of(".eE") == std::string::npos;
}

bool HasType(const Json& value, std::string_view type) {
  if (type == "integer") return IsWhole(value);
  if (type == "number") return value.IsNumber();
  if (type == "string") return value.IsString();
  if (type == "object") return value.IsObject();
  if (type == "array") return value.IsArray();
  if (type == "boolean") return value.IsBool();
  return type == "null" && value.IsNull();
}

bool IsMultiple(const Json& value, const Json& of) {
  const int64_t* a = value.AsInt();
  const int64_t* b = of.AsInt();
  if (a != nullptr && b != nullptr && *b != 0) return *b == -1 || *a % *b == 0;
  const double number = value.NumberOr(0), step = of.NumberOr(1);
  const double rest = std::abs(std::remainder(number, step));
  // 0.3 is a multiple of 0.1, though not of its binary fraction.
  return std::abs(number / step) < 1e9 ? rest < 1e-9 * step : rest == 0;
}

// The keywords under which schemas stand: one, a list, or an object of them.
constexpr std::string_view kOneSchema[] = {"additionalItems",
                                           "additionalProperties",
                                           "contains",
                                           "else",
                                           "if",
                                           "items",
                                           "not",
                                           "propertyNames",
                                           "then"};
constexpr std::string_view kListOfSchemas[] = {"allOf", "anyOf", "items", "oneOf", "prefixItems"};
constexpr std::string_view kNamedSchemas[] = {
    "$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"};
constexpr std::string_view kRefused[] = {"$dynamicRef", "$recursiveRef", "unevaluatedItems",
                                         "unevaluatedProperties"};

std::string Unescaped(std::string_view token) {
  std::string out;
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1')) {
      out.push_back(token[++i] == '0' ? '~' : '/');
    } else if (token[i] == '%' && i + 2 < token.size()) {
      const std::string hex(token.substr(i + 1, 2));
      out.push_back(static_cast<char>(std::strtol(hex.c_str(), nullptr, 16)));
      i += 2;
    } else {
      out.push_back(token[i]);
    }
  }
  return out;
}

}  // namespace

struct JsonSchema::Impl {
  Json root;
  std::map<std::string, std::unique_ptr<RE2>> patterns;
  std::map<std::string, const Json*> named;  // by $id and $anchor
  std::vector<std::string> references;

  Status Prepare(const Json& schema, int depth);
  Status AddPattern(const std::string& pattern);
  const Json* Resolve(std::string_view reference) const;
};

Status JsonSchema::Impl::AddPattern(const std::string& pattern) {
  if (patterns.count(pattern) > 0) return {};
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemory);
  auto compiled = std::make_unique<RE2>(pattern, options);
  if (!compiled->ok()) {
    return Error{ErrorCode::kInput,
                 StrCat("pattern ", Shorten(pattern, 60), ": ", compiled->error()),
                 "the syntax is RE2's: no look-around, no back-references"};
  }
  patterns[pattern] = std::move(compiled);
  return {};
}

// Walks over every schema: patterns are compiled, names noted, what is not supported refused.
Status JsonSchema::Impl::Prepare(const Json& schema, int depth) {
  const auto refuse = [](std::string_view what) {
    return Error{ErrorCode::kInput, std::string(what), ""};
  };
  if (schema.IsBool()) return {};
  if (!schema.IsObject()) return refuse("a schema is neither an object nor true or false");
  if (depth > kDepthMax) return refuse("the schema is nested too deeply");
  for (std::string_view keyword : kRefused) {
    if (schema.Find(keyword) != nullptr)
      return refuse(StrCat("the keyword ", keyword, " is not supported"));
  }
  for (const char* keyword : {"$id", "id"}) {
    if (const std::string_view id = schema.StringOr(keyword, ""); !id.empty())
      named[std::string(id)] = &schema;
  }
  if (const std::string_view anchor = schema.StringOr("$anchor", ""); !anchor.empty())
    named[StrCat("#", anchor)] = &schema;
  if (const std::string_view pattern = schema.StringOr("pattern", ""); !pattern.empty()) {
    if (Status status = AddPattern(std::string(pattern)); !status.ok()) return status;
  }
  for (const Json::Member& member : *schema.AsObject()) {
    const auto stands_in = [&](const auto& list) {
      return std::find(std::begin(list), std::end(list), member.key) != std::end(list);
    };
    std::vector<const Json*> below;
    if (stands_in(kListOfSchemas) && member.value.IsArray()) {
      for (const Json& one : *member.value.AsArray()) below.push_back(&one);
    } else if (stands_in(kNamedSchemas) && member.value.IsObject()) {
      for (const Json::Member& one : *member.value.AsObject()) {
        if (member.key == "patternProperties") {
          if (Status status = AddPattern(one.key); !status.ok()) return status;
        }
        if (member.key != "dependencies" || !one.value.IsArray()) below.push_back(&one.value);
      }
    } else if (stands_in(kOneSchema)) {
      below.push_back(&member.value);
    }
    for (const Json* one : below) {
      if (Status status = Prepare(*one, depth + 1); !status.ok()) return status;
    }
  }
  if (const Json* reference = schema.Find("$ref");
      reference != nullptr && reference->AsString() != nullptr)
    references.push_back(*reference->AsString());
  return {};
}

const Json* JsonSchema::Impl::Resolve(std::string_view reference) const {
  if (const auto found = named.find(std::string(reference)); found != named.end())
    return found->second;
  const size_t hash = reference.find('#');
  const Json* at = &root;
  if (hash != 0) {
    const auto base = named.find(std::string(reference.substr(0, hash)));
    if (base == named.end()) return nullptr;
    at = base->second;
  }
  if (hash == std::string_view::npos || hash + 1 == reference.size()) return at;
  if (reference[hash + 1] != '/') return nullptr;
  for (std::string_view token : SplitChar(reference.substr(hash + 2), '/')) {
    const std::string key = Unescaped(token);
    if (const Json::Array* array = at->AsArray()) {
      size_t index = 0;
      for (char c : key) {
        if (c < '0' || c > '9' || index > array->size()) return nullptr;
        index = index * 10 + static_cast<size_t>(c - '0');
      }
      if (key.empty() || index >= array->size()) return nullptr;
      at = &(*array)[index];
    } else {
      at = at->Find(key);
      if (at == nullptr) return nullptr;
    }
  }
  return at;
}

namespace {

// One check of one value.
class Checker {
 public:
  using Patterns = std::map<std::string, std::unique_ptr<RE2>>;
  Checker(const Patterns& patterns, std::function<const Json*(std::string_view)> resolve)
      : patterns_(patterns), resolve_(std::move(resolve)) {}

  bool spent() const { return spent_; }
  const std::string& problem() const { return problem_; }

  bool Fits(const Json& value, const Json& schema, const std::string& path, int depth) {
    if (spent_ || ++steps_ > kStepsMax || depth > kDepthMax) {
      spent_ = true;
      return false;
    }
    if (const bool* all = schema.AsBool()) return *all || Wrong(path, "nothing may stand here");
    if (schema.AsObject() == nullptr) return true;
    const std::string_view reference = schema.StringOr("$ref", "");
    if (!reference.empty()) {
      const Json* other = resolve_(reference);
      if (other == nullptr) {
        spent_ = true;
        return false;
      }
      if (!Fits(value, *other, path, depth + 1)) return false;
    }
    if (!Scalars(value, schema, path) || !Combined(value, schema, path, depth)) return false;
    if (value.IsArray()) return Items(value, schema, path, depth);
    if (value.IsObject()) return Members(value, schema, path, depth);
    return true;
  }

 private:
  bool Wrong(const std::string& path, std::string_view what) {
    if (problem_.empty()) problem_ = StrCat(path.empty() ? "the whole" : path, ": ", what);
    return false;
  }

  // type, enum, const, numbers and strings.
  bool Scalars(const Json& value, const Json& schema, const std::string& path) {
    if (const Json* type = schema.Find("type")) {
      bool one = type->AsString() != nullptr && HasType(value, *type->AsString());
      if (type->AsArray() != nullptr) {
        for (const Json& name : *type->AsArray())
          one = one || (name.AsString() != nullptr && HasType(value, *name.AsString()));
      }
      if (!one) return Wrong(path, StrCat("is no ", type->ScalarText()));
    }
    if (const Json* constant = schema.Find("const");
        constant != nullptr && Canonical(*constant) != Canonical(value))
      return Wrong(path, "is not the constant");
    if (const Json* list = schema.Find("enum"); list != nullptr && list->AsArray() != nullptr) {
      const std::string own = Canonical(value);
      steps_ += static_cast<int64_t>(list->AsArray()->size());
      if (std::none_of(list->AsArray()->begin(), list->AsArray()->end(),
                       [&](const Json& one) { return Canonical(one) == own; }))
        return Wrong(path, "is none of the listed values");
    }
    if (value.IsNumber()) return Number(value, schema, path);
    if (value.IsString()) return String(*value.AsString(), schema, path);
    return true;
  }

  bool Number(const Json& value, const Json& schema, const std::string& path) {
    const double number = value.NumberOr(0);
    const auto limit = [&](const char* keyword) { return schema.DoubleOr(keyword, std::nan("")); };
    const double highest = limit("maximum"), lowest = limit("minimum");
    const double below = limit("exclusiveMaximum"), above = limit("exclusiveMinimum");
    // Draft 4 has true and false there.
    const bool open_top = schema.BoolOr("exclusiveMaximum", false);
    const bool open_bottom = schema.BoolOr("exclusiveMinimum", false);
    if (number > highest || (open_top && number == highest) || number >= below)
      return Wrong(path, "is too large");
    if (number < lowest || (open_bottom && number == lowest) || number <= above)
      return Wrong(path, "is too small");
    if (const Json* of = schema.Find("multipleOf");
        of != nullptr && of->NumberOr(0) > 0 && !IsMultiple(value, *of))
      return Wrong(path, StrCat("is no multiple of ", of->ScalarText()));
    return true;
  }

  bool String(const std::string& text, const Json& schema, const std::string& path) {
    if (schema.Find("minLength") != nullptr || schema.Find("maxLength") != nullptr) {
      const auto length = static_cast<double>(CharactersOf(text));
      if (length < schema.DoubleOr("minLength", 0)) return Wrong(path, "is too short");
      if (length > schema.DoubleOr("maxLength", INFINITY)) return Wrong(path, "is too long");
    }
    const std::string_view pattern = schema.StringOr("pattern", "");
    if (!pattern.empty() && !Matches(text, pattern))
      return Wrong(path, "does not match the pattern");
    return true;
  }

  bool Matches(const std::string& text, std::string_view pattern) {
    steps_ += static_cast<int64_t>(text.size() / 100);
    const auto found = patterns_.find(std::string(pattern));
    return found != patterns_.end() && RE2::PartialMatch(text, *found->second);
  }

  // Whether it fits, without a word about why not.
  bool Tried(const Json& value, const Json& schema, const std::string& path, int depth) {
    const std::string before = problem_;
    const bool fits = Fits(value, schema, path, depth);
    problem_ = before;
    return fits;
  }

  bool Combined(const Json& value, const Json& schema, const std::string& path, int depth) {
    const auto list = [&](const char* keyword) {
      const Json* found = schema.Find(keyword);
      return found == nullptr ? nullptr : found->AsArray();
    };
    if (const Json::Array* all = list("allOf")) {
      for (const Json& one : *all) {
        if (!Fits(value, one, path, depth + 1)) return false;
      }
    }
    if (const Json::Array* any = list("anyOf")) {
      if (std::none_of(any->begin(), any->end(),
                       [&](const Json& one) { return Tried(value, one, path, depth + 1); }))
        return Wrong(path, "fits none of anyOf");
    }
    if (const Json::Array* one_of = list("oneOf")) {
      const auto count = std::count_if(one_of->begin(), one_of->end(), [&](const Json& one) {
        return Tried(value, one, path, depth + 1);
      });
      if (count != 1) return Wrong(path, StrCat("fits ", count, " of oneOf"));
    }
    if (const Json* other = schema.Find("not"); other != nullptr) {
      if (Tried(value, *other, path, depth + 1)) return Wrong(path, "fits what it must not");
      if (spent_) return false;
    }
    if (const Json* condition = schema.Find("if"); condition != nullptr) {
      const bool fits = Tried(value, *condition, path, depth + 1);
      const Json* then = schema.Find(fits ? "then" : "else");
      if (then != nullptr && !Fits(value, *then, path, depth + 1)) return false;
    }
    return !spent_;
  }

  bool Items(const Json& value, const Json& schema, const std::string& path, int depth) {
    const Json::Array& items = *value.AsArray();
    const auto size = static_cast<double>(items.size());
    if (size < schema.DoubleOr("minItems", 0)) return Wrong(path, "has too few items");
    if (size > schema.DoubleOr("maxItems", INFINITY)) return Wrong(path, "has too many items");
    if (schema.BoolOr("uniqueItems", false)) {
      std::set<std::string> seen;
      for (const Json& item : items) {
        if (!seen.insert(Canonical(item)).second) return Wrong(path, "has an item twice");
      }
    }
    // Up to draft 2019 `items` may be the list and `additionalItems` the rest; later they are `prefixItems` and `items`.
    const Json* first = schema.Find("prefixItems");
    const Json* rest = schema.Find("items");
    if (first == nullptr && rest != nullptr && rest->IsArray()) {
      first = rest;
      rest = schema.Find("additionalItems");
    }
    const size_t listed =
        first == nullptr || first->AsArray() == nullptr ? 0 : first->AsArray()->size();
    for (size_t i = 0; i < items.size(); ++i) {
      const Json* own = i < listed ? &(*first->AsArray())[i] : rest;
      if (own != nullptr && !Fits(items[i], *own, StrCat(path, "/", i), depth + 1)) return false;
    }
    if (const Json* contained = schema.Find("contains")) {
      const auto count =
          static_cast<double>(std::count_if(items.begin(), items.end(), [&](const Json& item) {
            return Tried(item, *contained, path, depth + 1);
          }));
      if (count < schema.DoubleOr("minContains", 1))
        return Wrong(path, "lacks an item that it must have");
      if (count > schema.DoubleOr("maxContains", INFINITY))
        return Wrong(path, "has such an item too often");
    }
    return !spent_;
  }

  bool Members(const Json& value, const Json& schema, const std::string& path, int depth) {
    const Json::Object& members = *value.AsObject();
    const auto size = static_cast<double>(members.size());
    if (size < schema.DoubleOr("minProperties", 0)) return Wrong(path, "has too few keys");
    if (size > schema.DoubleOr("maxProperties", INFINITY)) return Wrong(path, "has too many keys");
    if (!HasAll(value, schema.Find("required"), path)) return false;
    const Json* properties = schema.Find("properties");
    const Json* by_pattern = schema.Find("patternProperties");
    const Json* others = schema.Find("additionalProperties");
    const Json* names = schema.Find("propertyNames");
    for (const Json::Member& member : members) {
      const std::string below = StrCat(path, "/", Shorten(member.key, 60));
      if (names != nullptr && !Fits(Json(member.key), *names, below, depth + 1)) return false;
      const Json* own = properties == nullptr ? nullptr : properties->Find(member.key);
      bool known = own != nullptr;
      if (own != nullptr && !Fits(member.value, *own, below, depth + 1)) return false;
      if (by_pattern != nullptr && by_pattern->AsObject() != nullptr) {
        for (const Json::Member& pattern : *by_pattern->AsObject()) {
          if (!Matches(member.key, pattern.key)) continue;
          known = true;
          if (!Fits(member.value, pattern.value, below, depth + 1)) return false;
        }
      }
      if (!known && others != nullptr && !Fits(member.value, *others, below, depth + 1))
        return false;
    }
    return Dependencies(value, schema, path, depth);
  }

  bool HasAll(const Json& value, const Json* keys, const std::string& path) {
    if (keys == nullptr || keys->AsArray() == nullptr) return true;
    for (const Json& key : *keys->AsArray()) {
      ++steps_;
      if (key.AsString() != nullptr && value.Find(*key.AsString()) == nullptr)
        return Wrong(path, StrCat("lacks the key ", Shorten(*key.AsString(), 60)));
    }
    return true;
  }

  bool Dependencies(const Json& value, const Json& schema, const std::string& path, int depth) {
    for (const char* keyword : {"dependencies", "dependentRequired", "dependentSchemas"}) {
      const Json* all = schema.Find(keyword);
      if (all == nullptr || all->AsObject() == nullptr) continue;
      for (const Json::Member& one : *all->AsObject()) {
        if (value.Find(one.key) == nullptr) continue;
        const bool fits = one.value.IsArray() ? HasAll(value, &one.value, path)
                                              : Fits(value, one.value, path, depth + 1);
        if (!fits) return false;
      }
    }
    return true;
  }

  const Patterns& patterns_;
  std::function<const Json*(std::string_view)> resolve_;
  int64_t steps_ = 0;
  bool spent_ = false;
  std::string problem_;
};

}  // namespace

JsonSchema::JsonSchema() : impl_(std::make_unique<Impl>()) {}
JsonSchema::~JsonSchema() = default;

Result<std::shared_ptr<const JsonSchema>> JsonSchema::Make(Json schema) {
  std::shared_ptr<JsonSchema> made(new JsonSchema());
  made->impl_->root = std::move(schema);
  if (made->impl_->root.Dump().size() > kSchemaBytesMax)
    return Error{ErrorCode::kInput, "the schema is too long", "at most 1 MiB"};
  if (Status status = made->impl_->Prepare(made->impl_->root, 0); !status.ok())
    return status.error();
  for (const std::string& reference : made->impl_->references) {
    if (made->impl_->Resolve(reference) == nullptr) {
      return Error{ErrorCode::kInput,
                   StrCat("the reference ", Shorten(reference, 80), " leads out of the schema"),
                   ""};
    }
  }
  return std::shared_ptr<const JsonSchema>(std::move(made));
}

JsonSchema::Answer JsonSchema::Check(const Json& value) const {
  Checker checker(impl_->patterns, [this](std::string_view name) { return impl_->Resolve(name); });
  Answer answer;
  answer.valid = checker.Fits(value, impl_->root, "", 0) && !checker.spent();
  answer.spent = checker.spent();
  answer.problem = checker.problem();
  return answer;
}

}  // namespace assay
