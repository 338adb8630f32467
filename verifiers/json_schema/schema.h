// JSON Schema, drafts 4 to 2020-12: whether a value is what a schema describes. Patterns are RE2's and take linear time; steps and depth
// are bounded, so that neither a schema nor a value from outside can make it run long. `format` asserts nothing, as the standard has it.
// Not here: references to other documents, $dynamicRef, unevaluatedItems and unevaluatedProperties; a schema with these is not made.
// Immutable once made; thread-safe.
#pragma once

#include <memory>
#include <string>

#include "core/json.h"
#include "core/result.h"

namespace assay {

class JsonSchema {
 public:
  // Errors: kInput, for what is no schema that can be checked.
  static Result<std::shared_ptr<const JsonSchema>> Make(Json schema);
  ~JsonSchema();

  struct Answer {
    bool valid = false;
    bool spent = false;   // given up: too many steps, or references that go round
    std::string problem;  // where and what, for people
  };
  Answer Check(const Json& value) const;

 private:
  JsonSchema();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
