// Small text helpers shared by every room: concatenation without fmt (LibTorch ships another fmt, so no
// header reachable from grpo/ may include it), trimming, numbers, "did you mean". Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace assay {

namespace text_internal {
void Append(std::string* out, std::string_view piece);
void Append(std::string* out, int64_t piece);
void Append(std::string* out, uint64_t piece);
void Append(std::string* out, double piece);

template <typename T>
void AppendAny(std::string* out, const T& piece) {
  if constexpr (std::is_same_v<T, bool>) {
    Append(out, std::string_view(piece ? "true" : "false"));
  } else if constexpr (std::is_same_v<T, char>) {
    out->push_back(piece);
  } else if constexpr (std::is_floating_point_v<T>) {
    Append(out, static_cast<double>(piece));
  } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
    Append(out, static_cast<int64_t>(piece));
  } else if constexpr (std::is_integral_v<T>) {
    Append(out, static_cast<uint64_t>(piece));
  } else {
    Append(out, std::string_view(piece));
  }
}
}  // namespace text_internal

// The pieces (strings, characters, integers, doubles in shortest form) one after the other.
template <typename... Pieces>
std::string StrCat(const Pieces&... pieces) {
  std::string out;
  (text_internal::AppendAny(&out, pieces), ...);
  return out;
}

template <typename... Pieces>
void StrAppend(std::string* out, const Pieces&... pieces) {
  (text_internal::AppendAny(out, pieces), ...);
}

// `value` with `digits` digits after the point ("0.714").
std::string FixedDigits(double value, int digits);
// 1234567 -> "1,234,567".
std::string WithThousands(int64_t value);
// A size in bytes for people: "1.5 MiB".
std::string HumanBytes(double bytes);

// Without ASCII white space at both ends.
std::string_view Trim(std::string_view text);
std::vector<std::string_view> SplitChar(std::string_view text, char separator);
bool StartsWith(std::string_view text, std::string_view prefix);
bool EndsWith(std::string_view text, std::string_view suffix);
std::string AsciiLower(std::string_view text);

// True if `text` is well-formed UTF-8.
bool IsValidUtf8(std::string_view text);
// `text` with every ill-formed byte sequence replaced by U+FFFD; counts them if asked.
std::string SanitizeUtf8(std::string_view text, int64_t* replaced = nullptr);
// At most `max_bytes` bytes of `text`, cut at a character boundary, with "..." appended if cut.
std::string Shorten(std::string_view text, size_t max_bytes);

// The candidate nearest to `name` by edit distance if near enough to be a typing error, else "".
std::string NearestName(std::string_view name, const std::vector<std::string>& candidates);
// "did you mean 'math'?", or "one of: a, b, c" when nothing is near.
std::string DidYouMean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace assay
