#include "core/json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <cmath>
#include <cstring>
#include <memory>

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

void AppendJsonNumber(double value, std::string* out) {
  if (!std::isfinite(value)) {
    out->append("null");
    return;
  }
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

namespace {

namespace sj = simdjson;

// Rewrites what simdjson refuses and Python writes: lone surrogate escapes, NaN and Infinity, big integers (as a
// marked string, turned back into BigNumber by Build), ill-formed UTF-8. Everything else is copied as it is.
class Repairer {
 public:
  Repairer(std::string_view text, JsonRepairs* repairs) : text_(text), repairs_(repairs) {
    for (int i = 0;; ++i) {
      marker_ = StrCat("assay-number-", i, ":");
      if (text.find(marker_) == std::string_view::npos) break;
    }
  }

  std::string Run() {
    std::string clean;
    if (!sj::validate_utf8(text_.data(), text_.size())) {
      clean = SanitizeUtf8(text_, &repairs_->invalid_utf8);
      text_ = clean;
    }
    out_.reserve(text_.size() + 64);
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        CopyString();
      } else if (c == '-' || (c >= '0' && c <= '9')) {
        CopyNumber();
      } else if (CopyNonfinite("NaN") || CopyNonfinite("Infinity")) {
        continue;
      } else {
        out_.push_back(c);
        ++at_;
      }
    }
    return std::move(out_);
  }

  const std::string& marker() const { return marker_; }

 private:
  void CopyString() {
    out_.push_back(text_[at_++]);
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\' && at_ + 1 < text_.size()) {
        if (text_[at_ + 1] == 'u') {
          CopyUnicodeEscape();
        } else {
          out_.append(text_.substr(at_, 2));
          at_ += 2;
        }
        continue;
      }
      out_.push_back(c);
      ++at_;
      if (c == '"') return;
    }
  }

  // The code unit of \uXXXX at `at`, or -1.
  int EscapeAt(size_t at) const {
    if (at + 6 > text_.size() || text_[at] != '\\' || text_[at + 1] != 'u') return -1;
    int unit = 0;
    for (size_t i = at + 2; i < at + 6; ++i) {
      const char c = text_[i];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return -1;
      unit = unit * 16 + digit;
    }
    return unit;
  }

  void CopyUnicodeEscape() {
    const int unit = EscapeAt(at_);
    const bool high = unit >= 0xD800 && unit <= 0xDBFF;
    const bool low = unit >= 0xDC00 && unit <= 0xDFFF;
    if (high) {
      const int next = EscapeAt(at_ + 6);
      if (next >= 0xDC00 && next <= 0xDFFF) {
        out_.append(text_.substr(at_, 12));
        at_ += 12;
        return;
      }
    }
    if (high || low) {
      out_.append("\\ufffd");
      ++repairs_->lone_surrogates;
      at_ += 6;
      return;
    }
    out_.append(text_.substr(at_, 2));  // malformed escapes stay, for simdjson to report
    at_ += 2;
  }

  void CopyNumber() {
    const size_t start = at_;
    if (text_[at_] == '-') {
      ++at_;
      if (CopyNonfinite("Infinity")) return;
    }
    while (at_ < text_.size() && std::strchr("0123456789.eE+-", text_[at_]) != nullptr) ++at_;
    const std::string token(text_.substr(start, at_ - start));
    const size_t sign = token[0] == '-' ? 1 : 0;
    const bool whole =
        token.find_first_not_of("0123456789", sign) == std::string::npos && token.size() > sign;
    if (whole && token.size() > 18 && (token[sign] != '0')) {
      errno = 0;
      if (sign == 1) {
        (void)std::strtoll(token.c_str(), nullptr, 10);
      } else {
        (void)std::strtoull(token.c_str(), nullptr, 10);
      }
      if (errno == ERANGE) {
        StrAppend(&out_, "\"", marker_, token, "\"");
        ++repairs_->big_numbers;
        return;
      }
    } else if (!whole && std::isinf(std::strtod(token.c_str(), nullptr))) {
      out_.append("null");
      ++repairs_->nonfinite;
      return;
    }
    out_.append(token);
  }

  bool CopyNonfinite(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    out_.append("null");
    ++repairs_->nonfinite;
    at_ += word.size();
    return true;
  }

  std::string_view text_;
  JsonRepairs* repairs_;
  std::string marker_;
  std::string out_;
  size_t at_ = 0;
};

// `marker` is empty unless the text was repaired.
Json Build(const sj::dom::element& element, std::string_view marker) {
  switch (element.type()) {
    case sj::dom::element_type::ARRAY: {
      Json::Array array;
      const sj::dom::array source = element.get_array().value_unsafe();
      array.reserve(source.size());
      for (const sj::dom::element item : source) array.push_back(Build(item, marker));
      return Json(std::move(array));
    }
    case sj::dom::element_type::OBJECT: {
      Json::Object object;
      const sj::dom::object source = element.get_object().value_unsafe();
      object.reserve(source.size());
      for (const auto field : source)
        object.push_back({std::string(field.key), Build(field.value, marker)});
      return Json(std::move(object));
    }
    case sj::dom::element_type::INT64:
      return Json(static_cast<int64_t>(element.get_int64().value_unsafe()));
    case sj::dom::element_type::UINT64:
      return Json(static_cast<uint64_t>(element.get_uint64().value_unsafe()));
    case sj::dom::element_type::DOUBLE:
      return Json(element.get_double().value_unsafe());
    case sj::dom::element_type::STRING: {
      const std::string_view text = element.get_string().value_unsafe();
      if (!marker.empty() && StartsWith(text, marker)) {
        return Json(Json::BigNumber{std::string(text.substr(marker.size()))});
      }
      return Json(text);
    }
    case sj::dom::element_type::BOOL:
      return Json(element.get_bool().value_unsafe());
    case sj::dom::element_type::NULL_VALUE:
      return Json();
  }
  return Json();
}

// One parser a thread; given back to the allocator after a giant, so that one 200 MB line does not stay in memory.
class ThreadParser {
 public:
  sj::dom::parser& get() {
    if (!parser_) {
      parser_ = std::make_unique<sj::dom::parser>();
      // A failure shows again, as an error, when the parser is used.
      [[maybe_unused]] const sj::error_code ignored =
          parser_->allocate(size_t{1} << 16, Json::kMaxDepth);
    }
    return *parser_;
  }
  void Release(size_t used) {
    if (used > (size_t{8} << 20)) parser_.reset();
  }

 private:
  std::unique_ptr<sj::dom::parser> parser_;
};

bool NeedsRepair(sj::error_code error) {
  return error == sj::STRING_ERROR || error == sj::NUMBER_ERROR || error == sj::UTF8_ERROR ||
         error == sj::TAPE_ERROR || error == sj::N_ATOM_ERROR || error == sj::UNESCAPED_CHARS;
}

Error ParseError(sj::error_code error) {
  if (error == sj::DEPTH_ERROR) {
    return {ErrorCode::kInput,
            StrCat("malformed JSON: nested deeper than ", Json::kMaxDepth, " levels"),
            "leave the deep value out, or keep it as a string"};
  }
  if (error == sj::EMPTY)
    return {ErrorCode::kInput, "malformed JSON: empty document",
            "each line must be one complete JSON object"};
  return {
      ErrorCode::kInput, StrCat("malformed JSON: ", sj::error_message(error)),
      "each line must be one complete JSON object; `python3 -m json.tool` shows where it breaks"};
}

}  // namespace

Result<Json> ParseJson(std::string_view text, JsonRepairs* repairs, bool padded) {
  static_assert(kJsonPadding >= sj::SIMDJSON_PADDING);
  static thread_local ThreadParser thread_parser;
  sj::dom::parser& parser = thread_parser.get();
  // An allocation for a larger document resets simdjson's depth to its own default (1024): keep ours.
  if (text.size() > parser.capacity()) {
    if (parser.allocate(text.size() + text.size() / 4, Json::kMaxDepth) != sj::SUCCESS) {
      return Error{ErrorCode::kLimit, "not enough memory to parse a JSON document", ""};
    }
  }
  sj::dom::element root;
  sj::error_code error = parser.parse(text.data(), text.size(), !padded).get(root);
  if (error == sj::SUCCESS) {
    Json value = Build(root, {});
    thread_parser.Release(text.size());
    return value;
  }
  if (NeedsRepair(error)) {
    JsonRepairs local;
    Repairer repairer(text, &local);
    const std::string repaired = repairer.Run();
    sj::error_code again = sj::SUCCESS;
    if (repaired.size() > parser.capacity())
      again = parser.allocate(repaired.size() * 2, Json::kMaxDepth);
    if (again == sj::SUCCESS)
      again = parser.parse(repaired.data(), repaired.size(), true).get(root);
    if (again == sj::SUCCESS) {
      if (repairs != nullptr) {
        repairs->lone_surrogates += local.lone_surrogates;
        repairs->nonfinite += local.nonfinite;
        repairs->big_numbers += local.big_numbers;
        repairs->invalid_utf8 += local.invalid_utf8;
      }
      Json value = Build(root, repairer.marker());
      thread_parser.Release(text.size());
      return value;
    }
  }
  thread_parser.Release(text.size());
  return ParseError(error);
}

}  // namespace assay
