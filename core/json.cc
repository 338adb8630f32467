#include "core/json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>

#include "core/text.h"

namespace assay {

Json::Json(uint64_t value) {
  if (value <= static_cast<uint64_t>(INT64_MAX)) {
    value_ = static_cast<int64_t>(value);
  } else {
    value_ = value;
  }
}

Json::Json(Array value) : value_(std::move(value)) {}
Json::Json(Object value) : value_(std::move(value)) {}
Json Json::MakeArray() { return Json(Array()); }
Json Json::MakeObject() { return Json(Object()); }

bool Json::IsNumber() const {
  return IsInt() || std::holds_alternative<uint64_t>(value_) ||
         std::holds_alternative<double>(value_) || std::holds_alternative<BigNumber>(value_);
}

double Json::NumberOr(double fallback) const {
  if (const auto* i = std::get_if<int64_t>(&value_)) return static_cast<double>(*i);
  if (const auto* u = std::get_if<uint64_t>(&value_)) return static_cast<double>(*u);
  if (const auto* d = std::get_if<double>(&value_)) return *d;
  if (const auto* b = std::get_if<BigNumber>(&value_))
    return std::strtod(b->token.c_str(), nullptr);
  return fallback;
}

std::string Json::ScalarText() const {
  if (const std::string* s = AsString()) return *s;
  return Dump();
}

const Json* Json::Find(std::string_view key) const {
  const Object* object = AsObject();
  if (object == nullptr) return nullptr;
  for (auto it = object->rbegin(); it != object->rend(); ++it) {
    if (it->key == key) return &it->value;
  }
  return nullptr;
}

Json* Json::Find(std::string_view key) { return const_cast<Json*>(std::as_const(*this).Find(key)); }

std::string_view Json::StringOr(std::string_view key, std::string_view fallback) const {
  const Json* value = Find(key);
  return value != nullptr && value->IsString() ? std::string_view(*value->AsString()) : fallback;
}

int64_t Json::IntOr(std::string_view key, int64_t fallback) const {
  const Json* value = Find(key);
  if (value == nullptr) return fallback;
  if (const int64_t* i = value->AsInt()) return *i;
  if (const double* d = std::get_if<double>(&value->value_)) {
    if (std::floor(*d) == *d && std::abs(*d) < 9e15) return static_cast<int64_t>(*d);
  }
  return fallback;
}

double Json::DoubleOr(std::string_view key, double fallback) const {
  const Json* value = Find(key);
  return value == nullptr ? fallback : value->NumberOr(fallback);
}

bool Json::BoolOr(std::string_view key, bool fallback) const {
  const Json* value = Find(key);
  return value != nullptr && value->IsBool() ? *value->AsBool() : fallback;
}

Json& Json::Set(std::string_view key, Json value) {
  if (IsNull()) value_ = Object();
  Object* object = AsObject();
  ASSAY_CHECK(object != nullptr);
  if (Json* found = Find(key)) {
    *found = std::move(value);
  } else {
    object->push_back({std::string(key), std::move(value)});
  }
  return *this;
}

bool Json::Erase(std::string_view key) {
  Object* object = AsObject();
  if (object == nullptr) return false;
  return std::erase_if(*object, [&](const Member& member) { return member.key == key; }) > 0;
}

Json& Json::Append(Json value) {
  if (IsNull()) value_ = Array();
  Array* array = AsArray();
  ASSAY_CHECK(array != nullptr);
  array->push_back(std::move(value));
  return *this;
}

bool Json::operator==(const Json& other) const { return value_ == other.value_; }

std::string Json::Dump() const {
  std::string out;
  AppendTo(&out);
  return out;
}

void Json::AppendTo(std::string* out) const {
  if (const std::string* s = AsString()) {
    AppendJsonString(*s, out);
  } else if (const Array* array = AsArray()) {
    out->push_back('[');
    for (size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out->push_back(',');
      (*array)[i].AppendTo(out);
    }
    out->push_back(']');
  } else if (const Object* object = AsObject()) {
    out->push_back('{');
    for (size_t i = 0; i < object->size(); ++i) {
      if (i > 0) out->push_back(',');
      AppendJsonString((*object)[i].key, out);
      out->push_back(':');
      (*object)[i].value.AppendTo(out);
    }
    out->push_back('}');
  } else if (const int64_t* i = AsInt()) {
    fmt::format_to(std::back_inserter(*out), "{}", *i);
  } else if (const auto* u = std::get_if<uint64_t>(&value_)) {
    fmt::format_to(std::back_inserter(*out), "{}", *u);
  } else if (const auto* d = std::get_if<double>(&value_)) {
    AppendJsonNumber(*d, out);
  } else if (const auto* b = std::get_if<BigNumber>(&value_)) {
    out->append(b->token);
  } else if (const bool* b = AsBool()) {
    out->append(*b ? "true" : "false");
  } else {
    out->append("null");
  }
}

namespace {

// Thousandths, which most scores, rewards and times are: true if `value` was one. Of so few digits no fewer give the same double.
bool AppendThousandths(double value, std::string* out) {
  constexpr double kMost = 1e9;
  if (std::signbit(value) || value >= kMost) return false;
  const auto thousandths = static_cast<int64_t>(value * 1000 + 0.5);
  if (static_cast<double>(thousandths) / 1000 != value) return false;
  char digits[24];
  char* end = std::to_chars(digits, digits + 16, thousandths / 1000).ptr;
  const auto rest = static_cast<int>(thousandths % 1000);
  *end++ = '.';
  *end++ = static_cast<char>('0' + rest / 100);
  if (rest % 100 != 0) *end++ = static_cast<char>('0' + rest / 10 % 10);
  if (rest % 10 != 0) *end++ = static_cast<char>('0' + rest % 10);
  out->append(digits, end);
  return true;
}

}  // namespace

void AppendJsonNumber(double value, std::string* out) {
  if (!std::isfinite(value)) {
    out->append("null");
    return;
  }
  if (AppendThousandths(value, out)) return;
  const size_t start = out->size();
  fmt::format_to(std::back_inserter(*out), "{}", value);
  if (out->find_first_of(".en", start) == std::string::npos) out->append(".0");
}

void AppendJsonString(std::string_view text, std::string* out) {
  static const char* kHex = "0123456789abcdef";
  std::string repaired;
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    repaired = SanitizeUtf8(text);
    text = repaired;
  }
  out->push_back('"');
  size_t start = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
    out->append(text.substr(start, i - start));
    start = i + 1;
    switch (c) {
      case '"':
        out->append("\\\"");
        break;
      case '\\':
        out->append("\\\\");
        break;
      case '\n':
        out->append("\\n");
        break;
      case '\r':
        out->append("\\r");
        break;
      case '\t':
        out->append("\\t");
        break;
      default:
        out->append("\\u00");
        out->push_back(kHex[c >> 4]);
        out->push_back(kHex[c & 15]);
    }
  }
  out->append(text.substr(start));
  out->push_back('"');
}

}  // namespace assay
