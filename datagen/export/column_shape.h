// The shape of a column of JSON values: what a reader that wants one type a column (Arrow, and so `datasets`) makes of it. Values
// are taken in one by one; Fit() then writes each so that all of them agree. Value semantics; not thread-safe; depth as core/json.h.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"

namespace assay {

class ColumnShape {
 public:
  void Take(const Json& value);
  // True if `head`, the shape of the column's first values, has a type wherever this has one. A reader that fixes types by the first
  // megabytes takes what is null or [] in all of them for a column of nulls.
  bool IsShownBy(const ColumnShape& head) const;
  // The type of what Fit (or, with `parts`, FitParts) gives: "string", "int64", "double", "bool", ["list", type] or an object of types;
  // "string" where there are only nulls.
  Json TypeOf(bool parts) const;
  bool HasType() const { return kind_ != Kind::kNull; }
  bool IsText() const { return kind_ == Kind::kString; }
  // The value as it is if the column has one type (nulls and missing keys aside), integers as doubles where any is one; else its JSON
  // as text, for every value of the column. Objects get all keys that any of them has, null where they lack one.
  Json Fit(const Json& value) const;
  // Like Fit, but only the parts that have several types become text.
  Json FitParts(const Json& value) const;

 private:
  enum class Kind { kNull, kBool, kInt, kDouble, kString, kArray, kObject, kMixed };
  static Kind KindOf(const Json& value);
  bool Mixed() const;
  // True if the shape itself has no one type, whatever its parts have.
  bool MixedHere() const;
  Json FitInside(const Json& value, bool parts) const;

  Kind kind_ = Kind::kNull;
  std::vector<ColumnShape> element_;  // none or one: of all elements of an array
  // Of objects, in the order of their first appearance.
  std::vector<std::pair<std::string, ColumnShape>> fields_;
  std::map<std::string, size_t, std::less<>> places_;
};

}  // namespace assay
