// The shape of a column of JSON values: what a reader that wants one type a column (Arrow, and so `datasets`) makes of it. Values
// are taken in one by one; Fit() then writes each so that all of them agree. Value semantics; not thread-safe; depth as core/json.h.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/json.h"

namespace assay {

class ColumnShape {
 public:
  void Take(const Json& value);
  // The value as it is if the column has one type (nulls and missing keys aside), integers as doubles where any is one; else its JSON
  // as text, for every value of the column.
  Json Fit(const Json& value) const;

 private:
  enum class Kind { kNull, kBool, kInt, kDouble, kString, kArray, kObject, kMixed };
  static Kind KindOf(const Json& value);
  bool Mixed() const;
  Json FitInside(const Json& value) const;

  Kind kind_ = Kind::kNull;
  std::vector<ColumnShape> element_;           // none or one: of all elements of an array
  std::map<std::string, ColumnShape> fields_;  // of objects
};

}  // namespace assay
