// Json: one JSON value as a small tree (null, bool, integer, double, big number, string, array, object).
// Objects keep their order; of repeated keys the last counts. Parsing goes through simdjson with what the
// world's Python writes besides: lone surrogates (\ud800) become U+FFFD, NaN and Infinity become null, integers
// beyond 64 bits keep their raw token; each is counted. Depth is bounded (kMaxDepth). Value semantics;
// ParseJson is safe from any thread. Not a streaming parser: a line is one document (core/jsonl.h splits).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/result.h"

namespace assay {

class Json {
 public:
  struct Member;
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;
  // A number that fits neither 64-bit integers nor, exactly, a double: its token as written.
  struct BigNumber {
    std::string token;
    bool operator==(const BigNumber&) const = default;
  };

  static constexpr int kMaxDepth = 256;

  Json() noexcept;  // null
  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  ~Json();
  Json(std::nullptr_t);
  Json(bool value);
  Json(int value);
  Json(int64_t value);
  Json(uint64_t value);  // stored as int64_t where it fits
  Json(double value);
  Json(BigNumber value);
  Json(std::string value);
  Json(std::string_view value);
  Json(const char* value);
  Json(Array value);
  Json(Object value);

  static Json MakeArray();
  static Json MakeObject();

  bool IsNull() const { return std::holds_alternative<std::monostate>(value_); }
  bool IsBool() const { return std::holds_alternative<bool>(value_); }
  bool IsInt() const { return std::holds_alternative<int64_t>(value_); }
  bool IsDouble() const { return std::holds_alternative<double>(value_); }
  bool IsString() const { return std::holds_alternative<std::string>(value_); }
  bool IsArray() const { return std::holds_alternative<Array>(value_); }
  bool IsObject() const { return std::holds_alternative<Object>(value_); }
  bool IsNumber() const;  // integer, unsigned, double or big

  // Null pointers where the kind differs.
  const bool* AsBool() const { return std::get_if<bool>(&value_); }
  const int64_t* AsInt() const { return std::get_if<int64_t>(&value_); }
  const std::string* AsString() const { return std::get_if<std::string>(&value_); }
  const Array* AsArray() const { return std::get_if<Array>(&value_); }
  const Object* AsObject() const { return std::get_if<Object>(&value_); }
  std::string* AsString() { return std::get_if<std::string>(&value_); }
  Array* AsArray() { return std::get_if<Array>(&value_); }
  Object* AsObject() { return std::get_if<Object>(&value_); }
  // Any number as a double (rounded); `fallback` for everything else.
  double NumberOr(double fallback) const;
  // The text of a scalar as a person would write it: a string as it is, 27.0 as "27.0", a big number's
  // token, "true"; arrays and objects as JSON.
  std::string ScalarText() const;

  // Object access. Find: null pointer if this is no object or has no such key.
  const Json* Find(std::string_view key) const;
  Json* Find(std::string_view key);
  // Typed look-ups: the fallback if the key is absent, null or of another kind.
  std::string_view StringOr(std::string_view key, std::string_view fallback) const;
  int64_t IntOr(std::string_view key, int64_t fallback) const;
  double DoubleOr(std::string_view key, double fallback) const;
  bool BoolOr(std::string_view key, bool fallback) const;
  // Replaces the key's value or appends; turns null into an object. Returns *this.
  Json& Set(std::string_view key, Json value);
  // Removes all members of that key; true if there was one.
  bool Erase(std::string_view key);
  // Appends to an array; turns null into an array. Returns *this.
  Json& Append(Json value);

  // Compact JSON, ASCII control characters escaped, UTF-8 as it is; doubles in shortest round-trip form
  // with ".0" where they are whole; non-finite doubles as null.
  std::string Dump() const;
  void AppendTo(std::string* out) const;

  bool operator==(const Json& other) const;

 private:
  std::variant<std::monostate, bool, int64_t, uint64_t, double, BigNumber, std::string, Array,
               Object>
      value_;
};

struct Json::Member {
  std::string key;
  Json value;
  bool operator==(const Member&) const = default;
};

// Down here because clang wants Member to be complete for them.
inline Json::Json() noexcept = default;
inline Json::Json(const Json& other) = default;
inline Json::Json(Json&& other) noexcept = default;
inline Json& Json::operator=(const Json& other) = default;
inline Json& Json::operator=(Json&& other) noexcept = default;
inline Json::~Json() = default;
inline Json::Json(std::nullptr_t) {}
inline Json::Json(bool value) : value_(value) {}
inline Json::Json(int value) : value_(static_cast<int64_t>(value)) {}
inline Json::Json(int64_t value) : value_(value) {}
inline Json::Json(double value) : value_(value) {}
inline Json::Json(BigNumber value) : value_(std::move(value)) {}
inline Json::Json(std::string value) : value_(std::move(value)) {}
inline Json::Json(std::string_view value) : value_(std::string(value)) {}
inline Json::Json(const char* value) : value_(std::string(value)) {}

// What had to be repaired in one document.
struct JsonRepairs {
  int64_t lone_surrogates = 0;  // became U+FFFD
  int64_t nonfinite = 0;        // NaN, Infinity, -Infinity: became null
  int64_t big_numbers = 0;      // kept by their raw token
  int64_t invalid_utf8 = 0;     // bytes that became U+FFFD

  void Add(const JsonRepairs& other) {
    lone_surrogates += other.lone_surrogates;
    nonfinite += other.nonfinite;
    big_numbers += other.big_numbers;
    invalid_utf8 += other.invalid_utf8;
  }
};

// Parses exactly one JSON document (white space around it allowed). `padded`: at least kJsonPadding readable bytes
// follow text.data()+text.size(), which saves a copy. Errors: kInput, with the byte offset where known.
Result<Json> ParseJson(std::string_view text, JsonRepairs* repairs = nullptr, bool padded = false);
inline constexpr size_t kJsonPadding = 64;

// Appends `text` as a JSON string, quotes included. Invalid UTF-8 becomes U+FFFD.
void AppendJsonString(std::string_view text, std::string* out);
// Appends a double as Json::Dump would.
void AppendJsonNumber(double value, std::string* out);

}  // namespace assay
